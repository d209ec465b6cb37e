"""How a table is written in its file is found: encoding, delimiter, quotes, header, and lines above it."""

import csv
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import DataError
from datasets_builder.guess_layout import guess_layouts, names_columns
from tests.workbooks import write_workbook

TEXTS = ["Grün, klar; schön", 'She said "no" at once', "Wer zahlt die 12 €?", "plain", "Où est-ce, déjà ?", "a | b"]
LABELS = ["gut", "schlecht", "gut", "mäßig", "gut", "gut"]


def words(path: Path) -> dict[str, Any]:
    """The words of the only guess."""
    (guess,) = guess_layouts(path)
    return guess.words


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.dat", "t.csv.gz"])
def test_the_delimiter_and_the_encoding_that_pandas_wrote_are_found(
    tmp_path: Path, name: str, delimiter: str, encoding: str
) -> None:
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS, "n": range(6)})
    frame.to_csv(tmp_path / name, sep=delimiter, encoding=encoding, index=False)

    found = words(tmp_path / name)

    own = "\t" if name == "t.tsv" else ","
    assert found.get("delimiter") == (None if delimiter == own else "tab" if delimiter == "\t" else delimiter)
    assert found.get("encoding") == (None if encoding.startswith("utf-8") else encoding)
    assert found.get("format") == ("csv" if name in ("t.txt", "t.dat") else None)
    assert not found.keys() & {"header", "skip_rows", "quoting"}


CELLS = st.text(st.sampled_from("ab ,;|\t\"'.é\n"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, st.sampled_from(["gut", "schlecht"])), min_size=5, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_whatever_the_texts_are_the_delimiter_is_found(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str, quoting: Any
) -> None:
    path = tmp_path_factory.mktemp("guess") / "t.csv"
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(path, sep=delimiter, index=False, quoting=quoting)

    found = words(path)

    assert found.get("delimiter") == {",": None, "\t": "tab"}.get(delimiter, delimiter)
    assert not found.keys() & {"header", "skip_rows"}


def test_utf_16_without_its_mark_is_found(tmp_path: Path) -> None:
    assert words(written(tmp_path, "t.csv", "text,label\na b,x\n".encode("utf-16-be"))) == {"encoding": "utf-16-be"}


def test_an_encoding_that_cannot_be_guessed_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", ("text,label\n" + "Лифт не работает,дом\n" * 4).encode("cp1251"))

    with pytest.raises(DataError, match="Add `encoding` with its encoding to this source, such as"):
        guess_layouts(path)


def test_a_first_row_of_values_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "17,My invoice is wrong.,billing\n18,No heat,access\n19,Late,billing\n")

    assert words(path) == {"header": False, "columns": ["column_1", "column_2", "column_3"]}


@pytest.mark.parametrize(
    ("first", "below", "expected"),
    [
        (["body", "kind"], [["hello there", "a"]], True),
        (["good", "it works"], [["good", "it fails"]], False),  # `good` is a value
        (["text", "good"], [["text", "good"]], True),  # a common name of a column decides
        (["3", "it works"], [["4", "it fails"]], False),
        (["2026-01-01", "works"], [["2026-01-02", "fails"]], False),
        (["https://a.b/c", "works"], [["https://a.b/d", "fails"]], False),
        (["It works!", "yes"], [["It fails!", "no"]], False),
        (["one two three four five six seven", "yes"], [["x", "no"]], False),
        (["", "works", "works"], [["0", "a", "b"]], True),  # an index, and a doubled name
        (["satz", "stimmung"], [], True),
    ],
)
def test_a_header_has_short_names_that_do_not_occur_below(
    first: list[str], below: list[list[str]], expected: bool
) -> None:
    assert names_columns(first, below) is expected


@pytest.mark.parametrize(
    ("above", "count"),
    [
        ("Export of the help desk\n", 1),
        ("Report\n\nfrom 2026; by hand\n", 3),
        ("Report;;\n;;\n", 2),
        ("\n\n", 2),
    ],
)
def test_lines_above_the_header_are_skipped(tmp_path: Path, above: str, count: int) -> None:
    rows = "".join(f"text {i};{'ab'[i % 2]};{i}\n" for i in range(5))
    path = written(tmp_path, "t.csv", f"{above}body;team;count\n{rows}")

    assert words(path) == {"delimiter": ";", "skip_rows": count}


def test_quotes_are_ordinary_characters_if_the_table_cannot_be_read_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, "t.tsv", 'kind\tmessage\nham\t"Back soon\nspam\tWin now\nham\t7" screen\n')

    assert words(path) == {"quoting": "none"}


def test_a_damaged_row_is_no_reason_for_another_layout(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "text,mood\nRuns,good\nToo heavy\nfor my bag,bad\nGood,good\nBad,bad\n")

    with pytest.raises(DataError, match=r"t\.csv, line 3: 1 cells, but the header has 2"):
        guess_layouts(path)


def test_one_column_has_no_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", 'text\n"Hi, there"\n"No; never"\n"a; b"\n')

    (guess,) = guess_layouts(path)

    assert guess.words == {}
    assert guess.found["delimiter"] == "none, because there is one column"


