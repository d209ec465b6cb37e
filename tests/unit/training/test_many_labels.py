"""Metrics and labels of tasks with many labels: equal to those label by label, without a Python call for each label."""

import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from modeling_multitask import TaskConfig
from modeling_multitask.errors import RowError
from modeling_multitask.losses_multitask import masked_loss
from modeling_multitask.training.collator import labels_of
from modeling_multitask.training.label_columns import labels_of_table
from modeling_multitask.training.label_hits import label_hits, rows_without_error
from modeling_multitask.training.metrics import answer_metrics, mean_loss
from modeling_multitask.training.row_parts import row_parts

SIZES = st.tuples(st.integers(1, 12), st.integers(2, 5), st.integers(0, 2**32 - 1))
EXACT = {"rel": 1e-12, "abs": 1e-12}


def several(labels: int) -> TaskConfig:
    return TaskConfig("tags", "multi_label_classification", labels=[f"label {i}" for i in range(labels)])


def rows_of(size: tuple[int, int, int], *, columns: bool) -> tuple[np.ndarray, np.ndarray]:
    """Random answers and labels, of which a third is missing and at least one is not."""
    rows, classes, seed = size
    rng = np.random.default_rng(seed)
    shape, ids = ((rows, classes), 2) if columns else ((rows,), classes)
    answers, labels = rng.integers(ids, size=shape), rng.integers(ids, size=shape)
    labels[rng.random(shape) < 1 / 3] = -100
    labels.flat[0] = 1
    return answers, labels


@given(SIZES)
def test_the_metrics_of_several_labels_are_those_of_scikit_learn_label_by_label(size: tuple[int, int, int]) -> None:
    answers, labels = rows_of(size, columns=True)
    there = labels >= 0
    known = [column for column in range(size[1]) if there[:, column].any()]
    of_labels = [f1_score(labels[there[:, i], i], answers[there[:, i], i], zero_division=0) for i in known]
    rows = there.any(axis=1)

    found = answer_metrics(answers, labels, several(size[1]).kind)

    assert found == {
        "rows": rows.sum(),
        "micro_f1": pytest.approx(f1_score(labels[there], answers[there], zero_division=0), **EXACT),
        "macro_f1": pytest.approx(np.mean(of_labels), **EXACT),
        "subset_accuracy": pytest.approx((np.where(there, labels, answers) == answers)[rows].all(axis=1).mean()),
        "accuracy": pytest.approx(accuracy_score(labels[there], answers[there]), **EXACT),
    }


