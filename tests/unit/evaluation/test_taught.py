"""A task and its teacher on the same rows: the agreement, the metrics of the teacher, and sentences on both."""

from typing import Any

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.taught import agreement_in_words, teacher_figures

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
PRICE = TaskConfig("price", "regression")


def figures(
    task: TaskConfig,
    answers: Any,
    chosen: Any,
    labels: Any,
    there: list[bool] | None = None,
    asked: list[bool] | None = None,
) -> Any:
    every = np.ones(len(chosen), bool)
    decision = Decision(None, np.array(chosen), every if asked is None else np.array(asked))
    known = every if there is None else np.array(there)
    return teacher_figures(task, "old", np.array(answers), known, decision, np.array(labels))


def test_the_agreement_is_the_share_of_equal_answers() -> None:
    found = figures(TOPIC, [0, 1, 2, 0], [0, 1, 1, 0], [0, 1, 2, -100])

    assert found["agreement"] == {"rows": 4, "same_answer": 0.75}
    assert (found["model"], found["rows"], found["accuracy"]) == ("old", 3, 1.0)


def test_all_labels_of_a_row_must_be_equal() -> None:
    assert figures(TAGS, [[1, 0], [1, 1]], [[1, 0], [0, 1]], [[1, 0], [1, 1]])["agreement"]["same_answer"] == 0.5


def test_numbers_have_a_rank_correlation_and_a_difference() -> None:
    found = figures(PRICE, [1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [1.0, 2.0, 4.0])

    assert found["agreement"] == {"rows": 3, "spearman": pytest.approx(1), "mae": 1.0}
    assert found["mae"] == 0.0


def test_rows_without_an_answer_of_the_teacher_do_not_count() -> None:
    found = figures(TOPIC, [0, 1, 2], [0, 1, 1], [0, 0, 0], there=[True, True, False])

    assert (found["agreement"], found["rows"]) == ({"rows": 2, "same_answer": 1.0}, 2)


def test_rows_where_the_model_is_not_asked_do_not_count() -> None:
    label = figures(TOPIC, [0, 1, 2], [0, -1, -1], [0, 1, -100], asked=[True, False, False])
    number = figures(PRICE, [1.0, 2.0, 4.0], [2.0, 9.0, 5.0], [1.0, 2.0, 4.0], asked=[True, False, True])

    assert (label["agreement"], label["rows"]) == ({"rows": 1, "same_answer": 1.0}, 2)
    assert (number["agreement"]["rows"], number["agreement"]["mae"]) == (2, 1.0)


def test_a_teacher_without_answers_has_no_agreement() -> None:
    found = figures(TOPIC, [0, 0], [0, 1], [0, 1], there=[False, False])

    assert found["agreement"] == {"rows": 0}
    assert agreement_in_words(found) == "the teacher old answers none of these rows"


def test_the_agreement_in_words() -> None:
    label = figures(TOPIC, [0, 1, 2, 0], [0, 1, 1, 0], [0, 1, 2, 0])
    number = figures(PRICE, [1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [1.0, 2.0, 4.0])

    assert agreement_in_words(label) == "75.0% of 4 answers are those of the teacher old"
    assert agreement_in_words(number) == (
        "the numbers and those of the teacher old have the rank correlation 1.000 in 3 rows, and differ by 1 on average"
    )
