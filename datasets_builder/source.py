"""The declaration of a source: the location of its tables and the meaning of their columns.

This module does not import `datasets` or torch, so that a recipe can be checked without them.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modeling_multitask.errors import DataError
from modeling_multitask.files import is_there
from modeling_multitask.paths_multitask import why_local
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.words_multitask import declared_words, from_words, word, word_of

from .addresses import PROTOCOLS, check_address, is_address, shown_path
from .cell_words import cell_word
from .formats import COMPRESSED, LINES, READABLE, names_table
from .join import Join
from .label_column import Cell, LabelColumn, alias_words
from .layout import Decimal, Format, Layout, Quoting


@dataclass(frozen=True)
class JoinedText:
    """Several columns that are joined to one text. Empty parts are left out with their separator.

    Args:
        columns: The columns, in order.
        separator: The text between the parts.

    Raises:
        ValueError: If `columns` is no list of names, or is empty.

    Example:
        >>> from datasets_builder import JoinedText, Source
        >>> Source("tickets.csv", text=JoinedText(["title", "body"], separator=". ")).read_columns
        ['title', 'body']
    """

    columns: list[str] = word(description="The columns, in order.", example=["title", "body"])
    separator: str = word("\n", description="The text between the parts.", example=" ")

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or not self.columns:
            raise ValueError(f"columns is {self.columns!r}; it must be a list of the columns to join")

    @property
    def name(self) -> str:
        """Its name in messages."""
        return " + ".join(self.columns)


@dataclass(frozen=True)
class Source:
    """A table, a folder of tables in one format, or a data set on the Hub, with the meaning of its columns.

    Args:
        path: A file, a folder of files, or the id of a data set on the Hub; or the rows themselves, as for `data`. A
            file or folder on a server has an address, such as `s3://bucket/tickets.csv`.
        text: The column of the text, a path into a column of objects, two columns for pairs of texts, or a
            [`JoinedText`].
        labels: For each task its column or a [`LabelColumn`]. By default each task uses the column of its name.
        data: The rows, instead of a path: a DataFrame or Series of pandas or polars, a `datasets.Dataset`, or a dict of
            lists. The column of a Series without a name is called `text`.
        config: The configuration of a data set on the Hub.
        split: The split of a data set on the Hub.
        revision: The branch, tag or commit of a data set on the Hub.
        group: A column whose equal values stay in the same split.
        called: The name of data without a path in messages.
        format: How a file is written, as in [`Layout`]; also `delimiter`, `encoding`, `header`, `columns`, `quoting`,
            `decimal`, `skip_rows`, `sheet`, `table` and `query`.
        missing_text: Texts that mark a missing text. Their rows are left out, as those with an empty text.
        weight: The column of the weight of each row, a number from 0.
        where: The rows to read: for each column the word, or the words, that its cell must be.
        join: Another table, whose columns each row gets from the row with the same id. All other words may name them.

    Raises:
        ValueError: If both or neither of `path` and `data` are given, an address has an unknown protocol or contains
            credentials, there are more than two text columns, or a word of the layout is invalid.

    Example:
        >>> from datasets_builder import Source
        >>> source = Source("pairs.csv", text=["question", "answer"], labels={"topic": "category"})
        >>> source.read_columns
        ['question', 'answer', 'category']
    """

    path: str | None = word(
        None,
        required=True,
        description=f"A file ({', '.join((*READABLE, LINES))}), a folder of files in one format, or the id of a data "
        f"set on the Hub. Text files may be compressed ({', '.join(COMPRESSED)}). Relative to the recipe. For files on "
        f"a server, an address with one of {', '.join(f'{each}://' for each in PROTOCOLS)}.",
        example="reviews.csv",
    )
    text: str | list[str] | JoinedText = word(
        "text",
        description="The column of the text, or a path such as `data.text` into a column of objects. Also two columns "
        "for pairs of texts, or several columns that are joined to one text. A list of tokens is joined by spaces.",
        example=["question", "answer"],
    )
    labels: Mapping[str, str | list[str] | LabelColumn] | None = word(
        None,
        description="For each task the column of its labels, several columns, or the column with its settings. A task "
        "that is not named has no labels here. By default each task uses the column of its name, if there is one.",
        example={"topic": "category"},
    )
    data: Any = None
    config: str | None = word(None, description="The configuration of a data set on the Hub.", example="en")
    split: str | None = word(None, description="The split of a data set on the Hub.", example="train")
    revision: str | None = word(None, description="The branch, tag or commit of a data set on the Hub.", example="main")
    group: str | None = None
    called: str | None = None
    format: Format | None = word_of(Layout, "format")
    delimiter: str | None = word_of(Layout, "delimiter")
    encoding: str | None = word_of(Layout, "encoding")
    header: bool = word_of(Layout, "header")
    columns: list[str] | None = word_of(Layout, "columns")
    quoting: Quoting | None = word_of(Layout, "quoting")
    decimal: Decimal | None = word_of(Layout, "decimal")
    skip_rows: int = word_of(Layout, "skip_rows")
    sheet: str | None = word_of(Layout, "sheet")
    table: str | None = word_of(Layout, "table")
    query: str | None = word_of(Layout, "query")
    missing_text: Sequence[Cell] = ()
    weight: str | None = word(
        None,
        description="The column of the weight of each row, a number from 0. It multiplies the row's losses. Metrics do "
        "not use it.",
        example="confidence",
    )
    where: Mapping[str, Cell | list[Cell]] | None = word(
        None,
        description="The rows to read: for each column, or path, the word or the words that its cell must be. A row "
        "must match all columns.",
        example={"lang": "en", "part": ["train", "dev"]},
    )
    join: Join | None = word(
        None,
        description="Another table with one row for each id. Each row gets the columns of the row with its id, or "
        "empty cells. All other words of the source may name these columns.",
        example={"path": "labels.csv", "on": "id"},
    )

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError("a source needs either path or data, and not both")
        if self.path is not None:
            is_path = isinstance(self.path, str | os.PathLike)
            object.__setattr__(self, "data", None if is_path else self.path)
            object.__setattr__(self, "path", os.fspath(self.path) if is_path else None)
        if self.path is not None and is_address(self.path):
            check_address(self.path)
        if isinstance(self.text, Mapping):
            object.__setattr__(self, "text", from_words(JoinedText, self.text, "source.text."))
        if self.join is not None:
            object.__setattr__(self, "join", from_words(Join, self.join, "source.join."))
        if len(self.texts) not in (1, 2):
            raise ValueError(f"source.text is {self.texts}; it must be one column, or two columns for pairs of texts")
        _ = self.layout  # which checks its words

    @property
    def layout(self) -> Layout:
        """How its files are written.

        Raises:
            ValueError: If a word is invalid.
        """
        return Layout(**{name: getattr(self, name) for name in declared_words(Layout)})

    @property
    def name(self) -> str:
        """Its name in messages."""
        return shown_path(self.path or "") or self.called or f"the given {type(self.data).__name__}"

    @property
    def texts(self) -> list[str]:
        """The column of the text, or the two columns of a pair, as a list."""
        if isinstance(self.text, JoinedText):
            return [self.text.name]
        return [self.text] if isinstance(self.text, str) else list(self.text)

    @property
    def label_columns(self) -> dict[str, LabelColumn]:
        """The label column of each task, by task name.

        Raises:
            DataError: If a label column has an unknown setting.
        """
        return {name: _as_label_column(given) for name, given in (self.labels or {}).items()}

    @property
    def read_columns(self) -> list[str]:
        """All columns that are read, the text columns first. Columns that only `where` reads are not included."""
        texts = self.text.columns if isinstance(self.text, JoinedText) else self.texts
        labels = [name for column in self.label_columns.values() for name in column.names]
        others = [name for name in (self.group, self.weight) if name]
        return list(dict.fromkeys([*texts, *labels, *others]))

    def with_labels_of(self, tasks: list[dict[str, Any]], columns: list[str]) -> "Source":
        """Return the source with a label column for each task. Its own words for cells go before the task's."""
        labels = self.label_columns
        if self.labels is None:
            labels = {task["name"]: LabelColumn(task["name"]) for task in tasks if task["name"] in columns}
        for task in tasks:
            if (column := labels.get(task["name"])) is not None:
                own = {*column.aliases, *column.missing, *column.none}
                labels[task["name"]] = replace(
                    column,
                    aliases=alias_words(task.get("aliases") or {}, column.described) | dict(column.aliases),
                    missing=[*_others(task.get("missing"), own), *column.missing],
                    none=[*_others(task.get("none"), own), *column.none],
                    blank=column.blank or task.get("blank"),
                )
        return replace(self, labels=labels)


