"""Columns that are made of the columns of a table, of its name or of a constant."""

import abc
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.addresses import path_within
from datasets_builder.formats import endings
from datasets_builder.label_column import LabelColumn, NameOf
from datasets_builder.label_sets import split_texts
from datasets_builder.local_path import LocalCopy
from datasets_builder.places import Place
from datasets_builder.tables import Table
from datasets_builder.texts import table_texts
from datasets_builder.word_arrays import as_text, as_words, without_aliases, without_blanks, without_words
from modeling_multitask.errors import DataError


class Derived(abc.ABC):
    """A column that is made of other columns. Two of them are equal if they have the same cells."""

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the columns of a table that it is made of.

        Raises:
            DataError: If the table has none of them.
        """
        return []

    @abc.abstractmethod
    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:
        """Return (rows,) its cells.

        Args:
            chunk: Some rows of the table, with the columns that it is made of.
            table: The table.
            place: The location of the chunk.

        Raises:
            DataError: If the cells of a column have another type.
        """


@dataclass(frozen=True)
class TextOfColumns(Derived):
    """A text that is joined from several columns. Empty parts are left out with their separator."""

    columns: tuple[str, ...]
    separator: str
    missing: tuple[str, ...]  # texts that are empty parts

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the columns of the parts."""
        return list(self.columns)

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the joined texts, which are empty if all parts are."""
        parts = [table_texts(chunk, name, table.name) for name in self.columns]
        marks = pa.array(self.missing, pa.string())
        joined = pa.array([""] * len(chunk), pa.string())
        for given in parts:
            trimmed = pc.fill_null(pc.utf8_trim_whitespace(given), "")
            part = pc.if_else(pc.or_(pc.equal(trimmed, ""), pc.is_in(trimmed, marks)), "", given)
            # Not all parts in one call: with null_handling="skip", Arrow leaves out rows whose parts are all null.
            both = pc.binary_join_element_wise(joined, part, self.separator)
            joined = pc.if_else(pc.equal(joined, ""), part, pc.if_else(pc.equal(part, ""), joined, both))
        return joined


@dataclass(frozen=True)
class LabelOfColumns(Derived):
    """A label that is joined from several columns. It is missing if one of its parts is."""

    columns: tuple[str, ...]
    separator: str
    missing: tuple[str, ...]

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the columns of the parts."""
        return list(self.columns)

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the joined words."""
        words = [as_words(chunk[name].combine_chunks(), place.where(name), []) for name in self.columns]
        return pc.binary_join_element_wise(*(without_words(part, self.missing) for part in words), self.separator)


@dataclass(frozen=True)
class Level(Derived):
    """One level of a column whose levels are separated, counted from 1. A level that a row lacks is missing."""

    column: str
    separator: str
    level: int

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the column of all levels."""
        return [self.column]

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the words of the level."""
        words = as_words(chunk[self.column].combine_chunks(), place.where(self.column), [])
        rows, parts = split_texts(words, self.separator)
        each = np.arange(len(words))
        places = np.searchsorted(rows, each) + self.level - 1
        return parts.take(pa.array(places, mask=places >= np.searchsorted(rows, each, side="right")))


@dataclass(frozen=True)
class CellsOfColumns(Derived):
    """Lists of the cells of several columns, which are given as names or as a pattern. Empty cells add nothing."""

    columns: tuple[str, ...] | str

    def sources(self, table: Table) -> list[str]:
        """Return the columns in their order in the table, or as they are given."""
        if not isinstance(self.columns, str):
            return list(self.columns)
        pattern = re.escape(self.columns).replace(r"\*", ".*")
        found = [name for name in table.columns if re.fullmatch(pattern, name, re.DOTALL)]
        if not found:
            there = ", ".join(map(repr, table.columns))
            raise DataError(f"{table.name}: no column matches {self.columns!r}; its columns are {there}")
        return found

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:
        """Return the lists. A row of only empty cells is null."""
        names = self.sources(table)
        columns = [as_text(chunk[name].combine_chunks(), place.where(name)) for name in names]
        rows = np.tile(np.arange(len(chunk)), len(columns))
        lists = lists_of(without_blanks(pa.concat_arrays(columns)), rows, len(chunk))
        return pc.if_else(pc.greater(pc.list_value_length(lists), 0), lists, pa.scalar(None, lists.type))


@dataclass(frozen=True)
class VotesOfColumns(Derived):
    """Lists of the words of several columns, each with the answers of one rater. Missing words are left out."""

    columns: tuple[str, ...]
    label: LabelColumn  # with the aliases and the words for a missing label

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the columns of the raters."""
        return list(self.columns)

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the lists. A row without votes has an empty one."""
        columns = [as_words(chunk[name].combine_chunks(), place.where(name), []) for name in self.columns]
        rows = np.tile(np.arange(len(chunk)), len(columns))
        return lists_of(_votes(pa.concat_arrays(columns), self.label), rows, len(chunk))


@dataclass(frozen=True)
class VotesOfAnnotators(Derived):
    """Lists of the words of all annotators, whose answers are a list in each row of an export."""

    column: str
    label: LabelColumn

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the column of the lists."""
        return [self.column]

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the lists. A row without votes has an empty one."""
        lists = chunk[self.column].combine_chunks().cast(pa.list_(pa.string()))
        words = as_words(lists.flatten(), place.where(self.column), [])
        return lists_of(_votes(words, self.label), pc.list_parent_indices(lists).to_numpy(), len(chunk))


@dataclass(frozen=True)
class VoteOfRow(Derived):
    """The words of a column with one vote in each row, null for a missing one."""

    column: str
    label: LabelColumn

    def sources(self, table: Table) -> list[str]:  # noqa: ARG002
        """Return the column of the votes."""
        return [self.column]

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the words."""
        words = as_words(chunk[self.column].combine_chunks(), place.where(self.column), [])
        return _votes(words, self.label)


