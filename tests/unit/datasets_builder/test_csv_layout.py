"""CSV files with other delimiters, headers, quotes and decimal marks, and files of lines."""

import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table


def table(folder: Path, content: str, name: str = "t.csv", numbers: tuple[str, ...] = (), **words: Any) -> Table:
    (folder / name).write_bytes(content.encode())
    (opened,) = open_tables(Source(str(folder / name), **words), numbers=numbers)
    return opened


def read(*given: Any, **words: Any) -> dict[str, list[Any]]:
    opened = table(*given, **words)
    return pa.concat_tables(opened.read(opened.columns)).to_pydict()


def lines(opened: Table) -> list[int]:
    return [line for rows in opened.read_rows(opened.columns) for line in rows.lines.tolist()]


@pytest.mark.parametrize("mark", [";", "|", "@", "~", "\t", " "])
def test_any_character_separates_cells(tmp_path: Path, mark: str) -> None:
    content = f'text{mark}topic\n"a{mark}b"{mark}film\n'

    assert read(tmp_path, content, delimiter=mark) == {"text": [f"a{mark}b"], "topic": ["film"]}


def test_the_delimiter_tab_is_a_word(tmp_path: Path) -> None:
    assert read(tmp_path, "text\ttopic\na\tfilm\n", delimiter="tab") == {"text": ["a"], "topic": ["film"]}


def test_the_columns_of_a_table_without_a_header_are_given(tmp_path: Path) -> None:
    assert read(tmp_path, "a,film\nb,food\n", header=False, columns=["text", "topic"])["topic"] == ["film", "food"]


def test_too_many_cells_without_a_header_are_counted_against_the_columns(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="line 1: 3 cells, but `columns` has 2; a cell that contains the separator must"
    ):
        read(tmp_path, "a,film,x\n", header=False, columns=["text", "topic"])


def test_an_empty_file_without_a_header_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv: no rows$"):
        read(tmp_path, "", header=False, columns=["text"])


def test_skipped_lines_are_not_read_but_counted(tmp_path: Path) -> None:
    opened = table(tmp_path, '# "a report\n\ntext,topic\na,film\n\n"b\nc",food\nd,film\n', skip_rows=2)

    assert lines(opened) == [4, 6, 8]


def test_a_file_that_ends_within_the_skipped_lines_is_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the file is empty below the 5 skipped rows"):
        read(tmp_path, "text\na\n", skip_rows=5)


def test_a_blank_first_line_says_how_to_skip_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1 is blank; the first line must name the columns. Add `skip_rows: 1`"):
        read(tmp_path, "\ntext\na\n")


@pytest.mark.parametrize("blank", ["", ",", ",,,,", "   ", " , "])
def test_a_blank_line_is_no_row(tmp_path: Path, blank: str) -> None:
    assert read(tmp_path, f"text,topic,x\na,film,1\n{blank}\nb,food,2\n{blank}\n")["text"] == ["a", "b"]


def test_a_whole_row_of_empty_cells_is_kept_for_predictions(tmp_path: Path) -> None:
    assert read(tmp_path, "text,topic\na,film\n,\n") == {"text": ["a", ""], "topic": ["film", ""]}


def test_a_whole_row_of_empty_cells_is_skipped_in_training(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,topic\na,film\n,\n ,\n")
    (opened,) = open_tables(Source(str(tmp_path / "t.csv")), keep_empty=False)

    assert pa.concat_tables(opened.read(["text"])).to_pydict() == {"text": ["a", " "]}


def test_quotes_are_ordinary_characters_without_quoting(tmp_path: Path) -> None:
    assert read(tmp_path, '"a,film"\nb"","c\n', header=False, columns=["x", "y"], quoting="none") == {
        "x": ['"a', 'b""'],
        "y": ['film"', '"c'],
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", 'text\ttopic\n"a\tfilm\nb"\tfood\n'),
        ("t.tsv", 'text\ttopic\nfilm\t"a\nfood\tb\nfilm\tc"\n'),
        ("t.csv", 'text,topic\nfilm,"a\nfood,b"\n'),
    ],
)
def test_a_quote_that_merges_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    # P133
    with pytest.raises(
        DataError, match=r"line 2: a quoted cell contains line breaks and the separator.*`quoting: none`"
    ):
        read(tmp_path, content, name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'text,topic\n"Nice, but\nnot cheap",film\n'),
        ("t.csv", 'text,topic\nfilm,"Nice\nbut, well, dear"\n'),
        ("t.csv", 'text,topic\n"Late,\n\nthen broken",film\n'),
        ("t.csv", 'text,topic,x\na,"b,\nc",d\n'),
        ("t.tsv", 'text\ttopic\n"a\nb\nc"\tfilm\n'),
        ("t.csv", 'text\n"a\nb"\n'),
    ],
)
def test_a_quoted_text_of_several_lines_is_one_cell(tmp_path: Path, name: str, content: str) -> None:
    expected = next(
        iter(list(csv.reader(io.StringIO(content, newline=""), delimiter="\t" if "tsv" in name else ","))[1:])
    )

    assert [cells[0] for cells in read(tmp_path, content, name).values()] == expected


def test_a_row_that_looks_like_several_is_read_if_quoting_is_minimal(tmp_path: Path) -> None:
    assert read(tmp_path, 'text\ttopic\n"a\tb\nc\td"\tfilm\n', "t.tsv", quoting="minimal")["topic"] == ["film"]


def test_a_wrong_quote_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: not CSV .* add `quoting: none` to this source"):
        read(tmp_path, 'text,topic\n"a" b,film\n')


