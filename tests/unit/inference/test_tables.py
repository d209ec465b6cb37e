"""Tables of texts: cells are unchanged, and answers are written as new columns."""

import csv
import datetime
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builder import DataError
from modeling_multitask import TaskConfig
from modeling_multitask.inference.tables import (
    add_answers,
    answer_names,
    check_answer_columns,
    check_ending,
    read_table,
    write_table,
)

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
GRADE = TaskConfig("grade", "ordinal_regression", labels=["low", "high"])
TASKS = [TOPIC, SENTIMENT, TAGS, RATING, GRADE]
ANSWER = {
    "topic": {"label": "food", "score": 0.75},
    "sentiment": {"label": "positive", "score": 0.5},
    "tags": [{"label": "loud", "score": 0.875}, {"label": "long", "score": 0.625}],
    "rating": {"score": 3.5},
    "grade": {"label": "high", "score": 0.75},
}


def write(folder: Path, content: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes, name: str) -> dict[str, list[Any]]:
    return read_table(write(folder, content, name), "text").to_pydict()


def test_every_cell_of_a_csv_is_a_string_as_it_stands(tmp_path: Path) -> None:
    assert read(tmp_path, 'id,text,note\n007,"a, ""b""\nc",NA\n1.50,,\n', "a.csv") == {
        "id": ["007", "1.50"],
        "text": ['a, "b"\nc', ""],
        "note": ["NA", ""],
    }


def test_blank_lines_of_a_csv_are_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "text\na\n\nb\n\n", "a.csv") == {"text": ["a", "b"]}


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    lines = '{"text": "a", "id": 1, "more": {"x": [1]}}\n\n{"text": null, "id": 2, "more": null}\n'

    assert read(tmp_path, lines, "a.jsonl") == {"text": ["a", None], "id": [1, 2], "more": [{"x": [1]}, None]}


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "day": [datetime.date(2020, 1, 2)], "id": pa.array([1], pa.int8())})
    pq.write_table(table, tmp_path / "a.parquet")

    assert read_table(tmp_path / "a.parquet", "text").equals(table)


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", "text,id\na,1\n"), ("a.jsonl", '{"text": "a", "id": "1"}\n')], ids=["csv", "jsonl"]
)
def test_a_byte_order_mark_is_harmless(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf" + content.encode(), name) == {"text": ["a"], "id": ["1"]}


def test_a_key_that_only_later_json_lines_have_is_a_column(tmp_path: Path) -> None:
    assert read(tmp_path, '{"text": "a"}\n{"text": "b", "id": 2}\n', "a.jsonl") == {"text": ["a", "b"], "id": [None, 2]}


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_missing_file_is_an_error(tmp_path: Path, ending: str) -> None:
    with pytest.raises(DataError, match=rf"a{re.escape(ending)}: no such file"):
        read_table(tmp_path / f"a{ending}", "text")


@pytest.mark.parametrize("name", ["a.tsv", "a.json", "a"])
def test_an_ending_that_names_no_format_is_an_error_with_those_that_do(name: str) -> None:
    message = f"{name}: the ending is '{Path(name).suffix}'; it must be one of .csv, .jsonl, .parquet"

    with pytest.raises(DataError, match=re.escape(message)):
        check_ending(Path(name))


def test_a_table_of_any_format_that_training_reads_is_read(tmp_path: Path) -> None:
    write(tmp_path, "text\tid\na\t007\n", "a.tsv")

    assert read_table(tmp_path / "a.tsv", "text").to_pylist() == [{"text": "a", "id": "007"}]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "A.CSV"])
def test_the_ending_of_a_table_is_accepted(name: str) -> None:
    check_ending(Path(name))


def test_a_missing_text_column_of_a_csv_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "texts,id\na,1\n", "a.csv")

    with pytest.raises(DataError, match=r"no column 'text'; its columns are 'texts', 'id'; did you mean 'texts'\?"):
        read_table(path, "text")


def test_a_missing_text_column_of_json_lines_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, '{"texts": "a", "id": 1}\n', "a.jsonl")

    with pytest.raises(
        DataError, match=r"a\.jsonl: no column 'text'; its columns are 'texts', 'id'; did you mean 'texts'"
    ):
        read_table(path, "text")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("text\n", "a header, but no rows"),
        ("text,text\na,b\n", "the header names 'text' more than once"),
        ("text,id\na\n", "line 2: 1 cells, but the header has 2"),
        (b"\x89PNG\r\n", r"a\.csv, line 1, byte 0: not UTF-8 text"),
    ],
    ids=["empty", "header only", "header doubled", "short row", "binary"],
)
def test_a_malformed_csv_is_an_error(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content, "a.csv")


