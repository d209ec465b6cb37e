"""The base classes of all tables, which have columns and are read in chunks of unchanged rows."""

import abc
import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Features, LargeList, List

from datasets_builder.chunks import with_names
from datasets_builder.nested import feature_at, root_of
from datasets_builder.places import VoteRows
from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import nearest_hint

from .layout import Layout

CHUNK_ROWS = 10_000
Lines = Sequence[int] | np.ndarray  # of the rows of a chunk


class Rows(NamedTuple):
    """Some rows of a table.

    Args:
        chunk: The cells.
        numbers: (rows,) int64, the number of each row in the table, counted from 1.
        lines: (rows,) int64, the line of each row in the file, counted from 1.
        votes: By column, the rows of the votes in its lists, if these were rows of their own.
    """

    chunk: pa.Table
    numbers: np.ndarray
    lines: np.ndarray
    votes: Mapping[str, VoteRows] = MappingProxyType({})


class Table(abc.ABC):
    """A table. Its rows are numbered from 1 in messages.

    Wherever a column is named, a path such as `meta.team` leads into a column of objects, if the table can hold them.

    Args:
        name: Its name in messages.
    """

    holds_objects: ClassVar[bool] = False
    emptiness: ClassVar[str] = "no rows"  # the message for a table that has columns but no rows
    look_hint: ClassVar[str] = ""  # the way to find out how the table is written
    path: Path | None = None  # the file of its rows, if they are in one

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def advice(self) -> str:
        """A line to add to the errors in its cells. Empty if there is none."""
        return ""

    def notes(self) -> list[str]:
        """Return messages about its rows, once they have been read to the end."""
        return []

    @functools.cached_property
    def columns(self) -> list[str]:
        """The names of its columns.

        Raises:
            DataError: If the table cannot be opened or its columns have no names.
        """
        return self._columns()

    @functools.cached_property
    def features(self) -> Features | None:
        """The `datasets` features of the columns, if the table has them."""
        return self._features()

    def digest(self) -> str:
        """Return a hash of the content."""
        return self._digest()

    @abc.abstractmethod
    def _columns(self) -> list[str]: ...

    @abc.abstractmethod
    def _digest(self) -> str: ...

    @abc.abstractmethod
    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines | None]]:
        """Yield chunks with the lines of their rows, or `None` if the rows of the file have no lines."""

    def _features(self) -> Features | None:
        return None

    def read(self, columns: list[str]) -> Iterator[pa.Table]:
        """Yield chunks with these columns. The ids of a `ClassLabel` are converted to names, missing ones to null.

        Raises:
            DataError: If the table lacks a column or cannot be read to its end.
        """
        for rows in self.read_rows(columns):
            yield rows.chunk

    def read_rows(self, columns: list[str]) -> Iterator[Rows]:
        """Yield chunks as `read` does, each with the numbers and lines of its rows.

        A row that is broken over several lines has the line of the first one. Lines that are skipped count. The lines
        of a sheet are its rows. In other formats, lines are the numbers of the rows.

        Raises:
            DataError: If the table lacks a column or cannot be read to its end.
        """
        self.check_columns(columns)
        row = 0
        features = {name: self._feature(name) for name in columns}
        for chunk, lines in self._chunks(columns):
            numbers = np.arange(row + 1, row + len(chunk) + 1, dtype=np.int64)
            named = with_names(chunk, features, self.name, row)
            yield Rows(named, numbers, numbers if lines is None else np.array(lines, dtype=np.int64))
            row += len(chunk)
        if row == 0:
            raise DataError(f"{self.name}: {self.emptiness}")

    def check_columns(self, required: Iterable[str]) -> None:
        """Raise a `DataError` that lists the table's columns, if a required column is missing or occurs twice."""
        counts = Counter(self.columns)
        for name in required:
            within = root_of(name, self.columns) if self.holds_objects else None
            if counts[name] == 0 and within is None:
                hint = self._separator_hint(name) or nearest_hint(name, self.columns) or self.look_hint
                there = ", ".join(map(repr, self.columns))
                raise DataError(f"{self.name}: no column {name!r}; its columns are {there}{hint}")
            if counts[name] > 1:
                raise DataError(f"{self.name}: the header names {name!r} more than once")

    def class_names(self, column: str) -> list[str] | None:
        """Return the class names of a column, or the field names of a struct, or `None` if the table has none."""
        feature = self._feature(column)
        if isinstance(feature, dict):
            return list(feature)
        feature = feature.feature if isinstance(feature, List | LargeList) else feature
        return list(feature.names) if isinstance(feature, ClassLabel) else None

    def _feature(self, column: str) -> Any:
        return feature_at(self.features or {}, column)

    def _separator_hint(self, missing: str) -> str:  # noqa: ARG002
        return ""


class MadeTable(Table):
    """A table that is made of another one. It has the columns, notes and advice of the other one by default.

    A subclass reads its rows in `read_rows`.

    Args:
        table: The other table.
    """

    def __init__(self, table: Table) -> None:
        super().__init__(table.name)
        self.table = table
        self.path = table.path

    @property
    def advice(self) -> str:
        """The line to add to the errors in the cells of the other table."""
        return self.table.advice

    def notes(self) -> list[str]:
        """Return the messages about the rows of the other table."""
        return self.table.notes()

    @abc.abstractmethod
    def read_rows(self, columns: list[str]) -> Iterator[Rows]:
        """Yield chunks with these columns."""

    def _columns(self) -> list[str]:
        return self.table.columns

    def _features(self) -> Features | None:
        return self.table.features

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines | None]]:
        yield from ((rows.chunk, rows.lines) for rows in self.read_rows(columns))


class FileTable(Table):
    """A table in a file.

    Args:
        path: The file.
        layout: How the table is written in it.
    """

    path: Path
    look_hint = "; `multitask data FILE` guesses how a file is written, and prints a recipe for it"

    def __init__(self, path: Path, layout: Layout | None = None) -> None:
        super().__init__(str(path))
        self.path = path
        self.layout = layout or Layout()

    def _digest(self) -> str:
        with self._readable(), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = " ".join(str(error.strerror or error).split())  # Parquet errors have several lines
            raise DataError(f"{self.path}: cannot be read ({reason})") from error
