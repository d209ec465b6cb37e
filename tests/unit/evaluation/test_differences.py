"""The rows that two models answer differently: which answer is better, and in which order they are shown."""

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.differences import Answered, Difference, different_rows
from modeling_multitask.evaluation.worst_rows import NO_LABEL, UNASKED
from tests.unit.evaluation.two_models import GRADE, RATING, TAGS, TOPIC


def differing(task: TaskConfig, model: list, other: list, labels: list, scores: list | None = None) -> list[Difference]:
    """The differences of two models that have all labels of the task, and the same scores."""
    own = np.array(scores or np.full((len(model), max(1, len(task.labels or ()))), 0.2))
    pair = [Answered(task, each, each) for each in (Decision(own, np.array(given), None) for given in (model, other))]
    rows = np.arange(len(model))
    return different_rows(task, (pair[0], pair[1]), np.array(labels), rows=rows, texts=[f"text {row}" for row in rows])


def test_rows_with_the_same_answer_are_left_out() -> None:
    assert [each.row for each in differing(TOPIC, [0, 1, 2], [0, 2, 2], [0, 0, 0])] == [1]


def test_the_better_answer_is_the_right_one() -> None:
    found = differing(TOPIC, [0, 1, 1], [1, 0, 2], [0, 0, 0])

    assert {each.row: each.better for each in found} == {0: "model", 1: "other", 2: "neither"}


def test_rows_where_one_model_is_right_come_first_and_then_those_where_both_are_sure() -> None:
    scores = [[0.4, 0.3, 0.3], [0.1, 0.4, 0.5], [0.49, 0.49, 0.02]]

    found = differing(TOPIC, [0, 1, 0], [1, 2, 1], [0, 0, 0], scores)

    assert [each.row for each in found] == [2, 0, 1]  # in the last one both are wrong


def test_a_row_has_its_text_its_label_and_both_answers_with_their_scores() -> None:
    [found] = differing(TOPIC, [0], [2], [2], [[0.7, 0.1, 0.2]])

    assert found == Difference(0, "text 0", "phone", "film", 0.7, "phone", 0.2, "other")


def test_a_question_that_is_not_asked_is_an_answer() -> None:
    [found] = differing(TOPIC, [-1], [1], [1])

    assert (found.answer, found.better) == (UNASKED, "other")


def test_two_answers_that_only_one_model_has_are_different_and_keep_their_names() -> None:
    shared = Decision(np.full((1, 2), 0.5), np.array([-1]), None)
    names = [TaskConfig("topic", "single_label_classification", labels=["film", "food", each]) for each in ("a", "b")]
    decision = Decision(np.full((1, 3), 0.3), np.array([2]), None)
    one, other = (Answered(task, decision, shared) for task in names)
    task = TaskConfig("topic", "single_label_classification", labels=["film", "food"])

    [found] = different_rows(task, (one, other), np.array([0]), rows=np.array([5]), texts=["so"])

    assert (found.row, found.answer, found.other_answer, found.better) == (5, "a", "b", "neither")


@pytest.mark.parametrize(
    ("model", "other", "better"), [(2, 0, "model"), (0, 2, "other"), (-1, 0, "other")], ids=["near", "far", "none"]
)
def test_of_two_wrong_ranks_the_nearer_one_is_better(model: int, other: int, better: str) -> None:
    [found] = differing(GRADE, [model], [other], [3])

    assert found.better == better


def test_of_two_numbers_the_nearer_one_is_better_and_the_largest_difference_comes_first() -> None:
    found = differing(RATING, [1.0, 5.0, 2.0], [2.0, 0.0, 2.0], [1.0, 1.0, 1.0])

    assert [(each.row, each.better) for each in found] == [(1, "other"), (0, "model")]
    assert (found[0].label, found[0].answer, np.isnan(found[0].score)) == ("1", "5", True)


def test_of_several_labels_only_those_whose_truth_is_known_count() -> None:
    found = differing(TAGS, [[1, 0, 0], [1, 0, 1]], [[1, 0, 1], [0, 0, 0]], [[1, 0, -100], [1, 1, -100]])

    assert [each.row for each in found] == [1]
    assert (found[0].label, found[0].answer, found[0].other_answer) == ("long, loud", "long", NO_LABEL)
    assert found[0].better == "model"
