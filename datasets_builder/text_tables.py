"""CSV, TSV and JSON lines files, checked while they are read.

They are read with Python's own parsers. The parsers of `datasets` fill short rows with missing labels, convert strings
to dates, and give no line numbers. The same parser checks and reads, so both always agree.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from datasets_builder.chunks import UNFIT, first_unfit
from datasets_builder.tables import CHUNK_ROWS, FileTable
from modeling_multitask.errors import DataError

csv.field_size_limit(2**31 - 1)  # the largest limit that Windows allows; texts may be long

_KINDS = {str: "a text", float: "a number", bool: "true or false", list: "a list", dict: "an object"}


class TextTable(FileTable):
    """A table in a UTF-8 text file."""

    @contextmanager
    def _in_utf8(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}{_undecodable(self.path)}: not UTF-8 text ({_why(error)})") from None


class CsvTable(TextTable):
    """A CSV file in UTF-8 with a header. Every cell is a string. An empty cell is the empty string."""

    delimiter: ClassVar[str] = ","
    emptiness = "a header, but no rows"

    def _columns(self) -> list[str]:
        header: list[str] | None = next((row for _, row in self._rows()), None)
        if header is None:
            raise DataError(f"{self.path}: the file is empty")
        if not header:
            raise DataError(f"{self.path}: line 1 is blank; the first line must name the columns")
        return header

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        header, cells = self.columns, []
        places = [header.index(name) for name in columns]
        rows = self._rows()
        next(rows)
        for line, row in rows:
            if not row:  # a blank line
                continue
            if row == header and len(header) > 1:
                raise DataError(f"{self.path}, line {line}: the header is repeated; were files concatenated?")
            if len(row) != len(header):
                raise DataError(
                    f"{self.path}, line {line}: {len(row)} cells, but the header has {len(header)}; "
                    "a cell that contains the separator must be quoted"
                )
            cells.append([row[place] for place in places])
            if len(cells) == CHUNK_ROWS:
                yield _strings(columns, cells)
                cells = []
        if cells:
            yield _strings(columns, cells)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self._readable(), self._in_utf8(), self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_without_nul(file, self.path), delimiter=self.delimiter, strict=True)
            line = 1  # the first line of a row, because an unclosed quote may include the lines below it
            try:
                for row in reader:
                    yield line, row
                    line = reader.line_num + 1
            except csv.Error as error:
                raise DataError(f"{self.path}, line {line}: not CSV ({error})") from None

    def _separator_hint(self) -> str:
        others = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
        found = [name for mark, name in others.items() if mark != self.delimiter and mark in self.columns[0]]
        if len(self.columns) > 1 or not found:
            return ""
        return f"; they seem to be separated by {found[0]}, but must be separated by {others[self.delimiter]}"


class TsvTable(CsvTable):
    """A TSV file, which is a CSV file with tabs between the cells."""

    delimiter = "\t"


class JsonLinesTable(TextTable):
    """A file with one JSON object in each line. A name that an object lacks is null in its row.

    Raises:
        DataError: If the values of a column have several types, such as strings and numbers.
    """

    def _columns(self) -> list[str]:
        # A name may occur only in the last line, so all lines are read.
        names: dict[str, None] = {}
        for _, row in self._rows():
            names.update(dict.fromkeys(row))
        return list(names)

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        kinds: dict[str, tuple[int, type]] = {}
        rows: list[list[Any]] = []
        lines: list[int] = []
        for line, row in self._rows():
            for name in columns:
                self._check_kind(line, name, row.get(name), kinds)
            rows.append([row.get(name) for name in columns])
            lines.append(line)
            if len(rows) == CHUNK_ROWS:
                yield self._table(columns, rows, lines)
                rows, lines = [], []
        if rows:
            yield self._table(columns, rows, lines)

    def _check_kind(self, line: int, name: str, value: Any, kinds: dict[str, tuple[int, type]]) -> None:
        if value is None:
            return
        kind = float if type(value) is int else type(value)
        first, expected = kinds.setdefault(name, (line, kind))
        if kind is not expected:
            raise DataError(
                f"{self.path}, line {line}, column {name!r}: {value!r} is {_KINDS[kind]}, "
                f"but line {first} has {_KINDS[expected]}"
            )

    def _table(self, columns: list[str], rows: list[list[Any]], lines: list[int]) -> pa.Table:
        arrays = []
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            try:
                arrays.append(pa.array(values))
            except UNFIT as error:
                line = lines[first_unfit(values)]
                raise DataError(
                    f"{self.path}, line {line}, column {name!r}: a value that a table cannot hold ({error})"
                ) from None
        return pa.table(arrays, names=columns)

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        count = 0
        with self._readable(), self._in_utf8(), self.path.open(encoding="utf-8-sig", newline="\n") as file:
            for line, text in enumerate(file, start=1):
                if text.strip():
                    yield line, self._object(line, text)
                    count += 1
        if count == 0:
            raise DataError(f"{self.path}: no rows")

    def _object(self, line: int, text: str) -> dict[str, Any]:
        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            names = [name for name, _ in pairs]
            if len(set(names)) < len(names):
                doubled = next(name for name in names if names.count(name) > 1)
                raise DataError(f"{self.path}, line {line}: {doubled!r} occurs more than once")
            return dict(pairs)

        try:
            row = json.loads(text, object_pairs_hook=unique)
        except DataError:
            raise
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise DataError(f"{self.path}, line {line}: not JSON ({reason}); each line must be one object") from None
        if not isinstance(row, dict):
            raise DataError(f"{self.path}, line {line}: not a JSON object with a name for each value")
        return row


def _strings(columns: list[str], rows: list[list[str]]) -> pa.Table:
    cells = zip(*rows, strict=True)
    return pa.table([pa.array(column, pa.string()) for column in cells], names=columns)


def _without_nul(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise DataError(f"{path}, line {number}: a NUL byte; the file is not text, or is UTF-16; it must be UTF-8")
        yield line


def _undecodable(path: Path) -> str:
    """Return `, line 3, byte 12` for the first byte that is not UTF-8."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for number, line in enumerate(file, start=1):
            if found := re.search("[\udc80-\udcff]", line):
                return f", line {number}, byte {len(line[: found.start()].encode())}"
    return ""


def _why(error: UnicodeDecodeError) -> str:
    return "it is UTF-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else error.reason
