"""Tables of every format, read in chunks with each cell as it stands, and checked while they are read.

CSV and JSON lines are read by Python's own parsers, not by those of `datasets`: these fill short rows up with
missing labels, take strings for dates, and know no line numbers. One parser checks and reads, so the two cannot
disagree.
"""

import abc
import bisect
import codecs
import csv
import functools
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, Features, IterableDataset, LargeList, List

from modeling_multitask.configuration_multitask import nearest_hint

from .chunks import with_names
from .errors import DataError

CHUNK_ROWS = 10_000
csv.field_size_limit(2**31 - 1)  # texts are as long as they are; Windows takes no more than this


class Table(abc.ABC):
    """One table; its rows are numbered from 1 in messages.

    Args:
        name: How messages call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @functools.cached_property
    def columns(self) -> list[str]:
        """The names of its columns.

        Raises:
            DataError: If the table cannot be opened, or does not name its columns.
        """
        return self._columns()

    @functools.cached_property
    def features(self) -> Features | None:
        """What `datasets` knows of the columns, if the table brings that."""
        return self._features()

    def digest(self) -> str:
        """A hash of the content."""
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
        """Chunks with these columns; the ids of a `ClassLabel` come as its names, a missing one as null.

        Raises:
            DataError: If the table lacks a column or cannot be read to its end.
        """
        self.check_columns(columns)
        row = 0
        for chunk in self._chunks(columns):
            yield with_names(chunk, self.features or {}, self.name, row)
            row += len(chunk)

    def check_columns(self, wanted: Iterable[str]) -> None:
        """Raises a `DataError` that names the columns there are, if one is missing or named twice."""
        columns = self.columns
        if doubled := sorted({name for name in columns if columns.count(name) > 1}):
            raise DataError(f"{self.name}: the header names {', '.join(map(repr, doubled))} more than once")
        for name in wanted:
            if name not in columns:
                hint = self._separator_hint() or nearest_hint(name, columns)
                there = ", ".join(map(repr, columns))
                raise DataError(f"{self.name}: no column {name!r}; its columns are {there}{hint}")

    def class_names(self, column: str) -> list[str] | None:
        """The names of the column's classes, or of the positions of a struct, if the table says them."""
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
            reason = " ".join(str(error.strerror or error).split())  # those of Parquet have several lines
            raise DataError(f"{self.path}: cannot be read ({reason})") from error

    def _features_of(self, schema: pa.Schema) -> Features | None:
        try:
            return Features.from_arrow_schema(schema) if b"huggingface" in (schema.metadata or {}) else None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path}: what it says of its columns for datasets is not known ({error})") from None

    @contextmanager
    def _in_utf8(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}{_undecodable(self.path)}: not a text in UTF-8 ({_why(error)})") from None


class CsvTable(FileTable):
    """A CSV file in UTF-8, with a header; every cell is a string, and an empty one the empty string."""

    delimiter: ClassVar[str] = ","

    def _columns(self) -> list[str]:
        header: list[str] | None = next((row for _, row in self._rows()), None)
        if header is None:
            raise DataError(f"{self.path}: the file is empty")
        if not header:
            raise DataError(f"{self.path}: line 1 is blank; the first line must name the columns")
        return header

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        header, count, cells = self.columns, 0, []
        places = [header.index(name) for name in columns]
        rows = self._rows()
        next(rows)
        for line, row in rows:
            if not row:  # a blank line
                continue
            if row == header and len(header) > 1:
                raise DataError(f"{self.path}, line {line}: the header once more; were files put together?")
            if len(row) != len(header):
                raise DataError(
                    f"{self.path}, line {line}: {len(row)} cells, but the header has {len(header)}; "
                    "a cell with the separator in it must be quoted"
                )
            cells.append([row[place] for place in places])
            count += 1
            if len(cells) == CHUNK_ROWS:
                yield _strings(columns, cells)
                cells = []
        if cells:
            yield _strings(columns, cells)
        if count == 0:
            raise DataError(f"{self.path}: a header, but no rows")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self._readable(), self._in_utf8(), self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_without_nul(file, self.path), delimiter=self.delimiter, strict=True)
            line = 1  # where a row begins: an unclosed quote may take in the lines below it
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
        return f"; they seem to be separated by {found[0]}, and must be by {others[self.delimiter]}"


class TsvTable(CsvTable):
    """The same with tabs between the cells."""

    delimiter = "\t"


class JsonLinesTable(FileTable):
    """A file with one JSON object in each line; a name that an object lacks is null there.

    Raises:
        DataError: If the values of a column are of several kinds, such as strings and numbers.
    """

    def _columns(self) -> list[str]:
        # A name may come in the last line only, so that all are looked at.
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
                    f"{self.path}, line {line}, column {name!r}: what no table can hold ({error})"
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
                raise DataError(f"{self.path}, line {line}: {doubled!r} stands there more than once")
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


