"""What a source is: where its tables are, and what their columns mean.

Only declarations, so that a recipe is checked without importing `datasets` or torch.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modeling_multitask.errors import DataError
from modeling_multitask.files import is_there
from modeling_multitask.words_multitask import from_words, word

from .formats import READABLE

Cell = str | int | float | bool  # what a cell of a table may hold


@dataclass(frozen=True)
class LabelColumn:
    """Where a source has the labels of a task, and how they are written there."""

    column: str | list[str] = word(
        description="The column; of a multi-label task also a list of columns, one for each label, whose cells are 0, "
        "1 or empty.",
        example="tags",
    )
    separator: str | None = word(
        None, description="The text between the labels of a multi-label task in one cell.", example=";"
    )
    aliases: Mapping[Cell, str] = word(
        default_factory=dict, description="Labels by how they are written here.", example={"pos": "positive"}
    )
    missing: Sequence[Cell] = word(
        default_factory=list,
        description="What marks a missing label here, besides null, NaN and an empty cell.",
        example=["n/a", -1],
    )

    def __post_init__(self) -> None:
        if self.separator == "":
            raise DataError(f"column {self.column!r}: its separator is empty")
        # As words, like all that stands in a cell: a number or a truth value may be given as such.
        object.__setattr__(self, "aliases", {_word(name): label for name, label in self.aliases.items()})
        object.__setattr__(self, "missing", [_word(value) for value in self.missing])

    @property
    def names(self) -> list[str]:
        """The columns, as a list."""
        return [self.column] if isinstance(self.column, str) else list(self.column)


@dataclass(frozen=True)
class Source:
    """One table, a folder of tables of one format, or a data set on the Hub, and what its columns mean.

    Args:
        data: Instead of a path: a `datasets.Dataset`, a pandas `DataFrame`, or a dict of lists.
        group: A column whose equal values must not be parted between splits.
        called: How messages call data that has no path.
    """

    path: str | None = word(
        None,
        required=True,
        description=f"A file ({', '.join(READABLE)}), a folder of these, or the id of a data set on the Hub. Relative "
        "to the recipe.",
        example="reviews.csv",
    )
    text: str | list[str] = word(
        "text", description="The column of the text, or two columns for pairs of texts.", example=["question", "answer"]
    )
    labels: Mapping[str, str | list[str] | LabelColumn] | None = word(
        None,
        description="For each task the column of its labels, several columns, or how they are written. A task that is "
        "not named has no labels here. By default each task has its labels in the column of its name, if there is one.",
        example={"topic": "category"},
    )
    data: Any = None
    config: str | None = word(None, description="The configuration of a data set on the Hub.", example="en")
    split: str | None = word(None, description="The split of a data set on the Hub.", example="train")
    revision: str | None = word(None, description="The branch, tag or commit of a data set on the Hub.", example="main")
    group: str | None = None
    called: str | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError("a source has either a path or data")
        if self.path is not None:
            object.__setattr__(self, "path", os.fspath(self.path))
        if len(self.texts) not in (1, 2):
            raise ValueError(f"a source has a text or a pair of texts; given: {self.texts}")

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.path or self.called or f"the given {type(self.data).__name__}"

    @property
    def texts(self) -> list[str]:
        """The column of the text, or those of the pair."""
        return [self.text] if isinstance(self.text, str) else list(self.text)

    @property
    def label_columns(self) -> dict[str, LabelColumn]:
        """By task name, where its labels are.

        Raises:
            DataError: If one has a setting that there is not.
        """
        return {name: _as_label_column(given) for name, given in (self.labels or {}).items()}

    @property
    def columns(self) -> list[str]:
        """Every column that is read, the texts' first."""
        labels = [name for column in self.label_columns.values() for name in column.names]
        return list(dict.fromkeys([*self.texts, *labels, *([self.group] if self.group else [])]))

    def with_labels_of(self, tasks: list[dict[str, Any]], columns: list[str]) -> "Source":
        """The source with every task's labels named, and written as these tasks' `aliases` and `missing` say."""
        labels = self.label_columns
        if self.labels is None:
            labels = {task["name"]: LabelColumn(task["name"]) for task in tasks if task["name"] in columns}
        for task in tasks:
            if (column := labels.get(task["name"])) is not None:
                aliases: dict[Cell, str] = {_word(name): label for name, label in (task.get("aliases") or {}).items()}
                labels[task["name"]] = replace(
                    column,
                    aliases=aliases | dict(column.aliases),
                    missing=[*(task.get("missing") or []), *column.missing],
                )
        return replace(self, labels=labels)


def is_on_hub(source: Source) -> bool:
    """Whether the path can only be the id of a data set on the Hub: a name, or an owner and a name."""
    if source.path is None or is_there(source.path) or Path(source.path).suffix.lower() in READABLE:
        return False
    return re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", source.path) is not None


def _as_label_column(given: Any) -> LabelColumn:
    if isinstance(given, LabelColumn):
        return given
    if not isinstance(given, dict):
        return LabelColumn(given)
    settings = {"column" if name == "columns" else name: value for name, value in given.items()}
    return from_words(LabelColumn, settings, "labels.", DataError)


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