def test_a_short_row_suggests_a_line_break(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="line 2: 1 cells, but the header has 2; a line break within a cell must be quoted"
    ):
        read(tmp_path, "text,topic\nToo\nheavy,film\n")


def test_a_short_row_in_quotes_suggests_that_they_are_ordinary(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"line 2: 1 cells, but .* lacks cells; .* ordinary characters, add `quoting: none`"
    ):
        read(tmp_path, 'text,topic\n"a,film\nb,food"\n')


def test_the_numbers_of_a_column_have_a_decimal_comma(tmp_path: Path) -> None:
    content = 'text,stars\n"4,5","4,5"\n"1,2,3","-0,25"\nx,3\ny,\nz,n/a\n'

    assert read(tmp_path, content, numbers=("stars",), decimal=",") == {
        "text": ["4,5", "1,2,3", "x", "y", "z"],
        "stars": ["4.5", "-0.25", "3", "", "n/a"],
    }


def test_a_point_in_a_column_with_decimal_commas_is_refused(tmp_path: Path) -> None:
    # P134: 4.500 would be read as 4.5.
    with pytest.raises(
        DataError, match=r"line 2, column 'stars': '4\.500' contains a point, but `decimal` .* is a comma"
    ):
        read(tmp_path, "text;stars\na;4.500\n", numbers=("stars",), decimal=",", delimiter=";")


def test_columns_that_are_not_read_may_be_doubled_or_unnamed(tmp_path: Path) -> None:
    opened = table(tmp_path, ",text,note,note,\n0,a,x,y,\n")

    assert pa.concat_tables(opened.read(["text"])).to_pydict() == {"text": ["a"]}


def test_a_doubled_column_that_is_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the header names 'note' more than once"):
        list(table(tmp_path, "text,note,note\na,x,y\n").read(["text", "note"]))


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("t.csv", "text;topic\na;film\n", 'semicolons, but must be separated by commas. Add `delimiter: ";"` to this'),
        (
            "t.csv",
            'text\ttopic\ta"b,c"\na\tfilm\tx\n',
            "tabs, but must be separated by commas. Add `delimiter: tab` to",
        ),
        ("t.tsv", "text,topic\na,film\n", 'commas, but must be separated by tabs. Add `delimiter: ","` to this source'),
    ],
)
def test_the_error_names_the_delimiter_to_add(tmp_path: Path, name: str, content: str, word: str) -> None:
    with pytest.raises(DataError, match=word):
        list(table(tmp_path, content, name).read(["text"]))


def test_a_file_of_lines_has_one_text_in_each(tmp_path: Path) -> None:
    opened = table(tmp_path, 'a, "b\r\n\n \n\tc d\nlast', "t.txt")

    assert read(tmp_path, 'a, "b\r\n\n \n\tc d\nlast', "t.txt") == {"text": ['a, "b', "\tc d", "last"]}
    assert lines(opened) == [1, 4, 5]


def test_a_long_file_of_lines_is_read_in_chunks(tmp_path: Path) -> None:
    opened = table(tmp_path, "a\n" * 20_001, "t.txt")

    assert [len(chunk) for chunk in opened.read(["text"])] == [10_000, 10_000, 1]


def test_rows_of_json_lines_have_the_lines_of_the_file(tmp_path: Path) -> None:
    assert lines(table(tmp_path, '{"text": "a"}\n\n{"text": "b"}\n', "t.jsonl")) == [1, 3]


def test_rows_without_lines_are_counted_over_all_chunks() -> None:
    (opened,) = open_tables(Source(data={"text": ["a"] * 10_002}))

    assert lines(opened) == list(range(1, 10_003))


@pytest.mark.parametrize(
    ("name", "mark", "word"),
    [("t.csv", ";", 'delimiter: ";"'), ("t.csv", "\t", "delimiter: tab"), ("t.tsv", ",", 'delimiter: ","')],
)
def test_without_a_header_the_delimiter_to_add_is_named_as_well(
    tmp_path: Path, name: str, mark: str, word: str
) -> None:
    content = f'1{mark}"a{mark}b"{mark}film\n2{mark}b{mark}food\n'

    with pytest.raises(DataError, match=rf"line 1: one cell, but `columns` has 3; .* Add `{word}` to this source$"):
        read(tmp_path, content, name=name, header=False, columns=["id", "text", "topic"])


def test_a_row_that_lacks_cells_is_no_reason_for_another_delimiter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: 1 cells, but `columns` has 2; a line break within a cell"):
        read(tmp_path, "a,film\nb; c\n", header=False, columns=["text", "topic"])


@pytest.mark.parametrize(
    ("mark", "words"),
    [(",", "`format: csv`"), ("\t", "`format: csv` and `delimiter: tab`"), ("|", '`format: csv` and `delimiter: "|"`')],
)
def test_a_text_file_with_cells_names_the_words_to_add(tmp_path: Path, mark: str, words: str) -> None:
    opened = table(tmp_path, f"\ntext{mark}topic\na{mark}film\n", name="t.txt")

    with pytest.raises(DataError) as caught:
        opened.check_columns(["text", "topic"])

    assert str(caught.value).endswith(f" Add {words} to this source")


def test_a_text_file_without_cells_has_no_hint_of_a_delimiter(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"t\.txt: no column 'topic'; its columns are 'text'; `multitask data FILE` guesses"
    ):
        table(tmp_path, "a text\n", name="t.txt").check_columns(["topic"])
