"""Random tables that csv, pandas and polars write are read back with every label in its place."""

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import DataError, MultiTaskBuilder, Source
from datasets_builder.sources import open_tables
from tests.workbooks import write_open_document

SEPARATORS = "".join([",;|\t", '"', "'", "\n", "\r", " ", "."])
TEXT = st.text(
    st.one_of(st.sampled_from(SEPARATORS), st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6).filter(lambda rows: any(map(any, rows)))
NUL_ROWS = st.lists(st.tuples(*2 * [TEXT | st.just("a\0b")]), min_size=1, max_size=6)
IN_XML = TEXT.map(lambda text: re.sub(r"[^\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "x", text))
XML_ROWS = st.lists(st.tuples(IN_XML, IN_XML), min_size=1, max_size=6).filter(
    lambda rows: "".join(map("".join, rows)).strip()
)
MARKS = st.sampled_from([",", ";", "|", "\t"])
quickly = settings(max_examples=60, deadline=None, database=None, derandomize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


def read(path: Path, **words: Any) -> list[tuple[Any, ...]]:
    (opened,) = open_tables(Source(str(path), labels={"topic": "topic"}, **words))
    cells = pa.concat_tables(opened.read(["text", "topic"]), promote_options="permissive")
    return [tuple(row.values()) for row in cells.to_pylist()]


@quickly
@given(
    rows=ROWS,
    mark=MARKS,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_csv_in_any_dialect_is_read_back(
    folder: Path, rows: Any, mark: str, quoting: Any, end: str, encoding: str
) -> None:
    # Python 3.11 quotes a line break in a cell only if it is a part of the line end.
    quoting = csv.QUOTE_ALL if quoting == csv.QUOTE_MINIMAL and end != "\r\n" else quoting
    with (folder / "t.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=mark, quoting=quoting, lineterminator=end).writerows([("text", "topic"), *rows])

    assert read(folder / "t.csv", delimiter=mark, encoding=encoding, quoting="minimal") == rows


@quickly
@given(rows=ROWS, mark=MARKS)
def test_without_a_word_on_quotes_csv_is_read_back_or_refused(folder: Path, rows: Any, mark: str) -> None:
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=mark).writerows([("text", "topic"), *rows])
    (folder / "t.csv").write_text(content.getvalue(), encoding="utf-8", newline="")

    try:
        assert read(folder / "t.csv", delimiter=mark) == rows
    except DataError as error:
        assert "`quoting: minimal` if it is one row" in str(error)  # noqa: PT017, both outcomes are right


@quickly
@given(rows=ROWS, mark=MARKS)
def test_lines_without_quoting_are_read_as_they_are(folder: Path, rows: Any, mark: str) -> None:
    plain = [tuple(cell.translate(dict.fromkeys(map(ord, f"{mark}\n\r\f\v"))) for cell in row) for row in rows]
    lines = "\n".join(mark.join(row) for row in [("text", "topic"), *plain])
    (folder / "t.csv").write_text(lines, encoding="utf-8", newline="")

    assert read(folder / "t.csv", delimiter=mark, quoting="none") == plain


@quickly
@given(rows=ROWS, mark=MARKS, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE]))
def test_escaped_csv_gives_no_row_another_label(folder: Path, rows: Any, mark: str, quoting: Any) -> None:
    # There is no word for an escape character, so texts may keep it.
    labelled = [(f"text {text}", "film" if number % 2 else "food") for number, (text, _) in enumerate(rows)]
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=mark, quoting=quoting, doublequote=False, escapechar="\\")
        writer.writerows([("text", "topic"), *labelled])
    topic = {"name": "topic", "problem_type": "single_label_classification", "labels": ["food", "film"]}
    source = Source(str(folder / "t.csv"), delimiter=mark, quoting="none" if quoting == csv.QUOTE_NONE else "minimal")

    try:
        builder = MultiTaskBuilder(tasks=[topic], train=[source], cache_dir=str(folder / "cache"))
        builder.download_and_prepare()
    except DataError as error:
        assert str(folder / "t.csv") in str(error)  # noqa: PT017, both outcomes are right
    else:
        assert builder.as_dataset()["train"]["topic"][:] == [number % 2 for number in range(len(rows))]


@quickly
@given(rows=ROWS, orient=st.sampled_from(["records", "columns", "index", "split", "table"]), lines=st.booleans())
def test_json_of_pandas_is_read_back(folder: Path, rows: Any, orient: Any, lines: bool) -> None:
    frame = pd.DataFrame(rows, columns=["text", "topic"])
    frame.to_json(folder / "t.json", orient="records" if lines else orient, lines=lines, force_ascii=False)

    assert read(folder / "t.json") == rows


@quickly
@given(rows=NUL_ROWS, lines=st.booleans())
def test_lists_of_json_are_read_back_with_the_names_of_their_values(folder: Path, rows: Any, lines: bool) -> None:
    path = folder / ("t.jsonl" if lines else "t.json")
    written = "\n".join(map(json.dumps, rows)) if lines else pd.DataFrame(rows).to_json(orient="values")
    path.write_text(written, encoding="utf-8")

    assert read(path, header=False, columns=["text", "topic"]) == rows


@quickly
@given(rows=ROWS, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_arrays_of_json_are_read_back(folder: Path, rows: Any, indent: int | None, ascii_only: bool) -> None:
    written = json.dumps([{"text": a, "topic": b} for a, b in rows], indent=indent, ensure_ascii=ascii_only)
    (folder / "t.json").write_text(written, encoding="utf-8", newline="")

    assert read(folder / "t.json") == rows


@quickly
@given(rows=NUL_ROWS, kind=st.sampled_from(["parquet", "arrow", "sqlite"]))
def test_files_that_hold_every_character_are_read_back(folder: Path, rows: Any, kind: str) -> None:
    path = folder / f"t.{kind}"
    if kind == "sqlite":
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE rows (text, topic)")
            connection.executemany("INSERT INTO rows VALUES (?, ?)", rows)
    else:
        frame = pl.DataFrame(rows, schema=["text", "topic"], orient="row")
        {"parquet": frame.write_parquet, "arrow": frame.write_ipc}[kind](path)

    assert read(path) == rows


@quickly
@given(rows=XML_ROWS)
def test_an_open_document_is_read_back(folder: Path, rows: Any) -> None:
    path = write_open_document(folder / "t.ods", [("text", "topic"), *rows])

    assert read(path) == [row for row in rows if "".join(row).strip()]


@quickly
@given(rows=ROWS, kind=st.sampled_from(["csv", "jsonl", "json"]))
def test_files_of_polars_are_read_back(folder: Path, rows: Any, kind: str) -> None:
    frame = pl.DataFrame(rows, schema=["text", "topic"], orient="row")
    path = folder / f"t.{kind}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "json": frame.write_json}[kind](path)

    found = read(path, **({"quoting": "minimal"} if kind == "csv" else {}))

    assert found == rows