@pytest.mark.parametrize("problem_type", ["single_label_classification", "ordinal_regression"])
@given(size=SIZES)
def test_the_metrics_of_one_label_are_those_of_scikit_learn(problem_type: str, size: tuple[int, int, int]) -> None:
    answers, labels = rows_of(size, columns=False)
    there, task = labels >= 0, TaskConfig("t", problem_type, labels=[f"label {i}" for i in range(size[1])])
    truth, given_answers = labels[there], answers[there]

    found = answer_metrics(answers, labels, task.kind, classes=size[1])

    assert found["accuracy"] == pytest.approx(accuracy_score(truth, given_answers), **EXACT)
    macro = f1_score(truth, given_answers, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(macro, **EXACT)
    if task.kind.ordered and len({*truth, *given_answers}) > 1:
        kappa = cohen_kappa_score(truth, given_answers, labels=range(size[1]), weights="quadratic")
        assert found["kappa"] == pytest.approx(kappa, **EXACT)


@given(SIZES)
def test_rows_in_parts_have_the_counts_and_the_loss_of_all_rows(size: tuple[int, int, int]) -> None:
    answers, labels = rows_of(size, columns=True)
    logits = np.random.default_rng(0).normal(size=labels.shape)
    task = several(size[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modeling_multitask.training.row_parts.ROWS_AT_ONCE", 3)
        hits, whole, loss = (
            label_hits(answers, labels),
            rows_without_error(answers, labels),
            mean_loss(logits, labels, task),
        )

    assert all(map(np.array_equal, hits, label_hits(answers, labels)))
    assert np.array_equal(whole, rows_without_error(answers, labels))
    expected = masked_loss(torch.from_numpy(logits), torch.from_numpy(labels), task).item()
    assert loss == pytest.approx(expected, **EXACT)


def test_parts_of_rows_have_few_rows_if_these_are_wide() -> None:
    assert [each.stop - each.start for each in row_parts(2_000, 1)] == [1_024, 1_024]
    assert len(list(row_parts(100, 1_000_000))) == 100
    assert list(row_parts(0, 3)) == [slice(0, 1_024)]


def python_calls(run: Callable[[], Any]) -> int:
    """Return the number of calls of Python functions. The garbage collector may call some, so it is off."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    run()  # what is only done once is not counted
    before = sys.getprofile()
    gc.disable()
    sys.setprofile(count)
    try:
        run()
    finally:
        sys.setprofile(before)
        gc.enable()
    return calls


def cells_of(labels: int) -> dict[str, Any]:
    entries = [1, 0, None, *[0] * (labels - 3)]
    names = [f"label {i}" for i in range(labels)]
    return {
        "a dict of all labels": dict(zip(names, entries, strict=True)),
        "a list of zeros and ones": entries,
        "an array": np.array([1.0, 0.0, np.nan, *[0.0] * (labels - 3)]),
        "a list of names": [names[0], names[2]],
        "a text": f"{names[0]}; {names[2]}",
        "a list of ids": [0, 2],
        "nothing": None,
    }


@pytest.mark.parametrize("way", cells_of(3))
def test_collating_needs_no_call_for_each_label(way: str) -> None:
    rows = {count: [{"tags": cells_of(count)[way]}] for count in (5, 500)}

    few, many = (python_calls(partial(labels_of, rows[count], [several(count)])) for count in rows)

    assert many == few


def test_metrics_need_no_call_for_each_label() -> None:
    rows = {count: rows_of((4, count, 0), columns=True) for count in (5, 500)}

    few, many = (python_calls(partial(answer_metrics, *rows[count], several(count).kind)) for count in rows)

    assert many == few


@pytest.mark.parametrize("way", cells_of(3))
def test_labels_in_each_way_are_the_same_for_many_labels(way: str) -> None:
    found = labels_of([{"tags": cells_of(300)[way]}], [several(300)])["tags"][0]

    unknown = -100 if way in ("a dict of all labels", "a list of zeros and ones", "an array") else 1
    expected = [1, 0, unknown, *[0] * 297] if way != "nothing" else [-100] * 300
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"label 0": 2}, "2 is not one of its class ids 0 to 1"),
        ({"label 0": "yes"}, "'yes' is not one of its labels"),
        ({"odd": 1}, r"'odd' is not one of its labels \['label 0', .*'label 19', and 280 more\]"),
        (["odd"], r"'odd' is not one of its labels \['label 0', .*'label 19', and 280 more\]"),
        (["label 1", ["label 0"]], r"\['label 0'\] is not one of its labels"),
        ([0.5] + [0.0] * 299, r"0.5 is neither 0 nor 1, in the list \[0.5, (0.0, ){19}and 280 more\]"),
        ([10**400] + [0.0] * 299, "0 is neither 0 nor 1, in the list"),
    ],
)
def test_a_message_about_many_labels_is_short(cell: Any, message: str) -> None:
    with pytest.raises(RowError, match=message) as caught:
        labels_of([{"tags": cell}], [several(300)], {"tags": "multi_hot"})

    assert len(str(caught.value)) < 1_500


@pytest.mark.parametrize("value", ["1", True, 1.0, np.int64(1), np.float32(1)])
def test_a_one_of_each_type_is_a_label(value: Any) -> None:
    assert labels_of([{"tags": {"label 1": value}}], [several(2)])["tags"].tolist() == [[-100, 1]]


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 1, None, -1, -100]), min_size=3, max_size=3) | st.none(), min_size=1))
def test_labels_of_a_table_are_those_of_its_rows(cells: list[list[int | None] | None]) -> None:
    tags, topic = several(3), TaskConfig("topic", "single_label_classification", labels=["a", "b"])
    names = tags.labels or []
    features = Features({"tags": {name: Value("int8") for name in names}, "topic": Value("int64")})
    given_tags = [cell and dict(zip(names, cell, strict=True)) for cell in cells]
    rows = Dataset.from_dict({"tags": given_tags, "topic": [0] * len(cells)}, features=features)

    found, expected = labels_of_table(rows, [tags, topic]), labels_of(rows.to_list(), [tags, topic])

    assert {name: each.tolist() for name, each in found.items()} == {
        name: each.tolist() for name, each in expected.items()
    }


def test_a_wrong_label_in_a_table_has_its_row() -> None:
    features = Features({"tags": {"label 0": Value("int8"), "label 1": Value("int8")}})
    rows = Dataset.from_dict({"tags": [{"label 0": 1, "label 1": 0}, {"label 0": 7, "label 1": 0}]}, features=features)

    with pytest.raises(RowError, match="7 is not one of its class ids 0 to 1"):
        labels_of_table(rows, [several(2)])


def test_a_table_without_the_column_of_a_task_has_no_label() -> None:
    rows = Dataset.from_dict({"text": ["good", "bad"]})

    assert labels_of_table(rows, [several(2)])["tags"].tolist() == [[-100, -100]] * 2