@dataclass(frozen=True)
class Constant(Derived):
    """The same label in all rows, or a list of it for a multi-label task."""

    label: str
    listed: bool

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:  # noqa: ARG002
        """Return the labels."""
        label = pa.scalar([self.label], pa.list_(pa.string())) if self.listed else pa.scalar(self.label, pa.string())
        return pa.repeat(label, len(chunk))


@dataclass(frozen=True)
class NameOfFile(Derived):
    """The name of a table's file without its endings, or of the folder that contains it, in all rows."""

    what: NameOf
    listed: bool

    def cells(self, chunk: pa.Table, table: Table, place: Place) -> pa.Array:
        """Return the labels."""
        if table.path is None:
            raise DataError(f"{table.name}: `from: {self.what}` is only for files; use `constant`")
        return Constant(name_of(table.path, self.what), self.listed).cells(chunk, table, place)


def lists_of(words: pa.Array, rows: np.ndarray, count: int) -> pa.ListArray:
    """Return (count,) the lists of each row's words, in their order and without null.

    Args:
        words: (words,) the words of all rows.
        rows: (words,) the row of each word.
        count: The number of rows.
    """
    rows = rows[words.is_valid().to_numpy(zero_copy_only=False)]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int32)
    in_order = words.drop_null().take(pa.array(np.argsort(rows, kind="stable")))
    return pa.ListArray.from_arrays(pa.array(offsets), in_order)


def name_of(file: Path, what: NameOf) -> str:
    """Return the name of a file without its endings, or of the folder that contains it."""
    path = path_within(file.address) if isinstance(file, LocalCopy) else file.absolute()
    if what == "folder_name":
        return path.parent.name
    ending, packed = endings(path)
    return path.name[: len(path.name) - len(ending) - len(packed)]


def _votes(words: pa.Array, label: LabelColumn) -> pa.Array:
    """Return the labels of words, null for a missing one."""
    return without_aliases(without_words(words, label.missing), label)
