"""The demo's tables: reading, errors, and added columns."""

import csv
import json
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel, MultiTaskPipeline
from modeling_multitask.inference.tables import answer_names
from modeling_multitask.publishing.demo.answer_table import (
    BATCH,
    TableError,
    answer_columns,
    answer_rows,
    check_columns,
    likely_text,
    read_given_table,
    write_answer_table,
)
from tests.unit.publishing.test_demo_task_answers import PRICE, TOPIC, classify_with


@pytest.fixture
def classify(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return MultiTaskPipeline(model=model, tokenizer=tokenizer)


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "texts.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_every_cell_stays_as_it_stands(tmp_path: Path) -> None:
    table = read_given_table(written(tmp_path, 'id,text\n007," two\nlines, ""so"" "\nNA,=1+1\u2028\n'))

    assert (table.columns, table.rows) == (["id", "text"], [["007", ' two\nlines, "so" '], ["NA", "=1+1\u2028"]])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_the_header_has(tmp_path: Path, delimiter: str) -> None:
    table = read_given_table(written(tmp_path, f"id{delimiter}text\n1{delimiter}good\n"))

    assert (table.columns, table.rows, table.delimiter) == (["id", "text"], [["1", "good"]], delimiter)


def test_a_table_may_have_one_column_and_empty_lines(tmp_path: Path) -> None:
    assert read_given_table(written(tmp_path, "text\n\ngood\n\n")).rows == [["good"]]


@pytest.mark.parametrize(
    "content", ["text\r\ngood\r\n", "\ufefftext\ngood\n", "\ufeffid;text\n1;good\n", 'a,b\n"x\ny",z\n']
)
def test_a_table_is_written_as_it_was_read(tmp_path: Path, content: str) -> None:
    table = read_given_table(written(tmp_path, content))

    write_answer_table(table, tmp_path / "again.csv")

    assert (tmp_path / "again.csv").read_bytes().replace(b"\r\n", b"\n") == content.encode().replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; its first line must contain the column names"),
        ("text\n", "the table has a header but no rows; add at least one row"),
        ("text,id\ngood,1\nbad\n", "line 3: 1 cells, but the header has 2"),
        ("text,text\na,b\n", "the header names a column more than once: 'text'"),
        ("text\na\nb\nc\nd\n", "the table has more than 3 rows, which is the limit here; upload fewer rows"),
        ('text\n"good\n', "line 2: not CSV (unexpected end of data)"),
        (b"text\nK\xf6ln\n", "the file is not UTF-8 (byte 7); save it as CSV in UTF-8"),
        (b"PK\x03\x04\xff\xfe", "the file is not UTF-8 (byte 5); save it as CSV in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(TableError) as error:
        read_given_table(written(tmp_path, content), most_rows=3)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("header", "column"), [("text,x", "text"), ("x,Sentence", "Sentence"), ("x,review", "review"), ("review,x", "x")]
)
def test_the_column_of_the_text_is_the_one_called_so_or_the_longest(tmp_path: Path, header: str, column: str) -> None:
    assert likely_text(read_given_table(written(tmp_path, f"{header}\n1,a long text\n"))) == column


def test_the_columns_are_those_that_predict_adds(model: MultiTaskModel) -> None:
    assert answer_columns(model.config.tasks) == answer_names(model.config.tasks)


def test_a_column_that_an_answer_would_double_is_refused(tmp_path: Path, model: MultiTaskModel) -> None:
    table = read_given_table(written(tmp_path, "text,topic\ngood,film\n"))

    with pytest.raises(TableError, match="the table already has a column 'topic', and the answers need this name"):
        check_columns(table, model.config.tasks)


def test_rows_are_answered_batch_by_batch_as_the_pipeline_answers_them(classify: MultiTaskPipeline) -> None:
    texts = ["the good film", "bad", "soup"] * 15

    batches = list(answer_rows(classify, texts))

    rows = [
        dict(zip(answer_columns(classify.model.config.tasks), row, strict=True)) for batch in batches for row in batch
    ]
    expected = classify(texts)
    assert [len(batch) for batch in batches] == [BATCH, 45 - BATCH]
    assert [row["topic"] for row in rows] == [each["topic"]["label"] for each in expected]
    # The same texts in other batches: padding moves float32 sums by about 1e-7.
    assert [float(row["rating"]) for row in rows] == pytest.approx(
        [each["rating"]["score"] for each in expected], abs=1e-5
    )
    assert [json.loads(row["tags"]) for row in rows] == [[tag["label"] for tag in each["tags"]] for each in expected]


def test_a_blank_text_has_no_answer(classify: MultiTaskPipeline) -> None:
    [rows] = answer_rows(classify, ["", "good", " "])

    assert [set(row) == {""} for row in rows] == [True, False, True]
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_label_is_no_formula(tokenizer: PreTrainedTokenizerBase, label: str) -> None:
    classify = classify_with(tokenizer, {**TOPIC, "labels": [label, "other"]}, topic=[0.0, 0.0])

    [[row]] = answer_rows(classify, ["text"])

    assert row == [f"'{label}", "0.5"]


def test_a_negative_number_stays_a_number(tokenizer: PreTrainedTokenizerBase) -> None:
    [[row]] = answer_rows(classify_with(tokenizer, PRICE, price=[-1.5]), ["text"])

    assert row == ["-1.5"]


def test_no_answer_is_an_empty_cell(tokenizer: PreTrainedTokenizerBase) -> None:
    below = {**PRICE, "given": {"task": "topic", "labels": ["phone"]}}
    classify = classify_with(tokenizer, {**TOPIC, "abstain_below": 0.9}, below, topic=[0.0, 0.0])

    [[row]] = answer_rows(classify, ["text"])

    assert row == ["", "0.5", ""]


def test_a_table_with_answers_is_read_again_as_a_whole(tmp_path: Path, classify: MultiTaskPipeline) -> None:
    table = read_given_table(written(tmp_path, "id,text\n1,good\n"))
    table.columns += answer_columns(classify.model.config.tasks)
    table.rows[0] += next(answer_rows(classify, ["good"]))[0]

    write_answer_table(table, tmp_path / "answers.csv")

    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [table.columns, *table.rows]
