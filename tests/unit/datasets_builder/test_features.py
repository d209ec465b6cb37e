"""Label columns: what the cells of a source become, and which cells are refused."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import ClassLabel, Value
from huggingface_hub.errors import StrictDataclassError

from datasets_builder import DataError, Source
from datasets_builder.features import check_labels_of, drop_null_texts, encode_source, resolve_tasks, table_features
from modeling_multitask import TaskConfig

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
COLUMNS = {"topic": "topic", "sentiment": "sentiment", "tags": ["long", "loud"], "rating": "rating", "grade": "grade"}


def write(folder: Path, content: str, tasks: list[str], name: str = "reviews.csv") -> Source:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return Source(str(path), labels={task: COLUMNS[task] for task in tasks})


def encoded(source: Source, *tasks: TaskConfig) -> dict[str, list[Any]]:
    return pa.concat_tables(encode_source(source, list(tasks))).to_pydict()


def test_every_problem_type_has_its_kind_of_column() -> None:
    assert dict(table_features([TOPIC, SENTIMENT, TAGS, RATING, GRADE])) == {
        "text": Value("string"),
        "topic": ClassLabel(names=["film", "food", "phone"]),
        "sentiment": ClassLabel(names=["negative", "positive"]),
        "tags": {"long": Value("int8"), "loud": Value("int8")},
        "rating": Value("float32"),
        "grade": ClassLabel(names=["poor", "fair", "fine"]),
    }


def test_a_label_becomes_its_place_among_the_labels(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,phone\nb,film\n", ["topic"])

    assert encoded(source, TOPIC)["topic"] == [2, 0]


def test_the_first_label_of_a_binary_task_is_0(tmp_path: Path) -> None:
    source = write(tmp_path, "text,sentiment\na,positive\nb,negative\n", ["sentiment"])

    assert encoded(source, SENTIMENT)["sentiment"] == [1, 0]


def test_an_empty_label_cell_is_a_missing_label(tmp_path: Path) -> None:
    # P65: ids stay whole numbers where some are missing.
    source = write(tmp_path, "text,topic,rating\na,,\nb,food,2\n", ["topic", "rating"])

    assert encoded(source, TOPIC, RATING) == {"text": ["a", "b"], "topic": [None, 1], "rating": [None, 2.0]}


def test_an_empty_text_cell_is_an_empty_sentence(tmp_path: Path) -> None:
    # P68
    source = write(tmp_path, "text,topic\n,film\n", ["topic"])

    assert encoded(source, TOPIC)["text"] == [""]


def test_words_for_nothing_are_ordinary_labels(tmp_path: Path) -> None:
    task = TaskConfig("topic", "single_label_classification", labels=["NA", "null", "None", "nan"])
    source = write(tmp_path, "text,topic\na,nan\nb,None\nc,null\nd,NA\n", ["topic"])

    assert encoded(source, task)["topic"] == [3, 2, 1, 0]


def test_a_task_that_a_source_lacks_is_null_throughout(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\nb,food\n", ["topic"])

    table = encoded(source, TOPIC, SENTIMENT, TAGS, RATING)

    assert (table["sentiment"], table["tags"], table["rating"]) == ([None] * 2, [None] * 2, [None] * 2)


def test_multi_label_columns_become_one_0_or_1_for_each_label(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,1,0\nb,0,1\n", ["tags"])

    assert encoded(source, TAGS)["tags"] == [{"long": 1, "loud": 0}, {"long": 0, "loud": 1}]


def test_a_single_position_of_a_multi_label_row_may_be_missing(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,1,\n", ["tags"])  # P3: not counted as negative

    assert encoded(source, TAGS)["tags"] == [{"long": 1, "loud": None}]


def test_a_multi_label_row_without_any_position_is_a_missing_label(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,,\n", ["tags"])

    assert encoded(source, TAGS)["tags"] == [None]


def test_multi_label_columns_are_matched_by_name_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path, "text,long,loud\na,1,0\n", ["tags"]).path

    assert encoded(Source(path, labels={"tags": ["loud", "long"]}), TAGS)["tags"] == [{"long": 1, "loud": 0}]


def test_a_source_may_have_columns_for_some_of_the_labels_only(tmp_path: Path) -> None:
    path = write(tmp_path, "text,loud\na,1\n", ["tags"]).path

    assert encoded(Source(path, labels={"tags": ["loud"]}), TAGS)["tags"] == [{"long": None, "loud": 1}]


def test_a_multi_label_column_that_is_none_of_the_labels_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "text,is_long,is_loud\na,1,0\n", ["tags"]).path

    with pytest.raises(DataError, match=r"column 'is_long' is none of the labels of 'tags': \['long', 'loud'\]"):
        check_labels_of(Source(path, labels={"tags": ["is_long", "is_loud"]}), [TAGS])


@pytest.mark.parametrize(
    ("cell", "number"), [("-3", -3.0), ("+5", 5.0), ("5.", 5.0), (".5", 0.5), ("1e3", 1000.0), (" 2 ", 2.0)]
)
def test_a_regression_reads_numbers(tmp_path: Path, cell: str, number: float) -> None:
    source = write(tmp_path, f"text,rating\na,{cell}\n", ["rating"])

    assert encoded(source, RATING)["rating"] == [number]


@pytest.mark.parametrize("cell", ["good", "nan", "inf", "1 2", "0x1", "1_000", "--1", " "])
def test_what_is_no_number_is_an_error_for_a_regression(tmp_path: Path, cell: str) -> None:
    source = write(tmp_path, f"text,rating\na,1\nb,{cell}\n", ["rating"])

    with pytest.raises(DataError, match=rf"row 2, column 'rating': {cell!r} is not a number"):
        encoded(source, RATING)


def test_a_number_too_large_for_a_float_is_an_error_for_a_regression(tmp_path: Path) -> None:
    source = write(tmp_path, "text,rating\na,1e999\n", ["rating"])

    with pytest.raises(DataError, match="row 1, column 'rating': '1e999'"):
        encoded(source, RATING)


def test_a_label_that_is_none_of_the_labels_is_an_error_with_its_row(tmp_path: Path) -> None:
    # P67
    source = write(tmp_path, "text,topic\na,film\nb,flim\n", ["topic"])
    message = "\n  row 2, column 'topic': 'flim' is not one of 'film', 'food', 'phone'"

    with pytest.raises(DataError, match=re.escape(message)):
        encoded(source, TOPIC)


def test_the_message_of_a_wrong_label_names_the_file_and_how_rows_count(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\nb,flim\n", ["topic"])

    with pytest.raises(DataError, match=r"reviews\.csv has labels that cannot be used \(row 1 is the first below"):
        encoded(source, TOPIC)


def test_surrounding_spaces_make_another_label(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na, film\n", ["topic"])

    with pytest.raises(DataError, match="row 1, column 'topic': ' film' is not one of"):
        encoded(source, TOPIC)


@pytest.mark.parametrize("cell", ["2", "-1", "yes", "1.0"])
def test_a_multi_label_cell_is_0_or_1_or_nothing(tmp_path: Path, cell: str) -> None:
    # P4: -1 is refused, not taken for a label.
    source = write(tmp_path, f"text,long,loud\na,{cell},0\n", ["tags"])

    with pytest.raises(DataError, match=rf"row 1, column 'long': '{cell}' is not one of '0', '1'"):
        encoded(source, TAGS)


def test_wrong_labels_of_several_columns_are_reported_together(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic,rating\na,flim,1\nb,,good\n", ["topic", "rating"])

    with pytest.raises(DataError, match=r"(?s)row 1, column 'topic': 'flim'.*row 2, column 'rating': 'good'"):
        encoded(source, TOPIC, RATING)


def test_at_most_10_wrong_labels_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\n" + "a,wrong\n" * 13, ["topic"])

    with pytest.raises(DataError, match=r"row 10, [^\n]*\n  and 3 more$") as caught:
        encoded(source, TOPIC)

    assert str(caught.value).count("'wrong'") == 10


def test_the_row_of_a_wrong_label_is_right_beyond_the_first_10000_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\n" + "a,film\n" * 10_004 + "b,flim\n", ["topic"])

    with pytest.raises(DataError, match="row 10005, column 'topic': 'flim'"):
        encoded(source, TOPIC)


def test_rows_without_a_text_are_dropped_and_counted() -> None:
    table = pa.table({"text": ["a", None, ""], "topic": [0, 1, 2]})  # P68

    kept, dropped = drop_null_texts(table)

    assert (kept.to_pydict(), dropped) == ({"text": ["a", ""], "topic": [0, 2]}, 1)


def test_labels_that_are_not_given_are_those_that_occur_sorted(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,food\nb,\nc,film\nd,food\n", ["topic"])

    tasks = resolve_tasks([{"name": "topic", "problem_type": "single_label_classification"}], [source])

    assert tasks[0].labels == ["film", "food"]


def test_labels_of_two_sources_are_one_list(tmp_path: Path) -> None:
    # P66: ids are given by name, whatever occurs first in each source.
    sources = [
        write(tmp_path, "text,topic\na,phone\nb,film\n", ["topic"], "one.csv"),
        write(tmp_path, "text,topic\na,food\n", ["topic"], "two.csv"),
    ]

    tasks = resolve_tasks([{"name": "topic", "problem_type": "single_label_classification"}], sources)

    assert tasks[0].labels == ["film", "food", "phone"]


def test_labels_of_a_multi_label_task_are_its_columns_in_the_order_given(tmp_path: Path) -> None:
    source = write(tmp_path, "text,long,loud\na,1,0\n", ["tags"])

    tasks = resolve_tasks([{"name": "tags", "problem_type": "multi_label_classification"}], [source])

    assert tasks[0].labels == ["long", "loud"]


def test_given_labels_keep_their_order(tmp_path: Path) -> None:
    task = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["positive", "negative"]}

    tasks = resolve_tasks([task], [write(tmp_path, "text,sentiment\na,negative\n", ["sentiment"])])

    assert tasks[0].labels == ["positive", "negative"]


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("single_label_classification", "a,film\nb,\n", r"needs at least 2 labels; given: \['film'\]"),
        ("single_label_classification", "a,\n", r"needs at least 2 labels; given: \[\]"),
        ("binary_classification", "a,film\n", r"has exactly 2 labels \(negative first\); given: \['film'\]"),
        (
            "binary_classification",
            "a,x\nb,y\nc,z\n",
            r"has exactly 2 labels \(negative first\); given: \['x', 'y', 'z'\]",
        ),
    ],
    ids=["one class", "no class", "one class of a binary task", "three classes of a binary task"],
)
def test_occurring_labels_that_do_not_fit_are_an_error_with_their_column(
    tmp_path: Path, kind: str, rows: str, message: str
) -> None:
    # P68
    source = write(tmp_path, f"text,topic\n{rows}", ["topic"])

    with pytest.raises(DataError, match=rf"task 'topic', from column 'topic' of .*reviews\.csv: {kind} {message}"):
        resolve_tasks([{"name": "topic", "problem_type": kind}], [source])


def test_a_rank_becomes_its_place_in_the_order_given(tmp_path: Path) -> None:
    source = write(tmp_path, "text,grade\na,fine\nb,\nc,poor\n", ["grade"])

    assert encoded(source, GRADE)["grade"] == [2, None, 0]


def test_ranks_keep_their_order_whatever_occurs_first(tmp_path: Path) -> None:
    task = {"name": "grade", "problem_type": "ordinal_regression", "labels": ["poor", "fair", "fine"]}

    tasks = resolve_tasks([task], [write(tmp_path, "text,grade\na,fine\nb,fair\n", ["grade"])])

    assert tasks[0].labels == ["poor", "fair", "fine"]


def test_a_number_of_ranks_names_them(tmp_path: Path) -> None:
    task = {"name": "grade", "problem_type": "ordinal_regression", "num_labels": 3}

    tasks = resolve_tasks([task], [write(tmp_path, "text,grade\na,LABEL_2\n", ["grade"])])

    assert tasks[0].labels == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_ranks_that_are_not_given_are_an_error_for_the_alphabet_is_no_order(tmp_path: Path) -> None:
    source = write(tmp_path, "text,grade\na,fine\nb,poor\n", ["grade"])

    with pytest.raises(
        ValueError, match="task 'grade': ordinal_regression needs its labels in order, the lowest first"
    ):
        resolve_tasks([{"name": "grade", "problem_type": "ordinal_regression"}], [source])


def test_a_rank_that_is_none_of_the_ranks_is_an_error_with_its_row(tmp_path: Path) -> None:
    # P67
    source = write(tmp_path, "text,grade\na,fine\nb,finer\n", ["grade"])

    with pytest.raises(DataError, match="row 2, column 'grade': 'finer' is not one of 'poor', 'fair', 'fine'"):
        encoded(source, GRADE)


def test_labels_for_what_is_not_a_task_are_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text,topic\na,film\n", ["topic"])

    with pytest.raises(DataError, match=r"reviews\.csv: labels are given for 'topic', which is not a task"):
        check_labels_of(source, [RATING])


def test_a_task_without_a_column_in_any_source_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text\na\n", [])

    with pytest.raises(DataError, match="task 'rating': no source of the training rows names a column for it"):
        resolve_tasks([{"name": "rating", "problem_type": "regression"}], [source])


def test_an_unknown_setting_of_a_task_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, "text,rating\na,1\n", ["rating"])

    with pytest.raises(ValueError, match="task 'rating': no such setting: 'wieght'; did you mean 'weight'"):
        resolve_tasks([{"name": "rating", "problem_type": "regression", "wieght": 2.0}], [source])


def test_an_unknown_problem_type_is_an_error_with_the_known_ones(tmp_path: Path) -> None:
    source = write(tmp_path, "text,rating\na,1\n", ["rating"])

    with pytest.raises((ValueError, StrictDataclassError), match="problem_type is 'regresion'; it must be one of"):
        resolve_tasks([{"name": "rating", "problem_type": "regresion"}], [source])


def test_an_unusable_task_name_is_an_error_with_a_free_one(tmp_path: Path) -> None:
    # P17
    path = write(tmp_path, "text,rating\na,1\n", ["rating"]).path

    with pytest.raises((ValueError, StrictDataclassError), match=r"'type' cannot name a task .* try 'type_'"):
        resolve_tasks([{"name": "type", "problem_type": "regression"}], [Source(path, labels={"type": "rating"})])


def test_two_tasks_of_one_name_are_an_error(tmp_path: Path) -> None:
    task = {"name": "rating", "problem_type": "regression"}

    with pytest.raises(ValueError, match="task names must differ; given more than once: 'rating'"):
        resolve_tasks([task, task], [write(tmp_path, "text,rating\na,1\n", ["rating"])])