def test_a_line_that_is_not_json_is_an_error_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl, line 3: not JSON \(Expecting"):
        read(tmp_path, '{"text": "a"}\n\n{text\n', "a.jsonl")


@pytest.mark.parametrize("line", ["[1]", '"text"', "3"])
def test_a_json_line_that_is_no_object_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl, line 1: not a JSON object with a name for each value"):
        read(tmp_path, f"{line}\n", "a.jsonl")


def test_json_lines_of_mixed_types_are_an_error_with_line_and_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl, line 2, column 'id': 2 is a number, but line 1 has a text"):
        read(tmp_path, '{"text": "a", "id": "x"}\n{"text": "b", "id": 2}\n', "a.jsonl")


def test_kinds_of_values_that_mix_far_apart_are_an_error(tmp_path: Path) -> None:
    lines = '{"text": "a", "more": [1]}\n' * 10_000 + '{"text": "b", "more": ["x"]}\n'

    with pytest.raises(DataError, match=r"a\.jsonl: a column mixes types of values"):
        read(tmp_path, lines, "a.jsonl")


def test_json_lines_that_are_not_utf_8_are_an_error_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl, line 1, byte 13: not UTF-8 text"):
        read(tmp_path, b'{"text": "caf\xe9"}\n', "a.jsonl")


def test_empty_json_lines_are_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: no rows"):
        read(tmp_path, "", "a.jsonl")


def test_a_text_column_that_holds_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the column 'text' holds int64, not text"):
        read(tmp_path, '{"text": 3}\n', "a.jsonl")


def test_a_number_beyond_64_bits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl, line 1, column 'id': a value that a table cannot hold .*too large"):
        read(tmp_path, f'{{"text": "a", "id": {2**70}}}\n', "a.jsonl")


def test_a_text_that_pandas_wrote_as_a_category_is_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array(["a", "b"]).dictionary_encode()}), tmp_path / "a.parquet")

    assert read_table(tmp_path / "a.parquet", "text")["text"].to_pylist() == ["a", "b"]


