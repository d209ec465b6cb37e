"""Tables whose rows are objects, such as JSON lines."""

import abc
import json
from collections.abc import Iterator
from typing import IO, Any, ClassVar

import numpy as np
import pyarrow as pa

from datasets_builder.byte_blocks import IrregularError
from datasets_builder.chunks import UNFIT, first_unfit
from datasets_builder.json_blocks import kinds_of, objects_in_blocks, plain_columns
from datasets_builder.nested import value_at
from datasets_builder.tables import CHUNK_ROWS, FileTable, Lines
from datasets_builder.text_tables import BlockTable, without_nul
from modeling_multitask.errors import DataError

_KINDS = {str: "a text", float: "a number", bool: "true or false", list: "a list", dict: "an object"}

_LISTS = "for rows that are lists, add `header: false` and `columns` to this source"

Objects = Iterator[tuple[int, dict[str, Any]]]


class ObjectTable(FileTable):
    """A table of objects. A name that an object lacks is null in its row.

    Raises:
        DataError: If the values of a column have several types, such as strings and numbers.
    """

    holds_objects = True
    unit: ClassVar[str] = "line"  # of the numbers in messages

    @abc.abstractmethod
    def objects(self) -> Objects:
        """Yield each row as a dict by column, with its line in the file or its number."""

    def _columns(self) -> list[str]:
        # A name may occur only in the last row, so all rows are read.
        names: dict[str, None] = {}
        count = 0
        for _, row in self.objects():
            names.update(dict.fromkeys(row))
            count += 1
        if count == 0:
            raise DataError(f"{self.path}: no rows")
        return list(names)

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines | None]]:
        kinds: dict[str, tuple[int, type]] = {}
        rows: list[list[Any]] = []
        lines: list[int] = []
        absent = {name for name in columns if name not in self.columns}  # paths that no row has had so far
        paths = frozenset(absent)
        for line, row in self.objects():
            cells = []
            for name in columns:
                found, value = value_at(row, name) if name in paths else (True, row.get(name))
                value = None if value != value else value  # NaN, which Python writes for a gap, also among texts
                self._check_kind(line, name, value, kinds)
                cells.append(value)
                if found:
                    absent.discard(name)
            rows.append(cells)
            lines.append(line)
            if len(rows) == CHUNK_ROWS:
                yield self._table(columns, rows, lines), lines
                rows, lines = [], []
        if absent:
            there = ", ".join(map(repr, self.columns))
            raise DataError(f"{self.path}: no row has the path {min(absent)!r}; the columns are {there}")
        if rows:
            yield self._table(columns, rows, lines), lines

    def _check_kind(self, line: int, name: str, value: Any, kinds: dict[str, tuple[int, type]]) -> None:
        if value is None:
            return
        kind = float if type(value) is int else type(value)
        first, expected = kinds.setdefault(name, (line, kind))
        if kind is not expected:
            raise DataError(
                f"{self.path}, {self.unit} {line}, column {name!r}: {value!r} is {_KINDS.get(kind, kind.__name__)}, "
                f"but {self.unit} {first} has {_KINDS.get(expected, expected.__name__)}"
            )

    def _table(self, columns: list[str], rows: list[list[Any]], lines: list[int]) -> pa.Table:
        arrays = []
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            try:
                arrays.append(pa.array(values))
            except UNFIT as error:
                line = lines[first_unfit(values)]
                raise DataError(
                    f"{self.path}, {self.unit} {line}, column {name!r}: a value that a table cannot hold ({error})"
                ) from None
        return pa.table(arrays, names=columns)


class JsonLinesTable(BlockTable, ObjectTable):
    """A file with one JSON object in each line, or one list of the values of `columns`."""

    def _columns(self) -> list[str]:
        try:
            with self._utf_8() as file:
                names = [name for objects, _ in self._in_blocks(file) for name in objects.column_names]
        except (IrregularError, UnicodeError):
            names = []
        return list(dict.fromkeys(names)) or super()._columns()

    def _regular_chunks(self, columns: list[str], file: IO[bytes]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        if not set(columns) <= set(self.columns):
            raise IrregularError  # paths into objects
        kinds: dict[str, list[str]] = {}
        for objects, lines in self._in_blocks(file):
            chunk = plain_columns(objects, columns)
            for name in columns:
                own = kinds_of(chunk[name])
                before = kinds.setdefault(name, own)
                if any(one != other for one, other in zip(own, before, strict=False)):
                    raise IrregularError
                kinds[name] = max(own, before, key=len)
            yield chunk, lines

    def _in_blocks(self, file: IO[bytes]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        if not self._has_object_in_each_line():
            raise IrregularError
        return objects_in_blocks(file)

    def _has_object_in_each_line(self) -> bool:
        return self.layout.columns is None  # which names the values of rows that are lists

    def objects(self) -> Objects:
        """Yield the object of each line that is not blank."""
        with self._text(newline="\n") as file:
            for line, text in enumerate(without_nul(file, self.path), start=1):
                if text.strip():
                    yield line, self._object(line, text)

    def _object(self, line: int, text: str) -> dict[str, Any]:
        try:
            row = json.loads(text, object_pairs_hook=unique_names)
        except DoubledNameError as error:
            raise DataError(f"{self.path}, line {line}: {error}") from None
        except (ValueError, RecursionError) as error:
            must = "each line must be one object"
            if text.lstrip().startswith("["):
                must = "it seems to be a JSON array; add `format: json` to this source"
            reason = getattr(error, "msg", error)
            raise DataError(f"{self.path}, line {line}: not JSON ({reason}); {must}") from None
        array = "; for a JSON array, add `format: json` to this source" if isinstance(row, list) else ""
        return self._named(f"line {line}", row, f"not a JSON object with a name for each value{array}")

    def _named(self, where: str, row: Any, otherwise: str) -> dict[str, Any]:
        """Return a row as an object. A list is one with the names of `columns`.

        Args:
            where: The location of the row, for messages.
            row: The row, any value of JSON.
            otherwise: The problem of a row that is no object, without `columns`.
        """
        names = self.layout.columns
        if names is None:
            if isinstance(row, dict):
                return row
            hint = f"; {_LISTS}" if isinstance(row, list) else ""
            raise DataError(f"{self.path}, {where}: {otherwise}{hint}")
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(f"{self.path}, {where}: {short(row)} is not a list of {len(names)} values, as in `columns`")
        return dict(zip(names, row, strict=True))


class DoubledNameError(ValueError):
    """A name occurs twice in an object."""


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object with these names and values, for `json.loads`.

    Raises:
        DoubledNameError: If a name occurs twice.
    """
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise DoubledNameError(f"{doubled!r} occurs more than once")
    return dict(pairs)


def short(value: Any) -> str:
    """Return the beginning of a value as JSON, for messages."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."
