"""The declaration of the labels of a task in a source: their columns, and how they are written in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import from_words, word

from .cell_words import cell_word
from .long_votes import LongVotes
from .words import Blank

Cell = str | int | float | bool  # the values that a cell of a table may hold
NameOf = Literal["file_name", "folder_name"]
VotesAs = Literal["majority", "distribution"]
Annotators = Literal["annotators"]
ANNOTATORS = "annotators"  # the votes of all annotators in an export
PLACES = ("column", "columns", "constant", "from_", "soft", "votes")  # the fields that tell where the labels are


@dataclass(frozen=True)
class LabelColumn:
    """The column of a task's labels in a source, and how the labels are written in it.

    Args:
        column: The column, or a path into a column of objects. For a multi-label task also a list of columns, one for
            each label.
        separator: The text between the labels of a multi-label task in one cell, or between levels.
        aliases: Labels by their spelling in this source.
        missing: Values that mark a missing label.
        none: Values that mark the empty set of a multi-label task.
        blank: Whether null, NaN and an empty cell are a `missing` label, or `none`: the empty set of a multi-label
            task. The default is that of the task, or else `missing`.
        columns: Instead of `column`, for a multi-label task: columns whose cells are labels, as a list or as a pattern
            such as `tag_*`, or the column of each label. With `join`, the columns that form one label.
        join: The text between the parts of one label.
        level: The number of a level, counted from 1, of a column whose levels are separated.
        constant: The label of all rows, instead of a column.
        from_: The label of all rows is the name of the file without its endings, or of the folder that contains it.
            In a recipe and in a dict it is called `from`.
        soft: Instead of `column`, the column of the probability, or of the count, of each label of the task. For a task
            with one label they are divided by their sum.
        votes: Instead of `column`, the columns of several raters, for a task with one label for each row. In a table
            with one row for each annotation, [`LongVotes`]. In an export of an annotation tool `annotators`, with a
            `column`, whose answers of all annotators are the votes.
        as_: How votes become a label: the `majority`, which is the default, or the `distribution`, the share of each
            label. A tie has no majority, so it is a missing label. In a recipe and in a dict it is called `as`.
        counted: How the lists of votes in the cells of the column become a label. Recipes lack this word.

    Raises:
        DataError: If the words do not fit together, the separator is empty, `missing` or `none` is no list, `blank` is
            unknown, or two aliases are one word and have different labels.

    Example:
        >>> from datasets_builder import LabelColumn, Source
        >>> tags = LabelColumn("tags", separator=";", missing=["n/a"])
        >>> source = Source("reviews.csv", labels={"topic": "category", "tags": tags})
        >>> source.read_columns
        ['text', 'category', 'tags']
    """

    column: str | list[str] | None = word(
        None,
        description="The column, or a path such as `meta.team` into a column of objects. For a multi-label task also a "
        "list of columns, one for each label, whose cells are 0, 1 or empty.",
        example="tags",
    )
    separator: str | None = word(
        None,
        description="The text between the labels of a multi-label task in one cell, or between levels.",
        example=";",
    )
    aliases: Mapping[Cell, str] = word(
        default_factory=dict,
        description="Labels by their spelling in this source.",
        example={"pos": "positive"},
        labels=True,
    )
    missing: Sequence[Cell] = word(
        default_factory=list,
        description="Values that mark a missing label here, in addition to null, NaN and an empty cell.",
        example=["n/a", -1],
    )
    none: Sequence[Cell] = word(
        default_factory=list,
        description="Values that mark the empty set of a multi-label task here.",
        example=["none", "n/a"],
    )
    blank: Blank | None = word(
        None,
        description="Whether null, NaN and an empty cell are a `missing` label, or `none`, the empty set of a "
        "multi-label task. The default is that of the task.",
        example="none",
    )
    columns: str | list[str] | Mapping[Cell, str] | None = word(
        None,
        description="Instead of `column`, for a multi-label task: columns whose cells are labels, as a list or as a "
        "pattern such as `tag_*`, or the column of each label, whose cells are 0, 1 or empty. With `join`, the columns "
        "that form one label.",
        example=["tag_1", "tag_2"],
    )
    join: str | None = word(
        None,
        description="The text between the parts of one label, each from one of the `columns`. The label is missing if "
        "a part is.",
        example="/",
    )
    level: int | None = word(
        None,
        description="The number of a level, counted from 1, of a `column` whose levels are separated by `separator`.",
        example=1,
        ge=1,
    )
    constant: Cell | None = word(None, description="The label of all rows, instead of a column.", example="web")
    from_: NameOf | None = word(
        None,
        description="The label of all rows is the name of the file without its endings, or of the folder that contains "
        "it.",
        example="file_name",
    )
    soft: Mapping[Cell, str] | None = word(
        None,
        description="Instead of `column`, the column of the probability, or of the count, of each label of the task. "
        "For a task with one label they are divided by their sum. A row with only empty cells has no label.",
        example={"negative": "p_neg", "positive": "p_pos"},
    )
    votes: list[str] | LongVotes | Annotators | None = word(
        None,
        description="Instead of `column`, the columns of several raters, for a task with one label for each row. Empty "
        "cells are not counted. In a table with one row for each annotation, the `column` of the votes `by` id. In an "
        "export of an annotation tool `annotators`, with a `column`: the answers of all annotators of a row.",
        example=["rater_1", "rater_2", "rater_3"],
    )
    as_: VotesAs | None = word(
        None,
        description="How `votes` become a label: the `majority`, which is the default, or the `distribution`, the "
        "share of each label. A tie has no majority, so it is a missing label.",
        example="distribution",
    )
    counted: VotesAs | None = None

    def __post_init__(self) -> None:
        if isinstance(self.votes, Mapping):
            object.__setattr__(self, "votes", from_words(LongVotes, self.votes, "votes.", DataError))
        for problem in filter(None, (self._votes_problem(), self._place_problem(), self._combination_problem())):
            raise DataError(problem)
        if self.separator == "":
            raise DataError(
                f"{self.described}: its separator is empty; it must be the text between two labels, such as ';'"
            )
        if self.blank not in (None, "missing", "none"):
            raise DataError(f"{self.described}: blank is {self.blank!r}; it must be missing or none")
        self._read_words()

    def _read_words(self) -> None:
        """Read all values as words, like every cell: a number or a truth value may be given as such."""
        object.__setattr__(self, "aliases", alias_words(self.aliases, self.described))
        for name in ("missing", "none"):
            if isinstance(given := getattr(self, name), str):
                raise DataError(f"{self.described}: {name} is {given!r}; it must be a list, such as [{given!r}]")
            object.__setattr__(self, name, [cell_word(value) for value in given])
        if both := [word for word in self.missing if word in self.none]:
            raise DataError(f"{self.described}: {both[0]!r} is in missing and in none; leave it out of one of them")
        for name in ("columns", "soft"):
            if isinstance(by_label := getattr(self, name), Mapping):
                object.__setattr__(self, name, {cell_word(label): column for label, column in by_label.items()})
        if self.constant is not None:
            object.__setattr__(self, "constant", cell_word(self.constant))

    @property
    def by_label(self) -> dict[str, str] | None:
        """The column of each label of a multi-label task, or `None` if the labels are in the cells."""
        if isinstance(self.columns, Mapping):
            return {str(label): name for label, name in self.columns.items()}
        return None if isinstance(self.column, str | None) else {name: name for name in self.column}

    @property
    def soft_by_label(self) -> dict[str, str] | None:
        """The column of the number of each label, or `None` if there are none."""
        return None if self.soft is None else {str(label): name for label, name in self.soft.items()}

    @property
    def labels(self) -> list[str] | None:
        """The labels that are named here, each with its column, or `None` if the labels are in the cells."""
        by_label = self.by_label if self.soft is None else self.soft_by_label
        return None if by_label is None else list(by_label)

    @property
    def names(self) -> list[str]:
        """The names of the columns, always as a list. A pattern, a constant and the name of a file have none."""
        if self.column is not None:
            return [self.column] if isinstance(self.column, str) else list(self.column)
        if isinstance(self.votes, LongVotes):
            return [self.votes.column, self.votes.by]
        if self.votes is not None:
            return list(self.votes)
        for by_label in (self.columns, self.soft):
            if isinstance(by_label, Mapping):
                return list(by_label.values())
        return list(self.columns) if isinstance(self.columns, list | tuple) else []

    @property
    def described(self) -> str:
        """The place of the labels in messages, such as `column 'topic'`."""
        if isinstance(self.votes, LongVotes):
            return f"votes of column {self.votes.column!r}"
        for name in PLACES:
            if (given := getattr(self, name)) is not None:
                return f"{name.rstrip('_')} {given!r}"
        return "labels"

    @property
    def is_soft(self) -> bool:
        """Whether it gives a number for each label."""
        return self.soft is not None or "distribution" in (self.as_, self.counted)

    def _place_problem(self) -> str | None:
        given = [name for name in PLACES if getattr(self, name) is not None]
        if self.votes == ANNOTATORS:
            given.remove("votes")
        words = [name.rstrip("_") for name in given]
        if not words:
            return "column: is missing; give a column, or one of columns, constant, from, soft and votes"
        if len(words) > 1:
            return f"{words[1]} cannot be combined with {words[0]}; leave one out"
        if self.columns is not None and not self.columns:
            return "columns is empty; name the columns"
        if isinstance(self.columns, str) and "*" not in self.columns:
            return f"columns is {self.columns!r}; a pattern contains *, such as 'tag_*'; for one column, use `column`"
        if self.from_ not in (None, "file_name", "folder_name"):
            return f"from is {self.from_!r}; it must be file_name or folder_name"
        if self.soft is not None and (not isinstance(self.soft, Mapping) or not self.soft):
            return f"soft is {self.soft!r}; it must name the column of each label: {{label: column}}"
        return None

    def _votes_problem(self) -> str | None:
        if self.as_ not in (None, *get_args(VotesAs)):
            return f"as is {self.as_!r}; it must be one of {', '.join(get_args(VotesAs))}"
        if self.votes is None:
            return None if self.as_ is None else "as needs `votes`, the columns of the raters"
        if isinstance(self.votes, LongVotes):
            return None
        if self.votes == ANNOTATORS:
            alone = isinstance(self.column, str) and self.separator is None
            return None if alone else "votes: annotators needs one `column`, a tag or question, without a separator"
        if isinstance(self.votes, str) or len(self.votes) < 2:
            return (
                f"votes is {self.votes!r}; it must be a list of at least two columns, or {{column: label, by: id}} for "
                "a table with one annotation in each row, or annotators"
            )
        return None

    def _combination_problem(self) -> str | None:
        if self.join is not None and (not isinstance(self.columns, list | tuple) or len(self.columns) < 2):
            return "join needs `columns`, a list of the columns whose cells form one label"
        if self.separator is not None and self.column is None:
            return "separator is only for a single `column`; remove it"
        if (self.votes or self.soft) and len(set(self.names)) < len(self.names):
            doubled = next(name for name in self.names if self.names.count(name) > 1)
            return f"{self.described}: the column {doubled!r} is named twice; name each column once"
        if self.level is None:
            return None
        if isinstance(self.level, bool) or not isinstance(self.level, int) or self.level < 1:
            return f"level is {self.level!r}; it must be a whole number, at least 1"
        if not isinstance(self.column, str) or self.separator is None:
            return "level needs one `column`, and the `separator` between its levels"
        return None


def alias_words(aliases: Mapping[Cell, str], place: str) -> dict[Cell, str]:
    """Return aliases as words.

    Args:
        aliases: Labels by their spelling.
        place: The place of the labels, for messages.

    Raises:
        DataError: If two aliases are one word and have different labels.
    """
    words: dict[Cell, str] = {}
    for given, label in aliases.items():
        if (other := words.setdefault(cell_word(given), label)) != label:
            raise DataError(f"{place}: {cell_word(given)!r} is an alias of both {other!r} and {label!r}")
    return words
