"""The agreement between two forms of a model."""

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.agreement import agreement, answer_figures

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
ASKED = np.array([True, True])


def decision(scores: list[list[float]], chosen: list, asked: np.ndarray = ASKED) -> Decision:
    return Decision(np.array(scores), np.array(chosen), asked)


def test_the_share_of_equal_answers_and_the_largest_difference_of_scores() -> None:
    one = decision([[0.9, 0.1], [0.4, 0.6]], [0, 1])
    other = decision([[0.8, 0.2], [0.55, 0.45]], [0, 0])

    figures = agreement({"topic": one}, {"topic": other}, [TOPIC])["topic"]

    assert figures == {"score_difference": pytest.approx(0.15), "same_answer": 0.5}


def test_several_labels_are_the_same_answer_if_all_of_them_are() -> None:
    one = decision([[0.9, 0.1], [0.4, 0.6]], [[1, 0], [0, 1]])
    other = decision([[0.9, 0.1], [0.6, 0.6]], [[1, 0], [1, 1]])

    assert agreement({"tags": one}, {"tags": other}, [TAGS])["tags"]["same_answer"] == 0.5


def test_a_question_that_only_one_asks_is_another_answer() -> None:
    one = decision([[0.9, 0.1], [0.9, 0.1]], [[1, 0], [1, 0]])
    other = one._replace(asked=np.array([True, False]))

    assert agreement({"tags": one}, {"tags": other}, [TAGS])["tags"]["same_answer"] == 0.5


def test_of_numbers_only_the_difference_is_said() -> None:
    one, other = decision([[3.0], [1.0]], [3.0, 1.0]), decision([[2.0], [1.0]], [2.0, 1.0])

    assert agreement({"rating": one}, {"rating": other}, [RATING]) == {"rating": {"score_difference": 1.0}}


def test_no_rows_differ_in_nothing() -> None:
    none = decision(np.empty((0, 1)).tolist(), [], ASKED[:0])
    none = none._replace(scores=np.empty((0, 1)))

    assert agreement({"rating": none}, {"rating": none}, [RATING]) == {"rating": {"score_difference": 0.0}}


def test_answers_are_judged_by_the_labels_that_are_there() -> None:
    decisions = {"topic": decision([[0.9, 0.1], [0.4, 0.6]], [0, 1])}

    figures = answer_figures(decisions, {"topic": np.array([0, -100])}, [TOPIC])

    assert figures == {"topic": {"rows": 1, "accuracy": 1.0, "macro_f1": 1.0}}
