"""Whether calibration made the evaluated rows better, worse or the same, and the sentence about it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.calibration_effect import (
    Effect,
    effect_as_json,
    temperature_effect,
    thresholds_effect,
)
from modeling_multitask.evaluation.report_page import calibration_effect
from tests.deciding import decision_of

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])


def effect_of(temperature: float, rows: int = 200, right: float = 0.75) -> Effect | None:
    """Of a model that is always as sure of its answer, and right in three of four rows: the best scores are 0.75."""
    labels = np.zeros(rows, dtype=int)
    logits = np.where(np.arange(rows)[:, None] < right * rows, [[4.0, 0.0]], [[0.0, 4.0]])
    task = replace(TOPIC, temperature=temperature)
    return temperature_effect(task, logits, labels, plain=TOPIC, seed=0, resamples=200)


@pytest.mark.parametrize(
    ("temperature", "verdict"), [(4 / np.log(3), "better"), (0.5, "worse"), (0.999, "worse"), (1.001, "better")]
)
def test_a_change_of_the_loss_whose_interval_excludes_0_is_better_or_worse(temperature: float, verdict: str) -> None:
    assert effect_of(temperature).verdict == verdict


def test_a_change_of_the_loss_whose_interval_contains_0_is_none() -> None:
    effect = effect_of(1.2, right=0.98)

    assert effect.change.low < 0 < effect.change.high
    assert effect.verdict == "same"


def test_the_interval_is_that_of_the_mean_of_the_paired_differences() -> None:
    effect = effect_of(2.0)
    differences = np.where(np.arange(200) < 150, 1, 0) * (np.log1p(np.exp(-2)) - np.log1p(np.exp(-4)))
    differences += np.where(np.arange(200) < 150, 0, 1) * (np.log1p(np.exp(2)) - np.log1p(np.exp(4)))

    half = 1.96 * differences.std() / np.sqrt(200)

    value, low, high = effect.change
    assert value == pytest.approx(differences.mean())
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.25 * half)


def test_fewer_than_10_rows_have_no_interval_and_no_verdict() -> None:
    few = effect_as_json(effect_of(2.0, rows=8))

    assert few["low"] is None
    assert few["verdict"] is None
    assert effect_of(2.0, rows=12).verdict is not None


def test_without_a_temperature_or_a_labelled_row_there_is_no_effect() -> None:
    missing = np.full(20, -100)

    assert effect_of(1.0) is None
    assert (
        temperature_effect(
            replace(TOPIC, temperature=2.0), np.zeros((20, 2)), missing, plain=TOPIC, seed=0, resamples=9
        )
        is None
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_change_of_the_f1_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(30, 2)), rng.integers(2, size=(30, 2))
    task = replace(TAGS, thresholds=[0.3, 0.6])
    decisions = [decision_of(each, logits) for each in (task, TAGS)]

    effect = thresholds_effect(task, decisions[0], labels, plain=decisions[1], seed=0, resamples=9)

    new, old = (f1_score(labels, each.chosen, average="macro", zero_division=0) for each in decisions)
    assert effect.change.value == pytest.approx(new - old)


def test_thresholds_that_find_more_of_a_label_are_better_and_those_that_lose_it_are_worse() -> None:
    labels = np.arange(100) % 2
    logits = np.where(labels == 1, -1.0, -3.0)[:, None]  # at 0.5 no row is yes
    logits[:10] *= -1

    def verdict(threshold: float, plain: float) -> Any:
        tasks = [replace(LIKED, thresholds=[each]) for each in (threshold, plain)]
        decisions = [decision_of(each, logits) for each in tasks]
        return thresholds_effect(tasks[0], decisions[0], labels, plain=decisions[1], seed=0, resamples=100).verdict

    assert [verdict(0.1, 0.5), verdict(0.5, 0.1), verdict(0.5, 0.4)] == ["better", "worse", "same"]


LOSS = {"metric": "loss", "value": -0.1234, "low": -0.2, "high": -0.05, "verdict": "better"}
F1 = {"metric": "f1", "value": 0.001, "low": -0.01, "high": 0.012, "verdict": "same"}


@pytest.mark.parametrize(
    ("effects", "sentence"),
    [
        ((LOSS, None), "On the evaluated rows, the temperature made the loss better: -0.123 (-0.200 to -0.050)."),
        (
            ({**LOSS, "verdict": "worse"}, F1),
            "On the evaluated rows, the temperature made the loss worse: -0.123 (-0.200 to -0.050) and the "
            "thresholds left the F1 the same: +0.001 (-0.010 to +0.012).",
        ),
        (
            ({**LOSS, "verdict": None}, None),
            "On the evaluated rows, the temperature changed the loss by -0.123 (no interval).",
        ),
        ((None, None), ""),
    ],
)
def test_one_sentence_says_what_calibration_did(effects: tuple[Any, Any], sentence: str) -> None:
    task = {"calibration": {"temperature": 2.0, "thresholds": [0.4]}}

    assert calibration_effect({**task, "calibration_effect": effects[0], "thresholds_effect": effects[1]}) == sentence


def test_the_report_of_an_older_version_says_nothing_about_the_effect() -> None:
    assert calibration_effect({"calibration": {"temperature": 2.0, "thresholds": None}}) == ""


def test_thresholds_that_change_no_answer_leave_the_metric_the_same() -> None:
    effect = {"metric": "f1", "value": 0.0, "low": None, "high": None, "verdict": "same"}

    said = calibration_effect({"calibration": {"temperature": 1, "thresholds": [0.5]}, "thresholds_effect": effect})

    assert said == "On the evaluated rows, the thresholds left the F1 the same."
