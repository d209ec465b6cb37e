"""Recorded answers: the forms of a table with probabilities, and cells that are none."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.errors import DataError
from modeling_multitask.inference.recorded_answers import RecordedAnswers
from modeling_multitask.tasks_multitask import GivenConfig

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
IF_GLAD = replace(TOPIC, given=GivenConfig("mood", labels=["glad"]))
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
PRICE = TaskConfig("price", "regression")


def recorded(folder: Path, content: Any, task: TaskConfig = TOPIC, text: tuple[str, ...] = ("text",)) -> Any:
    """The answers of a table: the content of a CSV file, or rows of JSON lines."""
    path = folder / ("answers.csv" if isinstance(content, str) else "answers.jsonl")
    path.write_text(content if isinstance(content, str) else "\n".join(map(json.dumps, content)))
    return RecordedAnswers(path, text, task.name, task.labels or [], task)


@pytest.mark.parametrize("header", ["text,film,food,phone", "text,topic_film,topic_food,topic_phone"])
def test_a_column_for_each_label_holds_its_probability(tmp_path: Path, header: str) -> None:
    answers = recorded(tmp_path, f"{header}\na,0.5,0.25,0.25\nb,0,0,1\n")

    assert answers.answers(["b", "a"]).tolist() == [[0, 0, 1], [0.5, 0.25, 0.25]]


def test_a_text_that_is_not_in_the_table_or_has_empty_cells_has_no_answer(tmp_path: Path) -> None:
    found = recorded(tmp_path, "text,film,food,phone\na,,,\nb,0,0,1\n").answers(["a", "c", "b"])

    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]


def test_counts_become_shares(tmp_path: Path) -> None:
    assert recorded(tmp_path, "text,film,food,phone\na,2,1,1\n").answers(["a"]).tolist() == [[0.5, 0.25, 0.25]]


def test_a_text_with_different_answers_is_refused_with_both_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"answers\.csv, rows 2 and 4: the same text has different answers; remove one"):
        recorded(tmp_path, "text,film,food,phone\nb,1,0,0\na,1,0,0\nb,1,0,0\na,0,1,0\n")


def test_a_text_may_occur_again_without_an_answer_or_with_a_rounded_one(tmp_path: Path) -> None:
    found = recorded(tmp_path, "text,film,food,phone\na,,,\na,0.5,0.25,0.25\na,0.499,0.25,0.251\n").answers(["a"])

    assert found.tolist() == [[0.5, 0.25, 0.25]]


def test_the_score_of_a_task_that_is_not_always_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the column 'topic_score' is refused, because the task 'topic' depends on"):
        recorded(tmp_path, "text,topic,topic_score\na,food,0.4\n", IF_GLAD)


def test_a_column_for_each_label_answers_a_task_that_is_not_always_asked(tmp_path: Path) -> None:
    assert recorded(tmp_path, "text,film,food,phone\na,1,0,0\n", IF_GLAD).answers(["a"]).tolist() == [[1, 0, 0]]


def test_pairs_are_found_by_both_texts(tmp_path: Path) -> None:
    answers = recorded(tmp_path, "a,b,film,food,phone\nx,y,1,0,0\nx,z,0,1,0\n", text=("a", "b"))

    assert answers.answers([("x", "z"), ("x", "y")]).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_the_rest_of_a_score_is_shared_among_the_other_labels(tmp_path: Path) -> None:
    found = recorded(tmp_path, "text,topic,topic_score\na,food,0.8\nb,,\n").answers(["a", "b"])

    np.testing.assert_allclose(found[0], [0.1, 0.8, 0.1])
    assert np.isnan(found[1]).all()


def test_labels_that_an_answer_lacks_have_the_probability_0(tmp_path: Path) -> None:
    rows = [{"text": "a", "tags": ["loud"], "tags_score": [0.7]}, {"text": "b", "tags": [], "tags_score": []}]

    np.testing.assert_allclose(recorded(tmp_path, rows, TAGS).answers(["a", "b"]), [[0, 0.7], [0, 0]])


def test_lists_in_a_csv_file_are_read(tmp_path: Path) -> None:
    content = 'text,tags,tags_score\na,"[""loud""]","[0.7]"\n'

    np.testing.assert_allclose(recorded(tmp_path, content, TAGS).answers(["a"]), [[0, 0.7]])


@pytest.mark.parametrize(
    "cell",
    [
        {"film": 0.5, "food": 0.25, "phone": 0.25},
        [{"label": "phone", "score": 0.25}, {"label": "film", "score": 0.5}, {"label": "food", "score": 0.25}],
        '{"film": 0.5, "food": 0.25, "phone": 0.25}',
    ],
    ids=["object", "list", "text"],
)
@pytest.mark.parametrize("column", ["topic", "topic_distribution"])
def test_an_object_or_a_list_of_all_labels_is_read(tmp_path: Path, column: str, cell: Any) -> None:
    assert recorded(tmp_path, [{"text": "a", column: cell}]).answers(["a"]).tolist() == [[0.5, 0.25, 0.25]]


def test_a_number_is_in_the_column_of_the_task(tmp_path: Path) -> None:
    assert recorded(tmp_path, "text,price\na,2.5\n", PRICE).answers(["a"]).tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        (
            TOPIC,
            "text,film,food\na,1,0\n",
            "no column 'topic_phone' or 'phone'; its columns are 'text', 'film', 'food'",
        ),
        (TOPIC, "body,film\na,1\n", "no column 'text'; its columns are 'body', 'film'"),
        (
            TOPIC,
            "text,film,food,phone\na,1,,0\n",
            r"row 1: \[1.0, nan, 0.0\] is not probabilities of the labels 'film'",
        ),
        (TOPIC, "text,film,food,phone\na,1,no,0\n", r"row 1: \[1.0, inf, 0.0\] is not probabilities"),
        (TOPIC, "text,film,food,phone\na,0,0,0\n", r"row 1: \[0.0, 0.0, 0.0\] is not probabilities"),
        (TAGS, "text,long,loud\na,1,0\nb,1.5,0\n", r"row 2: \[1.5, 0.0\] is not probabilities"),
        (
            TOPIC,
            "text,topic,topic_score\na,music,1\n",
            "row 1: 'music' is not one of the labels 'film', 'food', 'phone'",
        ),
        (
            TOPIC,
            "text,topic\na,film\n",
            "the column 'topic' holds 'film', not probabilities; add a column 'topic_score'",
        ),
        (PRICE, "text,price\na,cheap\n", r"row 1: \[inf\] is not a number"),
        (PRICE, "text,cost\na,1\n", "no column 'price'; its columns are 'text', 'cost'"),
    ],
)
def test_a_table_that_holds_no_answers_is_refused(tmp_path: Path, task: TaskConfig, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recorded(tmp_path, content, task)
