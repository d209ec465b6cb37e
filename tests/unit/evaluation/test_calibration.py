"""Calibration: temperatures, thresholds and abstention equal brute force and scikit-learn, with missing labels."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.metrics import f1_score, log_loss

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.calibration import (
    BINS,
    FEWEST_OF_EACH,
    FEWEST_ROWS,
    SHRINKAGE,
    abstention_threshold,
    answer_scores,
    calibrated,
    fit_temperature,
    fit_thresholds,
    reliability,
)
from modeling_multitask.tasks_multitask import GivenConfig
from modeling_multitask.training.metrics import decide_arrays
from tests.deciding import answer, decision_of

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud", "odd"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
RATING = TaskConfig("rating", "regression")

SCORES = st.lists(st.floats(0, 1, width=16), min_size=1, max_size=40)


def answers_of(task: TaskConfig, rows: int = 4_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose scores are honest, and labels drawn from these; a fifth of the labels is missing."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, task.num_logits))
    if task.problem_type == "ordinal_regression":
        logits = -np.sort(-logits, axis=1)
    scores = task.kind.probabilities(torch.from_numpy(logits), task).double().numpy()
    if task.problem_type == "multi_label_classification":
        labels = (rng.random(scores.shape) < scores).astype(int)
    else:
        labels = np.array([rng.choice(len(row), p=row / row.sum()) for row in scores])
    labels[rng.random(labels.shape) < 0.2] = -100
    return logits, labels


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE], ids=lambda task: task.name)
def test_the_temperature_undoes_a_scale_that_was_put_on_honest_logits(task: TaskConfig) -> None:
    logits, labels = answers_of(task)

    assert fit_temperature(task, 3 * logits, labels) == pytest.approx(3, rel=0.15)


def test_the_temperature_makes_the_log_loss_of_scikit_learn_least() -> None:
    logits, labels = answers_of(TOPIC, rows=300)
    there = labels >= 0

    def loss(temperature: float) -> float:
        scores = (
            TOPIC.kind.probabilities(torch.from_numpy(logits), replace(TOPIC, temperature=temperature)).double().numpy()
        )
        scores /= scores.sum(axis=1, keepdims=True)  # of float32
        return log_loss(labels[there], scores[there], labels=[0, 1, 2])

    found = fit_temperature(TOPIC, logits, labels)

    assert all(loss(found) <= loss(found * factor) + 1e-6 for factor in (0.5, 0.95, 1.05, 2))


def test_weights_smoothing_and_focus_of_training_do_not_bend_the_temperature() -> None:
    logits, labels = answers_of(TOPIC, rows=300)
    bent = replace(TOPIC, class_weights=[9.0, 1.0, 0.1], label_smoothing=0.3, loss="focal")

    assert fit_temperature(bent, logits, labels) == pytest.approx(fit_temperature(TOPIC, logits, labels))


def test_scores_that_are_too_certain_become_honest() -> None:
    logits, labels = answers_of(TOPIC)
    after = calibrated(TOPIC, 4 * logits, labels, ("temperature",)).task

    assert reliability(TOPIC, decision_of(TOPIC, 4 * logits), labels).error > 0.15
    assert reliability(after, decision_of(after, 4 * logits), labels).error < 0.04


@pytest.mark.parametrize("task", [LIKED, TAGS], ids=lambda task: task.name)
def test_no_other_threshold_has_a_greater_f1(task: TaskConfig) -> None:
    logits, labels = answers_of(task, rows=60)
    scores = task.kind.probabilities(torch.from_numpy(logits), task).double().numpy()
    columns = scores[:, 1:] if task is LIKED else scores

    for column, truth, threshold in zip(
        columns.T, labels.reshape(len(labels), -1).T, fit_thresholds(task, logits, labels), strict=True
    ):
        there = truth >= 0
        best = max(f1_score(truth[there], column[there] > cut) for cut in [-1, *column])
        assert f1_score(truth[there], column[there] > threshold) == pytest.approx(best)


def test_a_label_that_validation_rows_never_have_keeps_the_threshold_of_one_half() -> None:
    labels = np.array([[1, 0, -100], [0, 0, -100]])

    assert fit_thresholds(TAGS, np.array([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]), labels)[1:] == [0.5, 0.5]


def test_thresholds_are_those_that_answers_use() -> None:
    logits, labels = answers_of(TAGS, rows=400)
    task, notes = calibrated(TAGS, logits - 2, labels, ("temperature", "thresholds"))

    scores = task.kind.probabilities(torch.from_numpy(logits - 2), task)
    given = [
        [label in [each["label"] for each in answer(row, task)] for label in task.labels]
        for row in torch.from_numpy(logits - 2)
    ]

    assert task.kind.decide(scores, task).bool().tolist() == given
    assert 0.5 not in task.thresholds
    assert notes == []


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE], ids=lambda task: task.name)
def test_a_task_with_too_few_rows_is_not_calibrated_and_a_note_gives_the_rows_it_has_and_needs(
    task: TaskConfig,
) -> None:
    logits, labels = answers_of(task, rows=9)
    labels[...] = labels.clip(min=0)

    after, notes = calibrated(task, logits, labels, ("temperature", "thresholds"))

    assert after == task
    assert notes[0] == f"the temperature stays 1: 9 validation rows have a label, and a fit needs {FEWEST_ROWS}"


@pytest.mark.parametrize(("rows", "fitted"), [(FEWEST_ROWS - 1, False), (FEWEST_ROWS, True)])
def test_only_rows_with_a_label_count_for_the_temperature(rows: int, fitted: bool) -> None:
    logits, labels = answers_of(TOPIC, rows=2 * FEWEST_ROWS)
    labels = np.where(np.arange(len(labels)) < rows, labels.clip(min=0), -100)

    assert (calibrated(TOPIC, 3 * logits, labels, ("temperature",)).task.temperature != 1) is fitted


def test_rows_without_any_label_are_few_rows() -> None:
    labels = np.array([-100, -1])

    after, notes = calibrated(TOPIC, np.zeros((2, 3)), labels, ("temperature",))

    assert after == TOPIC
    assert notes == [f"the temperature stays 1: 0 validation rows have a label, and a fit needs {FEWEST_ROWS}"]


@pytest.mark.parametrize(("scale", "bound"), [(1, "0.05"), (-1, "20")], ids=["all right", "all wrong"])
def test_a_temperature_at_a_bound_of_its_search_is_not_set_and_a_note_says_so(scale: float, bound: str) -> None:
    labels = np.arange(3 * FEWEST_ROWS) % 3
    logits = scale * np.eye(3)[labels]

    after, notes = calibrated(TOPIC, logits, labels, ("temperature",))

    assert after == TOPIC
    assert notes == [f"the temperature stays 1: the search ended at its bound {bound}"]


@pytest.mark.parametrize("task", [LIKED, TAGS], ids=lambda task: task.name)
def test_thresholds_are_fitted_after_the_temperature_which_they_include(task: TaskConfig) -> None:
    logits, labels = answers_of(task)

    after = calibrated(task, 3 * logits, labels, ("thresholds",)).task

    assert after == calibrated(task, 3 * logits, labels, ("temperature", "thresholds")).task
    assert after.temperature == pytest.approx(3, rel=0.15)
    assert after.thresholds == pytest.approx(fit_thresholds(after, 3 * logits, labels), abs=0.01)


@pytest.mark.parametrize("rows", [1, 4])
def test_few_rows_move_a_threshold_less(rows: int) -> None:
    """The best threshold is 0.2. With as many rows of each answer as the shrinkage, it is moved half of the way."""
    scores = np.tile([0.1, 0.3], SHRINKAGE * rows)
    labels = np.tile([0, 1], SHRINKAGE * rows)

    after = calibrated(LIKED, special.logit(scores)[:, None], labels, ("thresholds",)).task

    assert after.thresholds == pytest.approx([0.5 - 0.3 * rows / (rows + 1)])


def test_a_label_with_too_few_rows_keeps_its_threshold_and_the_others_are_fitted() -> None:
    logits, labels = answers_of(TAGS)
    labels[:, 1] = np.where(np.cumsum(labels[:, 1] == 1) <= 7, labels[:, 1], 0)

    after, notes = calibrated(TAGS, logits - 2, labels, ("thresholds",))

    assert [each == 0.5 for each in after.thresholds] == [False, True, False]
    no = int((labels[:, 1] == 0).sum())
    assert notes == [
        f"the threshold of 'loud' (7 with it, {no:,} without it) stays as it was: a fit needs {FEWEST_OF_EACH} "
        f"validation rows with the label and {FEWEST_OF_EACH} without it"
    ]


def test_a_threshold_below_every_score_is_not_set_and_a_note_says_so() -> None:
    labels = np.arange(4 * FEWEST_OF_EACH) % 2  # the same score for all: it is best to answer yes always

    after, notes = calibrated(LIKED, np.full((len(labels), 1), -1.0), labels, ("thresholds",))

    assert after.thresholds is None
    assert "the threshold of 'yes' stays as it was: the search ended at its bound 0" in notes


def test_a_note_names_five_labels_and_counts_the_others() -> None:
    many = TaskConfig("many", "multi_label_classification", labels=[f"label {i}" for i in range(8)])

    notes = calibrated(many, np.zeros((2, 8)), np.zeros((2, 8), dtype=int), ("thresholds",)).notes

    assert "'label 4' (0 with it, 2 without it), and 3 more stays as it was" in notes[1]
    assert "'label 5'" not in notes[1]


@pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE], ids=lambda task: task.name)
def test_the_calibration_error_is_the_mean_gap_of_score_and_accuracy(task: TaskConfig) -> None:
    logits, labels = answers_of(task, rows=200)
    scores, right = answer_scores(task, decision_of(task, logits), labels)

    gaps = []
    for low in np.arange(BINS) / BINS:
        there = (scores >= low) & ((scores < low + 1 / BINS) | (low + 1 / BINS >= 1))
        gaps.append(abs(scores[there].sum() - right[there].sum()))

    assert len(scores) == (labels >= 0).sum()
    assert reliability(task, decision_of(task, logits), labels).error == pytest.approx(sum(gaps) / len(scores))


def test_the_score_of_an_answer_is_the_one_that_the_pipeline_gives() -> None:
    logits, labels = answers_of(LIKED, rows=50)
    task = replace(LIKED, thresholds=[0.7], temperature=1.5)
    labels[:] = 0

    scores, _ = answer_scores(task, decision_of(task, logits), labels)

    assert scores == pytest.approx([answer(row, task)["score"] for row in torch.from_numpy(logits)])


def test_a_number_has_no_scores_and_needs_no_note() -> None:
    labels = np.linspace(0, 1, 2 * FEWEST_ROWS)

    assert calibrated(RATING, np.zeros((len(labels), 1)), labels, ("temperature", "thresholds")) == (RATING, [])


@settings(max_examples=200, deadline=None)
@given(scores=SCORES, expected=st.floats(0.1, 1), data=st.data())
def test_what_is_answered_is_as_often_right_as_wanted_and_as_much_as_can_be(
    scores: list[float], expected: float, data: st.DataObject
) -> None:
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    values = np.array(scores)
    good = [cut for cut in values if right[values >= cut].mean() >= expected]

    if not good:
        with pytest.raises(ValueError, match="no threshold reaches a precision of"):
            abstention_threshold(values, right, precision=expected)
    else:
        assert abstention_threshold(values, right, precision=expected) == min(good)


@settings(max_examples=200, deadline=None)
@given(scores=SCORES, expected=st.floats(0.1, 1))
def test_as_many_rows_are_answered_as_wanted_and_no_more_than_must_be(scores: list[float], expected: float) -> None:
    values = np.array(scores)

    cut = abstention_threshold(values, np.ones(len(values), dtype=bool), coverage=expected)

    assert (values >= cut).mean() >= expected
    assert not (values > cut).mean() >= expected


@pytest.mark.parametrize("expected", [{}, {"precision": 0.9, "coverage": 0.9}])
def test_either_precision_or_coverage_must_be_wanted(expected: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give either a precision or a coverage"):
        abstention_threshold(np.array([0.5]), np.array([True]), **expected)


def test_an_answer_to_a_question_that_is_not_asked_is_wrong() -> None:
    decision = decision_of(TOPIC, np.eye(4, dtype=np.float32)[[0, 1, 2]])

    scores, right = answer_scores(TOPIC, decision, np.array([0, -100, -100]), np.array([False, True, False]))

    assert right.tolist() == [True, False]
    assert scores == pytest.approx(decision.scores.max(axis=1)[:2])


def test_the_score_of_a_dependent_answer_is_how_often_it_is_right() -> None:
    """It is the probability that the question is asked and the label right, and both are drawn from it here."""
    rng = np.random.default_rng(0)
    above = TaskConfig("above", "binary_classification", labels=["no", "yes"])
    below = TaskConfig(
        "below", "single_label_classification", labels=["a", "b"], given=GivenConfig("above", labels=["yes"])
    )
    logits = {"above": rng.normal(size=(20_000, 1)) + 1, "below": 2 * rng.normal(size=(20_000, 2))}
    asked = rng.random(20_000) < 1 / (1 + np.exp(-logits["above"][:, 0]))
    first = 1 / (1 + np.exp(logits["below"][:, 1] - logits["below"][:, 0]))
    labels = np.where(asked, (rng.random(20_000) > first).astype(int), -100)
    decision = decide_arrays(logits, [above, below])["below"]

    assert reliability(below, decision, labels, ~asked).error < 0.02
    assert reliability(below, decision, labels).error > 0.1  # of the rows alone in which it is asked


@pytest.mark.parametrize("margin", [0.05, 0.5, 4.0])
def test_no_temperature_is_fitted_if_all_rows_are_right(margin: float) -> None:
    labels = np.arange(150) % 3
    logits = margin * np.eye(3, dtype=np.float32)[labels] + np.random.default_rng(0).uniform(0, margin / 2, (150, 3))

    found = calibrated(TOPIC, logits.astype(np.float32), labels, ["temperature"])

    assert found.task.temperature == 1
    assert re.search("stays 1: (the search ended at its bound|.* because all answers are right)", found.notes[0])
