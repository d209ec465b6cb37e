"""Sources: what is refused before it is read, and that every cell is read as it stands."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import check_source, fingerprint, read_source


def write(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Source:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source(str(path), labels={"topic": "topic"})


def cells(source: Source) -> dict[str, list[str]]:
    return pa.concat_tables(read_source(source)).to_pydict()


def test_a_missing_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "text,topic\na,film\n")

    with pytest.raises(DataError, match=r"review\.csv: no such file; did you mean 'reviews.csv'\?"):
        check_source(Source(str(tmp_path / "review.csv")))


def test_a_missing_file_with_no_name_near_it_is_an_error_without_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: no such file$"):
        check_source(Source(str(tmp_path / "reviews.csv")))


def test_a_file_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file$"):
        check_source(Source(str(tmp_path / "nowhere" / "reviews.csv")))


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        check_source(Source(str(tmp_path)))


@pytest.mark.parametrize("name", ["reviews.tsv", "reviews.json", "reviews"])
def test_another_ending_than_csv_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: only \.csv files can be read"):
        check_source(write(tmp_path, "text,topic\na,film\n", name))


def test_the_case_of_the_ending_does_not_matter(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\n", "REVIEWS.CSV")

    check_source(source)

    assert cells(source) == {"text": ["a"], "topic": ["film"]}


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: the file is empty"):
        check_source(write(tmp_path, ""))


def test_a_blank_first_line_is_not_called_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1 is blank; the first line must name the columns"):
        check_source(write(tmp_path, "\ntext,topic\na,film\n"))


def test_a_binary_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: not a CSV file in UTF-8 \(byte 0: invalid start byte\)"):
        check_source(write(tmp_path, b"\x89PNG\r\n\x1a\n"))


def test_a_header_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"reviews\.csv: a header, but no rows"):
        check_source(write(tmp_path, "text,topic\n"))


def test_a_header_that_names_a_column_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the header names 'topic' more than once"):
        check_source(write(tmp_path, "text,topic,topic\na,film,film\n"))


def test_a_missing_label_column_is_an_error_with_the_columns_there_are(tmp_path: Path) -> None:
    message = "no column 'topic'; its columns are 'text', 'topics'; did you mean 'topics'?"

    with pytest.raises(DataError, match=re.escape(message)):
        check_source(write(tmp_path, "text,topics\na,film\n"))


def test_a_missing_text_column_is_an_error_with_the_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'text'; its columns are 'review', 'topic'$"):
        check_source(write(tmp_path, "review,topic\na,film\n"))


def test_each_column_of_a_multi_label_task_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path, "text,long\na,1\n").path

    with pytest.raises(DataError, match="no column 'loud'"):
        check_source(Source(path, labels={"tags": ["long", "loud"]}))


@pytest.mark.parametrize(("row", "count"), [("b", 1), ("b,food,more", 3)], ids=["shorter", "longer"])
def test_a_row_of_another_length_than_the_header_is_an_error_with_its_line(
    tmp_path: Path, row: str, count: int
) -> None:
    with pytest.raises(DataError, match=rf"reviews\.csv, line 3: {count} cells, but the header has 2"):
        check_source(write(tmp_path, f"text,topic\na,film\n{row}\n"))


def test_the_line_of_a_wrong_row_is_that_of_the_file_where_cells_have_newlines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 4: 1 cells"):
        check_source(write(tmp_path, 'text,topic\n"a\nb",film\nc\n'))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [('"b"c,food\nd,film\n', "expected after"), ('"b,food\n', "unexpected end of data")],
    ids=["text after a quote", "unclosed quote"],
)
def test_wrong_quoting_is_an_error(tmp_path: Path, rows: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"reviews\.csv, line \d+: not CSV \(.*{reason}"):
        check_source(write(tmp_path, f"text,topic\na,film\n{rows}"))


def test_wrong_quoting_is_an_error_with_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3: not CSV"):
        check_source(write(tmp_path, 'text,topic\na,film\n"b"c,food\n'))


def test_a_very_long_text_is_read(tmp_path: Path) -> None:
    source = write(tmp_path, f"text,topic\n{'a' * 140_000},film\n")

    check_source(source)

    assert len(cells(source)["text"][0]) == 140_000


def test_words_for_nothing_are_ordinary_text(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\nNA,null\nnull,None\nNone,nan\nnan,NA\n")

    assert cells(source) == {"text": ["NA", "null", "None", "nan"], "topic": ["null", "None", "nan", "NA"]}


def test_numbers_and_truth_values_keep_their_spelling(tmp_path: Path) -> None:
    # P65: a column of numbers with a gap would become floating point, 007 would become 7.0.
    source = write(tmp_path, "text,topic\n1.50,007\nTrue,\n1e3, x \n")

    assert cells(source) == {"text": ["1.50", "True", "1e3"], "topic": ["007", "", " x "]}


def test_quoted_newlines_commas_and_quotes_are_part_of_the_cell(tmp_path: Path) -> None:
    source = write(tmp_path, 'text,topic\n"a\nb, ""c""",film\n')

    check_source(source)

    assert cells(source) == {"text": ['a\nb, "c"'], "topic": ["film"]}


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    source = write(tmp_path, b"\xef\xbb\xbftext,topic\na,film\n")

    check_source(source)

    assert cells(source) == {"text": ["a"], "topic": ["film"]}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path: Path, newline: str) -> None:
    source = write(tmp_path, newline.join(["text,topic", "a,film", "b,food", ""]))

    check_source(source)

    assert cells(source) == {"text": ["a", "b"], "topic": ["film", "food"]}


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\n\nb,food\n\n")

    check_source(source)

    assert cells(source)["text"] == ["a", "b"]


def test_only_the_columns_that_are_used_are_read_the_text_first(tmp_path: Path) -> None:
    source = write(tmp_path, "topic,note,text\nfilm,x,a\n")

    assert list(cells(source)) == ["text", "topic"]


def test_a_column_without_a_name_does_not_matter(tmp_path: Path) -> None:
    source = write(tmp_path, ",text,topic\n0,a,film\n")

    check_source(source)

    assert cells(source) == {"text": ["a"], "topic": ["film"]}


@pytest.mark.parametrize("name", ["reviews [1].csv", "review?.csv", "r*.csv"])
def test_a_file_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    write(tmp_path, "text,topic\nb,food\n")
    source = write(tmp_path, "text,topic\na,film\n", name)

    assert cells(source)["text"] == ["a"]


def test_the_fingerprint_is_that_of_the_content_not_of_the_path(tmp_path: Path) -> None:
    here = write(tmp_path, "text,topic\na,film\n", "here.csv")
    there = write(tmp_path, "text,topic\na,film\n", "there.csv")

    assert fingerprint([here]) == fingerprint([there])


def test_the_fingerprint_changes_with_the_content(tmp_path: Path) -> None:
    before = fingerprint([write(tmp_path, "text,topic\na,film\n")])

    assert fingerprint([write(tmp_path, "text,topic\na,food\n")]) != before


@pytest.mark.parametrize(
    "other", [{"text": "topic"}, {"labels": {}}, {"labels": {"subject": "topic"}}], ids=["text", "no labels", "task"]
)
def test_the_fingerprint_changes_with_the_meaning_of_the_columns(tmp_path: Path, other: dict) -> None:
    source = write(tmp_path, "text,topic\na,film\n")

    changed = Source(source.path, **{"labels": source.labels, **other})

    assert fingerprint([changed]) != fingerprint([source])
