"""The tasks and labels of two models: matched by name, whatever their order."""

from dataclasses import replace

import numpy as np
import pytest

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import NOT_ASKED, Decision
from modeling_multitask.evaluation.shared_tasks import shared_decision, shared_labels, shared_tasks
from tests.unit.evaluation.two_models import GRADE, LIKED, RATING, TAGS, TASKS, TOPIC, with_labels


def decision_of(chosen: list, scores: list | None = None) -> Decision:
    return Decision(np.array(scores if scores is not None else [[0.0]] * len(chosen)), np.array(chosen), None)


def test_tasks_of_two_models_are_matched_by_name() -> None:
    shared, notes = shared_tasks(TASKS, TASKS[::-1])

    assert [each.task.name for each in shared] == ["topic", "liked", "tags", "grade", "rating"]
    assert notes == []


def test_tasks_of_only_one_model_are_named() -> None:
    shared, notes = shared_tasks([TOPIC, TAGS, GRADE], [TOPIC, RATING])

    assert [each.task.name for each in shared] == ["topic"]
    assert notes == ["Only this model has the tasks 'tags', 'grade'", "Only the other model has the task 'rating'"]


@pytest.mark.parametrize(
    ("task", "other", "message"),
    [
        (TOPIC, replace(RATING, name="topic"), "is one label in this model, and a number in the other model"),
        (TAGS, replace(TOPIC, name="tags"), "is any number of labels in this model, and one label in the other model"),
        (TOPIC, with_labels(TOPIC, "film", "music"), "fewer than 2 of its labels in common"),
        (TAGS, with_labels(TAGS, "short", "quiet", "even"), "no label is shared"),
    ],
    ids=["number", "several", "one label shared", "no label shared"],
)
def test_tasks_that_cannot_be_compared_are_named(task: TaskConfig, other: TaskConfig, message: str) -> None:
    shared, notes = shared_tasks([task], [other])

    assert shared == []
    assert notes[0].startswith(f"The task {task.name!r} is not compared: ")
    assert message in notes[0]


def test_a_binary_task_is_compared_with_one_of_more_labels() -> None:
    [shared], _ = shared_tasks([LIKED], [replace(with_labels(TOPIC, "yes", "unsure", "no"), name="liked")])

    assert shared.task.labels == ["no", "yes"]


def test_equal_ranks_are_compared_by_the_main_metric_of_the_model() -> None:
    [shared], notes = shared_tasks([replace(GRADE, metric="mae")], [GRADE])

    assert (shared.task.problem_type, shared.task.main_metric, notes) == ("ordinal_regression", "mae", [])


@pytest.mark.parametrize("labels", [["poor", "fair", "good", "fine", "best"], ["best", "fine", "fair", "poor"]])
def test_other_ranks_are_compared_as_labels_without_an_order(labels: list[str]) -> None:
    [shared], notes = shared_tasks([GRADE], [with_labels(GRADE, *labels)])

    assert (shared.task.problem_type, shared.task.main_metric) == ("single_label_classification", "macro_f1")
    assert shared.task.labels == ["poor", "fair", "fine", "best"]
    assert notes == ["The task 'grade' is compared without ranks: the models do not have the same ranks"]


def test_answers_in_another_order_become_those_of_the_shared_labels() -> None:
    own = with_labels(TOPIC, "phone", "music", "film")

    found = shared_decision(own, with_labels(TOPIC, "film", "phone"), decision_of([0, 1, 2, -1]))

    assert found.chosen.tolist() == [1, NOT_ASKED, 0, NOT_ASKED]


def test_columns_of_several_labels_are_those_of_the_shared_labels() -> None:
    own = with_labels(TAGS, "odd", "new", "long")
    task = with_labels(TAGS, "long", "odd")

    found = shared_decision(own, task, decision_of([[1, 1, 0]], [[0.9, 0.8, 0.1]]))

    assert (found.chosen.tolist(), found.scores.tolist()) == ([[0, 1]], [[0.1, 0.9]])


def test_a_label_that_is_not_shared_is_missing() -> None:
    found = shared_labels(TOPIC, with_labels(TOPIC, "film", "phone"), np.array([0, 1, 2, -100]))

    assert found.tolist() == [0, -100, 1, -100]


def test_several_labels_keep_what_is_missing() -> None:
    task = with_labels(TAGS, "long", "odd")

    assert shared_labels(TAGS, task, np.array([[1, 0, -100]])).tolist() == [[1, -100]]
