"""One source: a table file, checked row by row and read with every cell as it stands."""

import csv
import glob
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Features, Value, load_dataset

from modeling_multitask.configuration_multitask import nearest_hint

CHUNK_ROWS = 10_000
csv.field_size_limit(2**31 - 1)  # texts are as long as they are; Windows takes no more than this


class DataError(ValueError):
    """A table that cannot be read as the user said; the message names file, row and column."""


@dataclass(frozen=True)
class Source:
    """A CSV file and what its columns mean.

    Args:
        path: The file.
        text: The column that holds the text.
        labels: By task name, the column that holds its labels; for a multi-label task one column for each of
            its labels, with 0, 1 or nothing in each cell. Tasks that are not named have no labels here.
    """

    path: str
    text: str = "text"
    labels: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Every column that is read, the text's first."""
        named = [name for given in self.labels.values() for name in ([given] if isinstance(given, str) else given)]
        return list(dict.fromkeys([self.text, *named]))


def check_source(source: Source) -> None:
    """Reads the whole file once and raises on anything that would be read otherwise than it is written.

    The reader of `datasets` fills a short row up with nothing, which here would mean missing labels; so rows
    are counted before it sees them.

    Raises:
        DataError: If the file is missing, empty, not CSV, lacks a column, or has a row of another length
            than its header.
    """
    path = Path(source.path)
    if not path.is_file():
        raise DataError(f"{path}: no such file{_nearest_file(path)}")
    if path.suffix.lower() != ".csv":
        raise DataError(f"{path}: only .csv files can be read")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            _check_rows(path, csv.reader(file, strict=True), source.columns)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 (byte {error.start}: {error.reason})") from None


def read_source(source: Source) -> Iterator[pa.Table]:
    """Chunks of the file's own columns, all strings, an empty cell as the empty string.

    `NA`, `null`, `None` and `nan` are ordinary text; by default the reader would take them for nothing.
    """
    # The reader takes a path for a pattern, and calls a column without a name "Unnamed" and its number.
    header = [name or f"Unnamed: {i}" for i, name in enumerate(_header(source.path))]
    table = load_dataset(
        "csv",
        data_files=glob.escape(source.path),
        split="train",
        streaming=True,
        features=Features({name: Value("string") for name in header}),
        keep_default_na=False,
        encoding="utf-8-sig",
    )
    yield from table.select_columns(source.columns).with_format("arrow").iter(CHUNK_ROWS)


def fingerprint(sources: list[Source]) -> str:
    """A short hash of the sources' content and of how they are read; another one whenever any of that changes."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(repr((source.text, sorted(source.labels.items()))).encode())
        with Path(source.path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _check_rows(path: Path, rows: Any, columns: list[str]) -> None:
    try:
        header = next(rows, None)
        if header is None:
            raise DataError(f"{path}: the file is empty")
        if not header:
            raise DataError(f"{path}: line 1 is blank; the first line must name the columns")
        _check_header(path, header, columns)
        count = 0
        for row in rows:
            if row and len(row) != len(header):
                raise DataError(f"{path}, line {rows.line_num}: {len(row)} cells, but the header has {len(header)}")
            count += bool(row)
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: not CSV ({error})") from None
    if count == 0:
        raise DataError(f"{path}: a header, but no rows")


def _check_header(path: Path, header: list[str], columns: list[str]) -> None:
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(f"{path}: the header names {', '.join(map(repr, doubled))} more than once")
    for name in columns:
        if name not in header:
            hint = nearest_hint(name, header)
            if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
                hint = "; its columns must be separated by commas"
            raise DataError(f"{path}: no column {name!r}; its columns are {', '.join(map(repr, header))}{hint}")


def _header(path: str) -> list[str]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file))


def _nearest_file(path: Path) -> str:
    beside = [each.name for each in path.parent.glob("*")] if path.parent.is_dir() else []
    return nearest_hint(path.name, beside)