def test_what_is_no_parquet_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.parquet: not a complete Parquet file \("):
        read(tmp_path, "hello", "a.parquet")


def test_each_task_adds_its_answer_and_its_score() -> None:
    table = add_answers(pa.table({"text": ["a"]}), [ANSWER], TASKS)

    assert table.to_pylist() == [
        {
            "text": "a",
            "topic": "food",
            "topic_score": 0.75,
            "sentiment": "positive",
            "sentiment_score": 0.5,
            "tags": ["loud", "long"],
            "tags_score": [0.875, 0.625],
            "rating": 3.5,
            "grade": "high",
            "grade_score": 0.75,
        }
    ]


def test_a_multi_label_task_without_any_label_adds_empty_lists() -> None:
    table = add_answers(pa.table({"text": ["a"]}), [{"tags": []}], [TAGS])

    assert table.to_pylist() == [{"text": "a", "tags": [], "tags_score": []}]


UNASKED = {
    "topic": {"label": None, "score": 0.75},
    "sentiment": {"label": None, "score": 0.5},
    "tags": [],
    "rating": {"score": None},
    "grade": {"label": None, "score": 0.75},
}


def test_a_question_that_is_not_asked_adds_no_answer() -> None:
    table = add_answers(pa.table({"text": ["a", "b"]}), [UNASKED, ANSWER], TASKS)

    unasked, asked = table.to_pylist()
    assert {name: unasked[name] for name in ("topic", "sentiment", "tags", "rating", "grade")} == {
        "topic": None,
        "sentiment": None,
        "tags": [],
        "rating": None,
        "grade": None,
    }
    assert (unasked["topic_score"], unasked["tags_score"], asked["rating"]) == (0.75, [], 3.5)


def test_columns_have_their_types_where_no_question_is_asked() -> None:
    unasked = add_answers(pa.table({"text": ["a"]}), [UNASKED], TASKS)

    assert unasked.schema == add_answers(pa.table({"text": ["a"]}), [ANSWER], TASKS).schema


def test_no_answer_is_an_empty_cell_of_a_csv(tmp_path: Path) -> None:
    write_table(add_answers(pa.table({"text": ["a"]}), [UNASKED], TASKS), tmp_path / "a.csv")

    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert [row[name] for name in ("topic", "sentiment", "tags", "rating", "grade")] == ["", "", "[]", "", ""]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_no_answer_is_null_where_there_is_such_a_thing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"

    write_table(add_answers(pa.table({"text": ["a"]}), [UNASKED], TASKS), path)

    row = json.loads(path.read_text()) if ending == ".jsonl" else pq.read_table(path).to_pylist()[0]
    assert [row[name] for name in ("topic", "sentiment", "tags", "rating", "grade")] == [None, None, [], None, None]


def test_the_names_of_the_added_columns_are_known_beforehand() -> None:
    table = add_answers(pa.table({"text": ["a"]}), [ANSWER], TASKS, prefix="my_")

    assert table.column_names == ["text", *answer_names(TASKS, prefix="my_")]


def test_a_table_of_no_rows_has_the_columns_too() -> None:
    assert add_answers(pa.table({"text": []}), [], TASKS).column_names == ["text", *answer_names(TASKS)]


def test_the_prefix_stands_before_answer_and_score() -> None:
    assert answer_names([TOPIC, RATING], prefix="my_") == ["my_topic", "my_topic_score", "my_rating"]


@pytest.mark.parametrize("column", ["topic", "topic_score", "rating", "grade_score"])
def test_a_column_that_an_answer_would_double_is_an_error(column: str) -> None:
    message = f"the input already has a column '{column}'; rename the answers with --prefix"

    with pytest.raises(DataError, match=message):
        check_answer_columns(["text", column], TASKS)


def test_a_prefix_keeps_answers_from_doubling_a_column() -> None:
    check_answer_columns(["text", "topic"], TASKS, prefix="my_")


def test_a_regression_has_no_score_that_could_be_doubled() -> None:
    check_answer_columns(["text", "rating_score"], TASKS)


def test_a_list_is_json_in_a_csv(tmp_path: Path) -> None:
    write_table(pa.table({"text": ["a"], "tags": [["loud", "long"]]}), tmp_path / "a.csv")

    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert json.loads(row["tags"]) == ["loud", "long"]


def test_a_list_of_days_is_json_in_a_csv(tmp_path: Path) -> None:
    write_table(pa.table({"text": ["a"], "days": [[datetime.date(2020, 1, 2)]]}), tmp_path / "a.csv")

    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert json.loads(row["days"]) == ["2020-01-02"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, ending: str) -> None:
    table = pa.table({"text": ['a, "b"\nc', "größe"], "note": ["NA", ""]})

    write_table(table, tmp_path / f"a{ending}")

    assert read_table(tmp_path / f"a{ending}", "text").equals(table)


def test_json_lines_are_written_in_letters_of_every_language(tmp_path: Path) -> None:
    write_table(pa.table({"text": ["größe"]}), tmp_path / "a.jsonl")

    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == '{"text": "größe"}\n'


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_nothing_but_the_table_is_left(tmp_path: Path, ending: str) -> None:
    write_table(pa.table({"text": ["a"]}), tmp_path / "new" / f"a{ending}")

    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"a{ending}"]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    # Parquet refuses a struct without fields.
    path = write(tmp_path, "old", "a.parquet")

    with pytest.raises(pa.ArrowNotImplementedError):
        write_table(pa.table({"text": pa.array([{}], pa.struct([]))}), path)

    assert path.read_text() == "old"


def test_a_table_is_not_written_under_another_ending(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the ending is '\.xlsx'"):
        write_table(pa.table({"text": ["a"]}), tmp_path / "a.xlsx")


def test_a_number_that_json_does_not_have_is_null(tmp_path: Path) -> None:
    nan = float("nan")

    write_table(pa.table({"id": [nan, 1.0], "more": [{"x": [nan]}, None]}), tmp_path / "a.jsonl")

    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line, parse_constant=pytest.fail) for line in lines] == [
        {"id": None, "more": {"x": [None]}},
        {"id": 1.0, "more": None},
    ]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_formulas_are_escaped_on_request(tmp_path: Path) -> None:
    table = pa.table({"text": [*FORMULAS, "a = b"], "=name": [-1.5] * 7})

    write_table(table, tmp_path / "exact.csv")
    write_table(table, tmp_path / "safe.csv", safe_csv=True)

    exact, safe = (
        list(csv.reader(io.StringIO((tmp_path / f"{name}.csv").read_bytes().decode(), newline="")))
        for name in ("exact", "safe")
    )
    assert [row[0] for row in exact] == ["text", *FORMULAS, "a = b"]
    assert [row[0] for row in safe] == ["text", *(f"'{each}" for each in FORMULAS), "a = b"]
    assert [row[1] for row in safe] == ["'=name", *["-1.5"] * 7]
