"""The base classes of all tables, which have columns and are read in chunks of unchanged rows."""

import abc
import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from datasets import ClassLabel, Features, LargeList, List

from datasets_builder.chunks import with_names
from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import nearest_hint

CHUNK_ROWS = 10_000


class Table(abc.ABC):
    """A table. Its rows are numbered from 1 in messages.

    Args:
        name: Its name in messages.
    """

    emptiness: ClassVar[str] = "no rows"  # the message for a table that has columns but no rows

    def __init__(self, name: str) -> None:
        self.name = name

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
    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]: ...

    def _features(self) -> Features | None:
        return None

    def read(self, columns: list[str]) -> Iterator[pa.Table]:
        """Yield chunks with these columns. The ids of a `ClassLabel` are converted to names, missing ones to null.

        Raises:
            DataError: If the table lacks a column or cannot be read to its end.
        """
        self.check_columns(columns)
        row = 0
        for chunk in self._chunks(columns):
            yield with_names(chunk, self.features or {}, self.name, row)
            row += len(chunk)
        if row == 0:
            raise DataError(f"{self.name}: {self.emptiness}")

    def check_columns(self, required: Iterable[str]) -> None:
        """Raise a `DataError` that lists the table's columns, if a column is missing or occurs twice."""
        columns = self.columns
        if doubled := sorted(name for name, count in Counter(columns).items() if count > 1):
            raise DataError(f"{self.name}: the header names {', '.join(map(repr, doubled))} more than once")
        known = set(columns)
        for name in required:
            if name not in known:
                hint = self._separator_hint() or nearest_hint(name, columns)
                there = ", ".join(map(repr, columns))
                raise DataError(f"{self.name}: no column {name!r}; its columns are {there}{hint}")

    def class_names(self, column: str) -> list[str] | None:
        """Return the class names of a column, or the field names of a struct, or `None` if the table has none."""
        feature = (self.features or {}).get(column)
        if isinstance(feature, dict):
            return list(feature)
        feature = feature.feature if isinstance(feature, List | LargeList) else feature
        return list(feature.names) if isinstance(feature, ClassLabel) else None

    def _separator_hint(self) -> str:
        return ""


class FileTable(Table):
    """A table in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

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
