"""Sheets of workbooks: the cells as words, the chosen sheet, and damaged files."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table
from tests.workbooks import Typed, write_open_document, write_workbook

ROWS = [["text", "n"], [" a ", 1], ["b", 1.5], [None, None], ["c", Typed("b", "1")], [2024, Typed("e", "#N/A")]]


def table(path: Path, **words: Any) -> Table:
    (opened,) = open_tables(Source(str(path), **words))
    return opened


def read(path: Path, **words: Any) -> dict[str, list[Any]]:
    opened = table(path, **words)
    return pa.concat_tables(opened.read(opened.columns)).to_pydict()


def test_cells_are_words_and_whole_numbers_have_no_point(tmp_path: Path) -> None:
    # P135: a workbook has only floating-point numbers.
    assert read(write_workbook(tmp_path / "t.xlsx", One=ROWS)) == {
        "text": [" a ", "b", "c", "2024"],
        "n": ["1", "1.5", "true", ""],
    }


def test_the_lines_of_a_sheet_are_its_rows(tmp_path: Path) -> None:
    opened = table(write_workbook(tmp_path / "t.xlsx", One=ROWS))

    assert [rows.lines.tolist() for rows in opened.read_rows(["text"])] == [[2, 3, 5, 6]]


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", One=[["text"], ["a"]], Two=[["x"], ["text"], ["b"]])

    assert read(path, sheet="Two", skip_rows=1) == {"text": ["b"]}


def test_a_sheet_without_a_header_has_the_given_columns(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", One=[["a", 1], ["b", 2]])

    assert read(path, header=False, columns=["text", "n"]) == {"text": ["a", "b"], "n": ["1", "2"]}


def test_several_sheets_are_listed_if_none_is_chosen(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", One=ROWS, Two=ROWS)

    with pytest.raises(DataError, match=r"t\.xlsx: the workbook has several sheets \('One', 'Two'\). Add `sheet: One`"):
        read(path)


def test_an_unknown_sheet_is_an_error_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.xlsx: no sheet 'one'; its sheets are 'One'"):
        read(write_workbook(tmp_path / "t.xlsx", One=ROWS), sheet="one")


def test_a_workbook_without_sheets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.xlsx: the workbook has no sheets"):
        read(write_workbook(tmp_path / "t.xlsx"))


def test_an_empty_sheet_is_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file is empty"):
        read(write_workbook(tmp_path / "t.xlsx", One=[]))


@pytest.mark.parametrize("name", ["t.xlsx", "t.ods"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text,topic\na,film\n")

    with pytest.raises(DataError, match=rf"{name}: not a complete workbook \("):
        read(tmp_path / name)


@pytest.mark.parametrize("mark", ["tab", "line-break"])
def test_a_mark_that_the_reader_leaves_out_is_refused(tmp_path: Path, mark: str) -> None:
    # P146: calamine reads `batteryscreen`.
    path = write_open_document(tmp_path / "t.ods", [["text", "tags"], ["a", "battery|screen"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"|", f"<text:{mark}/>".encode()))

    with pytest.raises(DataError, match=rf"t\.ods: a cell contains a {mark.replace('-', ' ')}, which .* as \.xlsx"):
        read(path)


def test_an_open_document_has_the_spaces_and_paragraphs_of_its_cells(tmp_path: Path) -> None:
    path = write_open_document(tmp_path / "t.ods", [["text", "topic"], [" a  b\n\nc ", None], [None, None], ["d", "x"]])

    assert read(path) == {"text": [" a  b\n\nc ", "d"], "topic": ["", "x"]}


def test_a_long_sheet_is_read_in_chunks(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", One=[["text"], *([["a"]] * 10_001)])

    assert [len(chunk) for chunk in table(path).read(["text"])] == [10_000, 1]


def test_without_the_reader_of_workbooks_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_workbook(tmp_path / "t.xlsx", One=ROWS)
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(ImportError, match="python_calamine is not installed; it comes with the extra 'tables'"):
        read(path)
