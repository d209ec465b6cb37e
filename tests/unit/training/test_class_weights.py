"""Weights for rare classes equal those of scikit-learn, counted over the labels that are present."""

from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from huggingface_hub.errors import StrictDataclassError
from sklearn.utils.class_weight import compute_class_weight

from modeling_multitask import TaskConfig
from modeling_multitask.training.class_weights import with_resolved_weights

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud", "odd"])


def column(name: str, values: list[Any]) -> Dataset:
    return Dataset.from_dict({name: values})


def tags(*rows: tuple[int | None, int | None, int | None] | None) -> Dataset:
    return column("tags", [None if row is None else dict(zip(TAGS.labels, row, strict=True)) for row in rows])


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 2, 2], [0, 1, 2], [2, 1, 1, 0, 0, 0, 0, 0]])
def test_balanced_class_weights_are_those_of_scikit_learn(labels: list[int]) -> None:
    task = with_resolved_weights(TOPIC, column("topic", labels), class_weights="balanced")

    assert task.class_weights == pytest.approx(
        compute_class_weight("balanced", classes=np.arange(3), y=np.array(labels)).tolist()
    )


def test_missing_labels_are_not_counted() -> None:
    rows = column("topic", [0, None, 0, None, 0, 1, None, 2, 2])

    assert with_resolved_weights(TOPIC, rows, class_weights="balanced").class_weights == pytest.approx([2 / 3, 2, 1])


def test_labels_that_are_negative_are_missing_ones() -> None:
    rows = column("topic", [0, -1, 0, -100, 0, 1, 2, 2])

    assert with_resolved_weights(TOPIC, rows, class_weights="balanced").class_weights == pytest.approx([2 / 3, 2, 1])


def test_a_class_that_does_not_occur_has_the_weight_1() -> None:
    # scikit-learn leaves it out; the others' weights are the same with it.
    task = with_resolved_weights(TOPIC, column("topic", [0, 0, 0, 2]), class_weights="balanced")

    assert task.class_weights == pytest.approx([4 / 9, 1, 4 / 3])


def test_positive_entries_weigh_as_much_as_negative_ones_together() -> None:
    task = with_resolved_weights(LIKED, column("liked", [1, 0, 0, 0, None]), pos_weight="balanced")

    assert task.pos_weight == [3.0]


def test_each_column_of_a_multi_label_task_has_its_own_weight() -> None:
    rows = tags((1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 1))

    assert with_resolved_weights(TAGS, rows, pos_weight="balanced").pos_weight == pytest.approx([3, 1 / 3, 3])


def test_missing_rows_and_positions_of_a_multi_label_task_are_not_counted() -> None:
    rows = tags((1, 0, None), None, (0, None, 1), (0, 1, 0))

    assert with_resolved_weights(TAGS, rows, pos_weight="balanced").pos_weight == pytest.approx([2, 1, 1])


@pytest.mark.parametrize("entry", [0, 1])
def test_a_column_without_both_kinds_of_entries_has_the_weight_1(entry: int) -> None:
    rows = tags((entry, 1, 0), (entry, 0, 0), (entry, 0, 1))

    assert with_resolved_weights(TAGS, rows, pos_weight="balanced").pos_weight == pytest.approx([1, 2, 2])


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE])
def test_a_task_that_asks_for_nothing_is_as_it_was(task: TaskConfig) -> None:
    assert with_resolved_weights(task, column(task.name, [None]), class_weights=[1.0, 2.0, 3.0]) is task


def test_the_task_that_is_given_is_left_as_it_is() -> None:
    with_resolved_weights(TOPIC, column("topic", [0, 1, 2]), class_weights="balanced")

    assert TOPIC.class_weights is None


@pytest.mark.parametrize(
    ("task", "words"), [(TOPIC, {"class_weights": "balanced"}), (LIKED, {"pos_weight": "balanced"})]
)
def test_a_task_without_any_label_cannot_be_balanced(task: TaskConfig, words: dict[str, str]) -> None:
    message = f"task '{task.name}': its weights cannot be balanced, because no training row has a label for it"

    with pytest.raises(ValueError, match=message):
        with_resolved_weights(task, column(task.name, [None, None]), **words)


def test_weights_by_label_leave_the_others_at_1() -> None:
    task = with_resolved_weights(TOPIC, column("topic", [0]), class_weights={"phone": 2.5, "film": 0.5})

    assert task.class_weights == [0.5, 1.0, 2.5]


def test_a_weight_for_what_is_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="has 'phones', which is not one of its 3 labels; did you mean 'phone'"):
        with_resolved_weights(TOPIC, column("topic", [0]), class_weights={"phones": 2.0})


def test_weights_by_label_are_for_tasks_that_have_weights_of_classes() -> None:
    with pytest.raises(StrictDataclassError, match="class_weights is for single_label_classification"):
        with_resolved_weights(LIKED, column("liked", [0]), class_weights={"yes": 2.0})
