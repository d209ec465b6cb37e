"""Rows of a label with yes, with no and with nothing, and the messages about labels without some of them."""

import pyarrow as pa
import pytest

from datasets_builder.label_rows import (
    LabelRows,
    label_rows,
    never_seen,
    not_held_out,
    unlabelled_note,
    without_negatives,
    without_rows,
)
from modeling_multitask import TaskConfig

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
STARS = TaskConfig("stars", "ordinal_regression", labels=["one", "two", "three"])


def test_rows_of_a_multi_label_task_are_counted_label_by_label() -> None:
    cells = [{"long": 1, "loud": None}, {"long": 0, "loud": 1}, {"long": 0, "loud": None}, None]

    counts = label_rows(
        pa.chunked_array([cells[:1], cells[1:]], type=pa.struct({"long": "int8", "loud": "int8"})), TAGS
    )

    assert counts == {"long": LabelRows(yes=1, no=2, nothing=1), "loud": LabelRows(yes=1, no=0, nothing=3)}


def test_with_one_label_per_row_the_other_labels_are_no() -> None:
    counts = label_rows(pa.array([0, 2, 2, None], pa.int64()), TOPIC)

    assert counts == {
        "film": LabelRows(yes=1, no=2, nothing=1),
        "food": LabelRows(yes=0, no=3, nothing=1),
        "phone": LabelRows(yes=2, no=1, nothing=1),
    }


@pytest.mark.parametrize("task", [TOPIC, STARS], ids=lambda task: task.problem_type)
def test_labels_without_a_training_row_are_named(task: TaskConfig) -> None:
    _, second, third = task.labels or []

    warning = never_seen(label_rows(pa.array([0, 0], pa.int64()), task), task)

    assert warning == f"task {task.name!r}: 2 of 3 labels are never seen in training ({second!r}, {third!r})"


def test_labels_that_are_never_yes_or_never_no_are_named() -> None:
    counts = {"long": LabelRows(0, 4, 1), "loud": LabelRows(5, 0, 0)}

    assert never_seen(counts, TAGS) == (
        "task 'tags': 1 of 2 labels are never yes in training ('long'), and 1 of 2 labels are never no in training "
        "('loud')"
    )


def test_where_every_label_is_seen_there_is_no_warning() -> None:
    assert never_seen({"long": LabelRows(1, 1, 0), "loud": LabelRows(2, 5, 9)}, TAGS) is None
    assert never_seen({label: LabelRows(1, 0, 0) for label in TOPIC.labels or ()}, TOPIC) is None


def test_of_many_labels_the_first_are_named_and_the_others_counted() -> None:
    labels = [f"label {i}" for i in range(99)] + ["two\nlines"]
    task = TaskConfig("intent", "single_label_classification", labels=labels)

    warning = never_seen({label: LabelRows(int(label == "label 1"), 0, 0) for label in labels}, task)

    assert warning == (
        "task 'intent': 99 of 100 labels are never seen in training ('label 0', 'label 2', 'label 3', 'label 4', "
        "'label 5', and 94 more)"
    )


def test_training_labels_without_a_held_out_row_are_one_note() -> None:
    train = {"topic": {"film": LabelRows(3, 3, 0), "food": LabelRows(3, 3, 0), "phone": LabelRows(0, 6, 0)}}
    here = {"topic": {"film": LabelRows(1, 0, 0), "food": LabelRows(0, 1, 0), "phone": LabelRows(0, 1, 0)}}

    assert not_held_out(here, train) == "1 of 2 labels have no row (topic 'food')"
    assert not_held_out(train, here) is None


@pytest.mark.parametrize(
    ("cells", "said"),
    [([[1, 0], [0, 0]], "'loud'"), ([[0, 0], [0, 0]], "'long', 'loud'"), ([[1, 1]], None), ([None, None], None)],
)
def test_labels_without_a_row_are_named_unless_nothing_is_known(
    cells: list[list[int] | None], said: str | None
) -> None:
    rows = [cell and dict(zip(("long", "loud"), cell, strict=True)) for cell in cells]

    assert without_rows(label_rows(pa.array(rows, pa.struct({"long": "int8", "loud": "int8"})), TAGS)) == said


def test_a_task_without_any_negative_is_noted() -> None:
    counts = {"long": LabelRows(3, 0, 1), "loud": LabelRows(0, 0, 4)}

    assert without_negatives(counts, TAGS) == (
        "task 'tags' has no negative: no row has a 0 for any label ('long', 'loud'); if an empty cell means 0, set "
        "blank: none"
    )


@pytest.mark.parametrize("other", [LabelRows(0, 1, 3), LabelRows(1, 1, 2)])
def test_a_task_with_a_negative_is_not_noted(other: LabelRows) -> None:
    assert without_negatives({"long": LabelRows(3, 0, 1), "loud": other}, TAGS) is None


def test_rows_without_any_label_are_counted() -> None:
    table = pa.table({"topic": [0, None, None], "stars": [None, 1, None]})

    assert unlabelled_note(table, ["topic", "stars"]) == "1 rows without any label are skipped in training"
    assert unlabelled_note(table[:2], ["topic", "stars"]) is None