@pytest.mark.parametrize("name", ["t.txt", "t.dat"])
def test_lines_of_prose_are_texts(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, "Late, as ever\nGood, but dear\nNo, never\nYes, always\n")

    assert words(path) == ({"format": "txt"} if name == "t.dat" else {})


def test_a_comma_in_each_text_is_no_delimiter_if_there_is_another_one(tmp_path: Path) -> None:
    lines = [f"{'spam' if i % 2 else 'ham'}\tHello {i}, dear\n" for i in range(6)]
    path = written(tmp_path, "t.txt", "".join(lines))

    found = words(path)

    assert (found["format"], found["delimiter"], found["header"]) == ("csv", "tab", False)


def test_a_space_may_follow_each_delimiter(tmp_path: Path) -> None:
    assert words(written(tmp_path, "t.csv", "text, label\na b, x\nc d, y\ne f, x\n")) == {}


def test_cells_in_a_text_file_may_have_an_unusual_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path, "t.txt", 'It grew by 4 % .@positive\n"Nothing, really@neutral\nIt closed .@negative\n')

    found = words(path)

    assert (found["format"], found["delimiter"], found["header"], found["quoting"]) == ("csv", "@", False, "none")


def test_the_content_tells_the_format_of_a_file_without_an_ending(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    frame.to_parquet(tmp_path / "a")
    frame.to_json(tmp_path / "b", orient="records", lines=True)
    frame.to_csv(tmp_path / "c", index=False)

    assert [words(tmp_path / name) for name in "abc"] == [{"format": name} for name in ("parquet", "json", "csv")]


def test_json_lines_that_are_an_array_are_json(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps([{"text": "a"}]).encode()))

    assert words(path) == {"format": "json"}


def test_each_sheet_has_its_layout(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "t.xlsx", Read=[["Made by hand"]], Rows=[["Tickets"], ["body", "team"], ["No heat", "a"]]
    )

    assert [guess.words for guess in guess_layouts(path)] == [{"sheet": "Read"}, {"sheet": "Rows", "skip_rows": 1}]


def test_a_sheet_without_a_header_has_columns(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", Rows=[["No heat", "a"], ["Key lost", "b"], ["Late", "a"]])

    assert words(path) == {"header": False, "columns": ["column_1", "column_2"]}


def test_each_table_of_a_database_is_a_guess(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "t.sqlite") as connection:
        connection.execute("CREATE TABLE b (text)")
        connection.execute("CREATE TABLE a (text)")
    connection.close()

    assert [guess.words for guess in guess_layouts(tmp_path / "t.sqlite")] == [{"table": "a"}, {"table": "b"}]


@pytest.mark.parametrize(
    ("tool", "rows"),
    [
        ("label_studio", [{"id": 1, "data": {"text": "a"}, "annotations": []}]),
        ("label_studio", [{"text": "a", "id": 1, "mood": "x", "annotator": 1, "annotation_id": 7, "lead_time": 3.5}]),
        ("argilla", [{"fields": {"text": "a"}, "responses": {}, "suggestions": {}}]),
        ("prodigy", [{"text": "a", "label": "x", "_input_hash": 1, "_task_hash": 2, "answer": "accept"}]),
        ("doccano", [{"id": 1, "text": "a", "label": ["x"], "Comments": []}]),
        (None, [{"id": 1, "text": "a", "label": ["x"]}]),
        (None, [{"text": "a", "data": {"b": 1}, "answer": "accept"}]),
    ],
)
def test_the_export_of_an_annotation_tool_is_recognised(
    tmp_path: Path, tool: str | None, rows: list[dict[str, Any]]
) -> None:
    (tmp_path / "t.json").write_text(json.dumps(rows))

    assert words(tmp_path / "t.json").get("format") == tool


def test_a_csv_export_of_doccano_is_recognised(tmp_path: Path) -> None:
    path = written(tmp_path, "t.csv", "id,text,label,Comments\n1,No heat,cold#late,\n2,Late,late,\n")

    assert words(path) == {"format": "doccano"}


def test_an_archive_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path) -> None:
    pd.DataFrame({"text": TEXTS}).to_csv(tmp_path / "t.csv.zip", index=False)
    content = bytearray((tmp_path / "t.csv.zip").read_bytes())
    content[-6] += 5  # the place of the directory, from which that of the file is computed
    (tmp_path / "t.csv.zip").write_bytes(content)

    with pytest.raises(DataError, match=r"t\.csv\.zip: cannot be read"):
        guess_layouts(tmp_path / "t.csv.zip")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", r"missing\.csv: no such file; did you mean 'missed\.csv'"),
        ("t.xml", "XML is not supported"),
        ("t.parquet.gz", "not read from a compressed file"),
    ],
)
def test_a_path_that_is_no_table_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "missed.csv").write_text("text\na\n")
    if name != "missing.csv":
        (tmp_path / name).write_bytes(gzip.compress(b"<a/>"))

    with pytest.raises(DataError, match=message):
        guess_layouts(tmp_path / name)
