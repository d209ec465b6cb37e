"""Random tables that csv, pandas and polars write are read back with every label in its place."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables

SEPARATORS = "".join([",;|\t", '"', "'", "\n", "\r", " ", "."])
TEXT = st.text(
    st.one_of(st.sampled_from(SEPARATORS), st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6).filter(lambda rows: any(map(any, rows)))
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
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_csv_in_any_dialect_is_read_back(folder: Path, rows: Any, mark: str, quoting: Any, encoding: str) -> None:
    with (folder / "t.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=mark, quoting=quoting).writerows([("text", "topic"), *rows])

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
@given(rows=ROWS, orient=st.sampled_from(["records", "columns", "index", "split", "table"]), lines=st.booleans())
def test_json_of_pandas_is_read_back(folder: Path, rows: Any, orient: Any, lines: bool) -> None:
    frame = pd.DataFrame(rows, columns=["text", "topic"])
    frame.to_json(folder / "t.json", orient="records" if lines else orient, lines=lines, force_ascii=False)

    assert read(folder / "t.json") == rows


@quickly
@given(rows=ROWS, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_arrays_of_json_are_read_back(folder: Path, rows: Any, indent: int | None, ascii_only: bool) -> None:
    written = json.dumps([{"text": a, "topic": b} for a, b in rows], indent=indent, ensure_ascii=ascii_only)
    (folder / "t.json").write_text(written, encoding="utf-8", newline="")

    assert read(folder / "t.json") == rows


@quickly
@given(rows=ROWS, kind=st.sampled_from(["csv", "jsonl", "parquet"]))
def test_files_of_polars_are_read_back(folder: Path, rows: Any, kind: str) -> None:
    frame = pl.DataFrame(rows, schema=["text", "topic"], orient="row")
    path = folder / f"t.{kind}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind](path)

    found = read(path, **({"quoting": "minimal"} if kind == "csv" else {}))

    assert found == (rows)
