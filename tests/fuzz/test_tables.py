"""A damaged table is refused with a `DataError`, or is read."""

import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_builder import Source
from datasets_builder.sources import open_tables
from modeling_multitask.errors import DataError
from tests.fuzz.damage import damaged_bytes, fuzzed, refusal
from tests.workbooks import write_workbook

ROWS = [
    {"text": "the film", "topic": "film", "stars": 2.5},
    {"text": 'good "soup", and\nmore', "topic": None, "stars": None},
    {"text": "中文 naïve 🙂", "topic": "food", "stars": -1.0},
]


def _csv(path: Path, delimiter: str = ",") -> None:
    lines = [list(ROWS[0]), *([str(each or "") for each in row.values()] for row in ROWS)]
    cells = (['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines)
    path.write_text("\n".join(delimiter.join(line) for line in cells), encoding="utf-8")


def _arrow(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    table = table.set_column(1, "topic", table["topic"].dictionary_encode())
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE rows (text, topic, stars)")
        connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", [list(row.values()) for row in ROWS])


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", "\n".join(map(json.dumps, ROWS)))


def _label_studio(path: Path) -> None:
    made = {"was_cancelled": False, "result": [{"from_name": "m", "type": "choices", "value": {"choices": ["x"]}}]}
    path.write_text(json.dumps([{"id": 1, "data": {"text": "a"}, "annotations": [made]}]), encoding="utf-8")


def _argilla(path: Path) -> None:
    answers = {"mood": [{"value": "good", "user_id": "u"}]}
    path.write_text(json.dumps([{"fields": {"text": "a"}, "responses": answers}]), encoding="utf-8")


WRITERS: dict[str, Callable[[Path], object]] = {
    ".csv": _csv,
    ".tsv": lambda path: path.write_text("text\ttopic\tstars\nthe film\tfilm\t2.5\nsoup\t\t\n", encoding="utf-8"),
    ".jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8"),
    ".json": lambda path: path.write_text(json.dumps(ROWS), encoding="utf-8"),
    ".parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    ".arrow": _arrow,
    ".columns.json": lambda path: path.write_text(json.dumps({"text": {"0": "a"}, "topic": {"0": "x"}})),
    ".txt": lambda path: path.write_text("the film\n\n中文 naïve 🙂\n", encoding="utf-8"),
    ".utf16.csv": lambda path: path.write_text("text,topic\nthe film,film\nsoup,\n", encoding="utf-16"),
    ".csv.gz": lambda path: path.write_bytes(gzip.compress(b"text,topic\nthe film,film\nsoup,\n")),
    ".zip": _zip,
    ".xlsx": lambda path: write_workbook(path, rows=[list(ROWS[0]), *(list(row.values()) for row in ROWS)]),
    ".sqlite": _sqlite,
    ".label_studio.json": _label_studio,
    ".argilla.json": _argilla,
}
WORDS = {
    ".utf16.csv": {"encoding": "utf-16"},
    ".label_studio.json": {"format": "label_studio"},
    ".argilla.json": {"format": "argilla"},
}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, found = tmp_path_factory.mktemp("tables"), {}
    for ending, write in WRITERS.items():
        write(folder / f"rows{ending}")
        found[ending] = (folder / f"rows{ending}").read_bytes()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("ending", WRITERS)
@fuzzed
@given(data=st.data())
def test_a_damaged_table_is_refused(
    data: st.DataObject, ending: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / f"rows{ending}"
    path.write_bytes(data.draw(damaged_bytes(contents[ending])))

    said = refusal(lambda: read(path, WORDS.get(ending, {})), DataError)

    assert said is None or str(path) in said


def read(path: Path, words: dict[str, Any]) -> None:
    for table in open_tables(Source(str(path), **words)):
        for chunk in table.read(table.columns):
            chunk.to_pylist()
