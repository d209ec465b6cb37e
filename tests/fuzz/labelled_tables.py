"""A small table with labels in every format that is read, for damage."""

import bz2
import csv
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from datasets_builder import LabelColumn
from tests import annotation_exports as exports
from tests.workbooks import write_open_document, write_workbook

LABELS = ["film", "phone", "restaurant"]  # of different lengths, and none is the beginning of another
COLUMNS = ["text", "topic", "tone"]
# Nobody reads the last column. If its words move to `topic`, they are no labels.
ROWS: list[tuple[str, str | None, str]] = [
    ("the plot was thin", "film", "cold"),
    ('good "soup", and\nmore of it', None, "warm"),
    ("中文 naïve 🙂", "restaurant", "warm"),
    ("a screen; broken", "phone", ""),
    ("soup and bread; hot", "restaurant", "cold"),
    ("never again", None, "warm"),
    ("two hours too long", "film", "warm"),
]
EXPORTED = [exports.Labelled(text, topic) for text, topic, _ in ROWS]


class Format(NamedTuple):
    """How the rows become the content of a file, and the words of the source that reads it."""

    ending: str
    content: Callable[[], bytes]
    words: dict[str, Any] = {}  # noqa: RUF012, never changed


def as_csv(rows: Iterable[Iterable[Any]] = (COLUMNS, *ROWS), **how: Any) -> bytes:
    file = io.StringIO()
    csv.writer(file, **{"lineterminator": "\n"} | how).writerows(rows)
    return file.getvalue().encode()


def as_json_lines(objects: Iterable[Any]) -> bytes:
    return "\n".join(json.dumps(each, ensure_ascii=False) for each in objects).encode()


def as_json(value: Any, indent: int | None = None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


def objects() -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


def columns() -> dict[str, dict[str, Any]]:
    return {name: {str(i): row[name] for i, row in enumerate(objects())} for name in COLUMNS}


def as_parquet(**how: Any) -> bytes:
    """The checksums show damage within a page, which would else move the labels of a column to other rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(objects()), sink, write_page_checksum=True, **how)
    return sink.getvalue().to_pybytes()


def as_arrow(open_writer: Callable[[Any, pa.Schema], Any]) -> bytes:
    table, sink = pa.Table.from_pylist(objects()), pa.BufferOutputStream()
    with open_writer(sink, table.schema) as file:
        file.write_table(table)
    return sink.getvalue().to_pybytes()


def as_sqlite() -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.execute("CREATE TABLE rows (text, topic, tone)")
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", ROWS)
        connection.commit()
        return connection.serialize()


def as_zip(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def as_zst(content: bytes) -> bytes:
    """Compress as the command `zstd` does: with a checksum at the end, which pyarrow does not write."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(content)
    frame = bytearray(sink.getvalue().to_pybytes())
    frame[4] |= 4  # the flag of the checksum
    return bytes(frame) + xxhash.xxh64(content).digest()[:3:-1]


def written(write: Callable[[Path, Any], object], ending: str) -> Callable[[], bytes]:
    def content() -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"rows{ending}"
            write(path, [COLUMNS, *ROWS])
            return path.read_bytes()

    return content


ACCEPT = {"topic": "accept"}
LABEL = {"topic": "label"}
TEXT_FORMATS: dict[str, Format] = {
    "csv": Format(".csv", as_csv),
    "csv, all quoted": Format(".csv", lambda: as_csv(quoting=csv.QUOTE_ALL, lineterminator="\r\n")),
    "csv, multi-line": Format(".csv", as_csv, {"quoting": "minimal"}),
    "csv without a header": Format(".csv", lambda: as_csv(ROWS), {"header": False, "columns": COLUMNS}),
    "semicolons": Format(".csv", lambda: as_csv(delimiter=";"), {"delimiter": ";"}),
    "utf-16": Format(
        ".csv", lambda: as_csv(delimiter="\t").decode().encode("utf-16"), {"delimiter": "tab", "encoding": "utf-16"}
    ),
    "tsv": Format(".tsv", lambda: as_csv(delimiter="\t")),
    "lines": Format(
        ".txt",
        lambda: "\n".join(text.replace("\n", " ") for text, _, _ in ROWS).encode(),
        {"labels": {"topic": LabelColumn(constant="film")}},
    ),
    "json lines": Format(".jsonl", lambda: as_json_lines(objects())),
    "json lists in lines": Format(".jsonl", lambda: as_json_lines(ROWS), {"header": False, "columns": COLUMNS}),
    "json": Format(".json", lambda: as_json(objects())),
    "json, indented": Format(".json", lambda: as_json(objects(), indent=2)),
    "json, values": Format(".json", lambda: as_json(ROWS), {"header": False, "columns": COLUMNS}),
    "json, columns": Format(".json", lambda: as_json(columns())),
    "json, index": Format(".json", lambda: as_json({str(i): row for i, row in enumerate(objects())})),
    "json, split": Format(".json", lambda: as_json({"columns": COLUMNS, "index": [*range(len(ROWS))], "data": ROWS})),
    "label studio": Format(".json", lambda: as_json(exports.label_studio(EXPORTED)), {"format": "label_studio"}),
    "label studio, json-min": Format(
        ".json", lambda: as_json(exports.label_studio_min(EXPORTED)), {"format": "label_studio"}
    ),
    "label studio, csv": Format(
        ".csv", lambda: exports.label_studio_csv(EXPORTED).encode(), {"format": "label_studio"}
    ),
    "doccano": Format(
        ".jsonl", lambda: as_json_lines(exports.doccano(EXPORTED)), {"format": "doccano", "labels": LABEL}
    ),
    "doccano, csv": Format(
        ".csv",
        lambda: exports.doccano_csv(EXPORTED).encode(),
        {"format": "doccano", "labels": LABEL},
    ),
    "prodigy": Format(
        ".jsonl", lambda: as_json_lines(exports.prodigy(EXPORTED)), {"format": "prodigy", "labels": ACCEPT}
    ),
    "argilla": Format(".json", lambda: as_json(exports.argilla(EXPORTED)), {"format": "argilla"}),
}
BINARY_FORMATS: dict[str, Format] = {
    "gz": Format(".csv.gz", lambda: gzip.compress(as_csv())),
    "bz2": Format(".jsonl.bz2", lambda: bz2.compress(as_json_lines(objects()))),
    "xz": Format(".csv.xz", lambda: lzma.compress(as_csv())),
    "zst": Format(".json.zst", lambda: as_zst(as_json(objects()))),
    "zip": Format(".csv.zip", lambda: as_zip("rows.csv", as_csv())),
    "parquet": Format(".parquet", as_parquet),
    "parquet without a dictionary": Format(".parquet", lambda: as_parquet(use_dictionary=False, compression="zstd")),
    "arrow": Format(".arrow", lambda: as_arrow(pa.ipc.new_file)),
    "arrow stream": Format(".arrow", lambda: as_arrow(pa.ipc.new_stream)),
    "sqlite": Format(".sqlite", as_sqlite),
    "xlsx": Format(".xlsx", written(lambda path, rows: write_workbook(path, Rows=rows), ".xlsx")),
    "ods": Format(".ods", written(write_open_document, ".ods")),
}
