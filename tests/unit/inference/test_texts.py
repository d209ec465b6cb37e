"""Texts to compare: from tables and from lines, single texts and pairs."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builder import DataError
from modeling_multitask.inference.texts import read_texts

LINES = "Great soup.\n\n  I like soup. \r\n\r\n"
PAIRS = "id,text,text_pair\n7,a,b\n8,c,\n"


def write(folder: Path, content: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_each_line_of_a_text_is_a_sentence_and_blank_ones_are_none(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, LINES, "a.txt")).sentences == ["Great soup.", "I like soup."]


def test_a_line_is_a_sentence_as_it_stands(tmp_path: Path) -> None:
    content = 'text\n"a", b\nc\x0bd\u2028e\n'

    assert read_texts(write(tmp_path, content, "a.txt")).sentences == ["text", '"a", b', "c\x0bd\u2028e"]


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, "\ufeffsoup\n", "A.TXT")).sentences == ["soup"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "id,text\n1,a\n2,b\n"), ("a.jsonl", '{"text": "a"}\n{"text": "b"}\n'), ("a.txt", "a\nb\n")],
)
def test_texts_stand_in_the_order_of_the_file(tmp_path: Path, name: str, content: str) -> None:
    assert read_texts(write(tmp_path, content, name)).sentences == ["a", "b"]


def test_a_text_that_comes_twice_stays_twice(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, "a\nb\na\n", "a.txt")).sentences == ["a", "b", "a"]


def test_an_empty_cell_is_the_empty_text(tmp_path: Path) -> None:
    # P68: as `predict` has it
    assert read_texts(write(tmp_path, '{"text": null}\n{"text": ""}\n{"text": "a"}\n', "a.jsonl")).sentences == [
        "",
        "",
        "a",
    ]


def test_both_texts_of_a_pair_stand_side_by_side(tmp_path: Path) -> None:
    given = read_texts(write(tmp_path, PAIRS, "a.csv"), pairs=True)

    assert given.columns == ("text", "text_pair")
    assert given.sentences == ["a", "b", "c", ""]
    assert given.table.column_names == ["id", "text", "text_pair"]


def test_second_texts_are_found_where_none_are_asked_for(tmp_path: Path) -> None:
    assert read_texts(write(tmp_path, PAIRS, "a.csv")).sentences == ["a", "b", "c", ""]


def test_texts_may_stand_in_other_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "premise,hypothesis\na,b\n", "a.csv")

    assert read_texts(path, text="premise", text_pair="hypothesis").sentences == ["a", "b"]


def test_a_second_text_may_be_a_category(tmp_path: Path) -> None:
    # as pandas writes it
    table = pa.table({"text": ["a", "b"], "text_pair": pa.array(["c", "c"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "a.parquet")

    assert read_texts(tmp_path / "a.parquet").sentences == ["a", "c", "b", "c"]


def test_a_second_column_that_holds_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: the column 'text_pair' holds int64, not text"):
        read_texts(write(tmp_path, '{"text": "a", "text_pair": 3}\n', "a.jsonl"))


def test_a_missing_text_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'text'; its columns are 'texts', 'id'; did you mean 'texts'\?"):
        read_texts(write(tmp_path, "texts,id\na,1\n", "a.csv"))


@pytest.mark.parametrize("name", [None, "text_pair"])
def test_pairs_that_lack_the_second_text_are_an_error_that_says_what_else_there_is(
    tmp_path: Path, name: str | None
) -> None:
    path = write(tmp_path, "text,txt_pair\na,b\n", "a.csv")

    with pytest.raises(DataError) as raised:
        read_texts(path, text_pair=name, pairs=True)

    assert str(raised.value) == (
        f"{path}: no column 'text_pair'; its columns are 'text', 'txt_pair'; did you mean 'txt_pair'?; pairs need a "
        "second column, named with --text_pair; --matrix, --stats and --nearest take single texts"
    )


def test_a_second_column_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'other'; its columns are 'id', 'text', 'text_pair'"):
        read_texts(write(tmp_path, PAIRS, "a.csv"), text_pair="other")


def test_lines_are_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt: one text in each line; pairs need a second column"):
        read_texts(write(tmp_path, LINES, "a.txt"), pairs=True)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt: no such file"):
        read_texts(tmp_path / "a.txt")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_a_sentence_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"a\.txt: no rows"):
        read_texts(write(tmp_path, content, "a.txt"))


def test_a_table_without_rows_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")

    with pytest.raises(DataError, match=r"a\.parquet: no rows"):
        read_texts(tmp_path / "a.parquet")


def test_lines_that_are_not_utf_8_are_an_error_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.txt, byte 3: not UTF-8 text \(.*\)"):
        read_texts(write(tmp_path, b"caf\xe9 noir\n", "a.txt"))


def test_an_ending_that_names_no_format_is_an_error_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the ending is '\.pdf'; it must be one of \.csv, .*\.arrow, .*, \.txt$"):
        read_texts(write(tmp_path, "text\na\n", "a.pdf"))