class ParquetTable(FileTable):
    """A Parquet file."""

    def _columns(self) -> list[str]:
        return list(self._schema().names)

    def _features(self) -> Features | None:
        return self._features_of(self._schema())

    def _schema(self) -> pa.Schema:
        with self._as_parquet(), pq.ParquetFile(self.path) as file:
            return file.schema_arrow

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        count = 0
        with self._as_parquet(), pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(CHUNK_ROWS, columns=columns):
                count += len(batch)
                yield pa.Table.from_batches([batch]).select(columns)
        if count == 0:
            raise DataError(f"{self.path}: no rows")

    @contextmanager
    def _as_parquet(self) -> Iterator[None]:
        try:
            with self._readable():
                yield
        except pa.ArrowException as error:
            raise DataError(f"{self.path}: not a whole Parquet file ({error})") from None


class ArrowTable(FileTable):
    """An Arrow file or stream, as `save_to_disk` of `datasets` leaves it."""

    def _columns(self) -> list[str]:
        return list(self._schema().names)

    def _features(self) -> Features | None:
        return self._features_of(self._schema())

    def _schema(self) -> pa.Schema:
        with self._opened() as (schema, _):
            return schema

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        count = 0
        with self._opened() as (_, batches):
            for batch in batches:
                for start in range(0, len(batch), CHUNK_ROWS):
                    yield pa.Table.from_batches([batch.slice(start, CHUNK_ROWS)]).select(columns)
                count += len(batch)
        if count == 0:
            raise DataError(f"{self.path}: no rows")

    @contextmanager
    def _opened(self) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        try:
            with self._readable(), pa.memory_map(str(self.path)) as memory:
                if memory.read(len(_ARROW_FILE)) == _ARROW_FILE:
                    file = pa.ipc.open_file(memory)
                    yield file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
                else:
                    memory.seek(0)
                    stream = pa.ipc.open_stream(memory)
                    yield stream.schema, iter(stream)
        except pa.ArrowException as error:
            raise DataError(f"{self.path}: not a whole Arrow file ({error})") from None


class LoadedTable(Table):
    """A `datasets` object, from memory or from the Hub.

    Args:
        name: How messages call it.
        rows: The rows.
    """

    def __init__(self, name: str, rows: Dataset | IterableDataset) -> None:
        super().__init__(name)
        self.rows = rows

    def _columns(self) -> list[str]:
        return list(self.rows.column_names or next(iter(self.rows), {}))

    def _features(self) -> Features | None:
        return self.rows.features

    def _digest(self) -> str:
        # What a stream will bring is not known: it is not to be found again.
        return str(self.rows._fingerprint) if isinstance(self.rows, Dataset) else uuid.uuid4().hex

    def _chunks(self, columns: list[str]) -> Iterator[pa.Table]:
        count = 0
        for chunk in self.rows.select_columns(columns).with_format("arrow").iter(CHUNK_ROWS):
            count += len(chunk)
            yield chunk.select(columns)
        if count == 0:
            raise DataError(f"{self.name}: no rows")


FORMATS: dict[str, type[FileTable]] = {
    ".csv": CsvTable,
    ".tsv": TsvTable,
    ".jsonl": JsonLinesTable,
    ".json": JsonLinesTable,
    ".parquet": ParquetTable,
    ".arrow": ArrowTable,
}

_ARROW_FILE = b"ARROW1"  # how an Arrow file begins, and a stream does not
_KINDS = {str: "a text", float: "a number", bool: "true or false", list: "a list", dict: "an object"}


def _strings(columns: list[str], rows: list[list[str]]) -> pa.Table:
    cells = zip(*rows, strict=True)
    return pa.table([pa.array(column, pa.string()) for column in cells], names=columns)


UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)  # what `pa.array` raises


def first_unfit(values: Sequence[Any]) -> int:
    """The place of the first value that cannot stand in one column with those before it."""
    return bisect.bisect_left(range(1, len(values)), True, key=lambda count: not fit(values[:count]))


def fit(values: Sequence[Any]) -> bool:
    """Whether the values can stand in one column."""
    try:
        pa.array(values, from_pandas=True)
    except UNFIT:
        return False
    return True


def _without_nul(lines: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise DataError(f"{path}, line {number}: a NUL byte; the file is not a text, or in UTF-16")
        yield line


def _undecodable(path: Path) -> str:
    """`, line 3, byte 12` of the first byte that is no UTF-8."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for number, line in enumerate(file, start=1):
            if found := re.search("[\udc80-\udcff]", line):
                return f", line {number}, byte {len(line[: found.start()].encode())}"
    return ""


def _why(error: UnicodeDecodeError) -> str:
    return "but in UTF-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else error.reason