def is_on_hub(source: Source) -> bool:
    """Return whether the path is not local and has the form of a data set's id on the Hub, `name` or `owner/name`."""
    if source.path is None or is_there(source.path) or names_table(source.path):
        return False
    may_be_id = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", source.path) is not None
    return may_be_id and why_local(source.path) is None


def number_columns(source: Source, tasks: list[dict[str, Any]]) -> list[str]:
    """Return the columns of the source that hold weights, or the numbers of a task, such as those of a regression."""
    known = [task for task in tasks if task["problem_type"] in PROBLEM_TYPES]  # others are an error later
    names = {task["name"] for task in known if PROBLEM_TYPES[task["problem_type"]].is_number}
    weights = [] if source.weight is None else [source.weight]
    if source.labels is None:
        return [*weights, *sorted(names)]
    numbers = [each for task, each in source.label_columns.items() if task in names or each.soft is not None]
    return [*weights, *(name for column in numbers for name in column.names)]


def _others(words: Sequence[Any] | None, own: set[Any]) -> list[Any]:
    """Return the words of a task to which a source gives no meaning of its own."""
    return [each for each in words or () if cell_word(each) not in own]


def soft_tasks(sources: list[Source]) -> frozenset[str]:
    """Return the tasks with soft labels in any source."""
    columns = [item for source in sources for item in source.label_columns.items()]
    return frozenset(task for task, column in columns if column.is_soft)


def voted_tasks(sources: list[Source]) -> list[str]:
    """Return the tasks whose labels are the majority of votes in any source, in their order."""
    columns = [item for source in sources for item in source.label_columns.items()]
    return list(dict.fromkeys(task for task, column in columns if column.counted == "majority"))


def _as_label_column(given: Any) -> LabelColumn:
    if isinstance(given, LabelColumn):
        return given
    if not isinstance(given, dict):
        return LabelColumn(given)
    return from_words(LabelColumn, given, "labels.", DataError)
