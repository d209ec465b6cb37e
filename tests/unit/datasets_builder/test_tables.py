"""Tables of every format: cells are unchanged, and invalid tables are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value

from datasets_builder import DataError
from datasets_builder.arrow_tables import ArrowTable, LoadedTable, ParquetTable
from datasets_builder.chunks import first_unfit
from datasets_builder.csv_tables import CsvTable, TsvTable
from datasets_builder.object_tables import JsonLinesTable
from datasets_builder.sources import TABLES
from datasets_builder.tables import Table

ROWS = {"text": ['a, "b"\nc', "größe", ""], "topic": ["film", "NA", "food"]}


def write(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes, name: str = "reviews.csv") -> dict[str, list[Any]]:
    table = TABLES[Path(name).suffix](write(folder, content, name))
    return cells(table, table.columns)


def cells(table: Table, columns: list[str]) -> dict[str, list[Any]]:
    return pa.concat_tables(table.read(columns)).to_pydict()


def as_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def as_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize(
    ("kind", "name", "write_rows"),
    [
        (CsvTable, "t.csv", lambda path: Dataset.from_dict(ROWS).to_csv(str(path))),
        (TsvTable, "t.tsv", lambda path: Dataset.from_dict(ROWS).to_csv(str(path), sep="\t")),
        (JsonLinesTable, "t.jsonl", lambda path: Dataset.from_dict(ROWS).to_json(str(path))),
        (ParquetTable, "t.parquet", lambda path: pq.write_table(pa.table(ROWS), path)),
        (ArrowTable, "t.arrow", lambda path: as_file(pa.table(ROWS), path)),
        (ArrowTable, "t.arrow", lambda path: as_stream(pa.table(ROWS), path)),
    ],
    ids=["csv", "tsv", "jsonl", "parquet", "arrow file", "arrow stream"],
)
def test_every_format_is_read_as_it_was_written(
    tmp_path: Path, kind: type[Table], name: str, write_rows: Callable[[Path], Any]
) -> None:
    write_rows(tmp_path / name)

    assert cells(kind(tmp_path / name), ["text", "topic"]) == ROWS


def test_what_datasets_saved_is_read(tmp_path: Path) -> None:
    Dataset.from_dict(ROWS).save_to_disk(str(tmp_path / "saved"))
    (path,) = (tmp_path / "saved").glob("*.arrow")

    assert cells(ArrowTable(path), ["text", "topic"]) == ROWS


@pytest.mark.parametrize("kind", [ParquetTable, ArrowTable])
def test_chunks_are_of_10000_rows_at_most(tmp_path: Path, kind: type[Table]) -> None:
    table = pa.table({"text": ["a"] * 25_000})
    (pq.write_table if kind is ParquetTable else as_file)(table, tmp_path / "t")

    assert [len(chunk) for chunk in kind(tmp_path / "t").read(["text"])] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize(
    ("name", "header", "row"), [("t.csv", "text\n", f"{'a' * 99}\n"), ("t.jsonl", "", f'{{"text": "{"a" * 87}"}}\n')]
)
def test_chunks_of_text_have_10000_rows_at_most(tmp_path: Path, name: str, header: str, row: str) -> None:
    table = TABLES[Path(name).suffix](write(tmp_path, header + row * 25_000, name))

    assert [len(chunk) for chunk in table.read(["text"])] == [5_243, 5_242, 5_243, 5_243, 4_029]


def test_json_lines_that_python_parses_are_read_in_chunks_too(tmp_path: Path) -> None:
    table = TABLES[".jsonl"](write(tmp_path, '{"text": "2024-01-01"}\n' * 20_001, "t.jsonl"))

    assert [len(chunk) for chunk in table.read(["text"])] == [10_000, 10_000, 1]


def test_only_the_columns_that_are_asked_for_are_read_in_that_order(tmp_path: Path) -> None:
    table = CsvTable(write(tmp_path, "topic,note,text\nfilm,x,a\n"))

    assert list(cells(table, ["text", "topic"])) == ["text", "topic"]


def test_numbers_and_truth_values_of_a_csv_keep_their_spelling(tmp_path: Path) -> None:
    # P65: a column of numbers with a gap would become floating point, 007 would become 7.0.
    assert read(tmp_path, "text,topic\n1.50,007\nTrue,\n1e3, x \n") == {
        "text": ["1.50", "True", "1e3"],
        "topic": ["007", "", " x "],
    }


def test_words_for_nothing_are_ordinary_text(tmp_path: Path) -> None:
    assert read(tmp_path, "text,topic\nNA,null\nnull,None\nNone,nan\nnan,NA\n") == {
        "text": ["NA", "null", "None", "nan"],
        "topic": ["null", "None", "nan", "NA"],
    }


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_byte_order_mark_is_harmless(tmp_path: Path, name: str) -> None:
    content = b"text\na\n" if name == "t.csv" else b'{"text": "a"}\n'

    assert read(tmp_path, b"\xef\xbb\xbf" + content, name) == {"text": ["a"]}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path: Path, newline: str) -> None:
    assert read(tmp_path, newline.join(["text,topic", "a,film", "b,food", ""])) == {
        "text": ["a", "b"],
        "topic": ["film", "food"],
    }


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "text,topic\na,film\n\nb,food\n\n")["text"] == ["a", "b"]


def test_a_column_without_a_name_does_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, ",text,topic\n0,a,film\n") == {"": ["0"], "text": ["a"], "topic": ["film"]}


def test_a_table_of_one_column_may_say_its_header_again(tmp_path: Path) -> None:
    assert read(tmp_path, "text\ntext\n") == {"text": ["text"]}


def test_the_line_of_a_wrong_row_is_that_of_the_file_where_cells_have_newlines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 4: 1 cells"):
        read(tmp_path, 'text,topic\n"a\nb",film\nc\n')


def test_a_wrong_row_over_several_lines_is_named_by_its_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: 1 cells"):
        read(tmp_path, 'text,topic\n"a\nb\nc"\n')


def test_a_name_that_only_later_objects_have_is_a_column(tmp_path: Path) -> None:
    assert read(tmp_path, '{"text": "a"}\n\n{"text": "b", "topic": 2}\n', "t.jsonl") == {
        "text": ["a", "b"],
        "topic": [None, 2],
    }


def test_whole_numbers_and_fractions_of_json_are_one_kind(tmp_path: Path) -> None:
    assert read(tmp_path, '{"rating": 1}\n{"rating": 2.5}\n', "t.jsonl") == {"rating": [1.0, 2.5]}


def test_a_missing_column_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    table = CsvTable(write(tmp_path, "text,topics\na,film\n"))

    with pytest.raises(
        DataError, match=r"csv: no column 'topic'; its columns are 'text', 'topics'; did you mean 'topi"
    ):
        table.check_columns(["text", "topic"])


def test_a_missing_column_with_no_name_near_it_is_an_error_that_offers_to_guess(tmp_path: Path) -> None:
    table = CsvTable(write(tmp_path, "review,topic\na,film\n"))

    with pytest.raises(
        DataError, match=r"no column 'text'; its columns are 'review', 'topic'; `multitask data FILE` guesses"
    ):
        table.check_columns(["text"])


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator_is_named(tmp_path: Path, mark: str, word: str) -> None:
    table = CsvTable(write(tmp_path, f"text{mark}topic\na{mark}film\n"))

    with pytest.raises(DataError, match=f"; they seem to be separated by {word}, but must be separated by commas"):
        table.check_columns(["topic"])


def test_ids_of_classes_come_as_their_names_and_minus_one_as_nothing() -> None:
    features = Features({"topic": ClassLabel(names=["film", "food"])})
    rows = Dataset(pa.table({"topic": [1, None, 0, -1]}).cast(features.arrow_schema))

    assert cells(LoadedTable("rows", rows), ["topic"]) == {"topic": ["food", None, "film", None]}


def test_lists_of_ids_come_as_lists_of_names() -> None:
    features = Features({"tags": List(ClassLabel(names=["long", "loud"]))})
    rows = Dataset.from_dict({"tags": [[0], None, [], [1, 0]]}, features=features)

    assert cells(LoadedTable("rows", rows), ["tags"]) == {"tags": [["long"], None, [], ["loud", "long"]]}


def test_the_row_of_an_id_of_no_class_is_right_beyond_the_first_10000() -> None:
    features = Features({"topic": ClassLabel(names=["film", "food"])})
    rows = Dataset(pa.table({"topic": [0] * 10_004 + [2]}).cast(features.arrow_schema))

    with pytest.raises(DataError, match="rows, row 10005, column 'topic': 2 is not the id of one of its 2 classes"):
        cells(LoadedTable("rows", rows), ["topic"])


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_the_names_of_classes_travel_in_the_file(tmp_path: Path, name: str) -> None:
    features = Features({"text": Value("string"), "topic": ClassLabel(names=["film", "food"])})
    rows = Dataset.from_dict({"text": ["a"], "topic": [1]}, features=features)
    (pq.write_table if name == "t.parquet" else as_file)(rows.data.table, tmp_path / name)
    table = TABLES[Path(name).suffix](tmp_path / name)

    assert (table.class_names("topic"), table.class_names("text")) == (["film", "food"], None)


def test_a_csv_names_no_classes(tmp_path: Path) -> None:
    assert CsvTable(write(tmp_path, "text,topic\na,film\n")).class_names("topic") is None


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    digests = [CsvTable(write(tmp_path, text, name)).digest() for text, name in (("a", "1"), ("a", "2"), ("b", "3"))]

    assert (digests[0] == digests[1], digests[0] == digests[2]) == (True, False)


def test_the_digest_of_rows_in_memory_is_that_of_their_content() -> None:
    digests = [LoadedTable("rows", Dataset.from_dict({"text": [text]})).digest() for text in "aab"]

    assert (digests[0] == digests[1], digests[0] == digests[2]) == (True, False)


def test_a_stream_has_no_digest_that_comes_again() -> None:
    rows = Dataset.from_dict({"text": ["a"]}).to_iterable_dataset()

    assert LoadedTable("rows", rows).digest() != LoadedTable("rows", rows).digest()


def test_a_stream_that_does_not_know_its_columns_is_asked_for_a_row() -> None:
    rows = Dataset.from_dict({"text": ["a"]}).to_iterable_dataset().map(lambda row: row)

    assert LoadedTable("rows", rows).columns == ["text"]


@pytest.mark.parametrize(
    ("values", "place"), [([1, 2, "a", 3, "b"], 2), (["a", None, 1], 2), ([{"a": 1}, {"a": "x"}], 1), ([2**70], 0)]
)
def test_the_first_value_that_does_not_go_with_those_before_it_is_found(values: list[Any], place: int) -> None:
    assert first_unfit(values) == place
