"""Baselines and the verdict: those of scikit-learn, on the same rows, with a paired interval."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import f1_score

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.baseline import constant, linear_probe
from modeling_multitask.evaluation.intervals import Figure
from modeling_multitask.evaluation.judgement import judged_by_a_constant, judgement
from modeling_multitask.evaluation.verdict import Verdict, never_answered, verdict
from modeling_multitask.wording import shown_number, shown_numbers

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
RATING = TaskConfig("rating", "regression")
EACH = pytest.mark.parametrize("task", [TOPIC, LIKED, TAGS, GRADE, RATING], ids=lambda task: task.name)


def labels_of(task: TaskConfig, rows: int = 200) -> np.ndarray:
    """Labels of which a third is missing; class 1 is the most frequent."""
    rng = np.random.default_rng(0)
    if task is RATING:
        return np.where(rng.random(rows) < 0.3, np.nan, rng.normal(3.0, 1.0, size=rows))
    shape = (rows, 2) if task is TAGS else (rows,)
    classes = len(task.labels or ()) if task is not TAGS else 2
    labels = rng.choice([1, *range(classes)], size=shape)
    return np.where(rng.random(shape) < 0.3, -100, labels)


def decided(answers: Any) -> Decision:
    chosen = np.asarray(answers)
    return Decision(chosen.astype(float), chosen, np.ones(len(chosen), dtype=bool))


@EACH
def test_the_constant_is_that_of_scikit_learn(task: TaskConfig) -> None:
    labels = labels_of(task)

    found = constant(task, labels, {"test": 4})

    columns = labels.T if task is TAGS else [labels]
    expected = []
    for column in columns:
        known = column[~np.isnan(column)] if task is RATING else column[column >= 0]
        dummy = DummyRegressor() if task is RATING else DummyClassifier(strategy="most_frequent")
        expected.append(dummy.fit(np.zeros((len(known), 1)), known).predict(np.zeros((4, 1))))
    assert found.name == ("mean" if task is RATING else "most frequent label")
    assert found.answers["test"] == pytest.approx(np.stack(expected, axis=-1) if task is TAGS else expected[0])


@EACH
def test_the_regression_is_that_of_scikit_learn_on_the_labelled_rows(task: TaskConfig) -> None:
    labels, rng = labels_of(task), np.random.default_rng(1)
    embeddings, rows = rng.normal(size=(200, 5)), rng.normal(size=(6, 5))

    found = linear_probe(task, labels, embeddings, {"test": rows, "empty": rows[:0]})

    expected = []
    for column in labels.T if task is TAGS else [labels]:
        there = ~np.isnan(column) if task is RATING else column >= 0
        model = RidgeCV(np.logspace(-3, 3, 13)) if task is RATING else LogisticRegression(max_iter=1000)
        expected.append(model.fit(embeddings[there], column[there]).predict(rows))
    assert found.name == ("ridge regression" if task is RATING else "logistic regression")
    assert found.answers["test"] == pytest.approx(np.stack(expected, axis=-1) if task is TAGS else expected[0])
    assert len(found.answers["empty"]) == 0


@EACH
def test_without_labels_there_are_no_baselines(task: TaskConfig) -> None:
    missing = np.full_like(labels_of(task), np.nan if task is RATING else -100)

    assert constant(task, missing, {"test": 2}) is None
    assert linear_probe(task, missing, np.zeros((200, 3)), {"test": np.zeros((2, 3))}) is None


def test_a_regression_on_one_label_is_a_constant() -> None:
    labels = np.array([2, 2, -100])

    assert linear_probe(TOPIC, labels, np.zeros((3, 2)), {"test": np.zeros((2, 2))}).answers["test"].tolist() == [2, 2]


def test_a_task_is_better_than_a_baseline_if_the_interval_excludes_0() -> None:
    labels = np.arange(100) % 2
    right, half = decided(labels), decided(np.where(np.arange(100) < 50, labels, 0))

    assert verdict(LIKED, right, labels, {"half": half}).outcome == "better"
    assert verdict(LIKED, half, labels, {"right": right}).outcome == "worse"
    assert verdict(LIKED, half, labels, {"half": half}).outcome == "no clear difference"


def test_the_improvement_is_paired_and_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, answers, others = rng.integers(3, size=(3, 90))

    found = verdict(TOPIC, decided(answers), labels, {"others": decided(others)})

    first, second = (f1_score(labels, each, average="macro") for each in (others, answers))
    assert found.value == pytest.approx(second)
    assert found.improvement.value == pytest.approx(second - first)
    assert found.improvement.low < second - first < found.improvement.high


def test_an_error_that_falls_is_an_improvement() -> None:
    task = TaskConfig("rating", "regression", metric="mae")
    labels = np.arange(30.0)

    found = verdict(task, decided(labels + 0.5), labels, {"mean": decided(np.full(30, labels.mean()))})

    assert found.improvement.value == pytest.approx(7.5 - 0.5)
    assert found.outcome == "better"


def test_the_verdict_is_about_the_best_baseline() -> None:
    labels = np.arange(60) % 3
    bad, good = decided(np.zeros(60, dtype=int)), decided(np.where(np.arange(60) < 50, labels, 0))

    assert verdict(TOPIC, decided(labels), labels, {"bad": bad, "good": good}).baseline == "good"


def test_labels_that_rows_have_and_no_answer_has_are_named() -> None:
    labels = np.array([0, 1, 2, 2])

    assert verdict(TOPIC, decided([1, 1, 1, 1]), labels, {"c": decided([2, 2, 2, 2])}).notes == [
        "never answered: 2 of 3 labels ('film', 'phone')"
    ]
    tags = np.array([[1, -100], [0, 1]])
    assert verdict(TAGS, decided([[1, 0], [0, 0]]), tags, {"c": decided([[0, 0], [0, 0]])}).notes == [
        "never answered: 1 of 2 labels ('loud')"
    ]


def test_without_labelled_rows_or_baselines_there_is_no_verdict() -> None:
    assert verdict(TOPIC, decided([0]), np.array([-100]), {"c": decided([0])}) is None
    assert verdict(TOPIC, decided([0]), np.array([0]), {}) is None


@pytest.mark.parametrize(
    ("improvement", "sentence"),
    [
        (Figure(0.1, 0.05, 0.15), "macro F1 0.900: better than mean (+0.100, +0.050 to +0.150)"),
        (Figure(-0.1, -0.15, -0.05), "macro F1 0.900: worse than mean (-0.100, -0.150 to -0.050)"),
        (Figure(0.1, -0.05, 0.15), "macro F1 0.900: no clear difference from mean (+0.100, -0.050 to +0.150)"),
        (Figure(0.1), "macro F1 0.900: too few rows to compare it with mean (+0.100, no interval)"),
    ],
)
def test_a_verdict_is_one_sentence(improvement: Figure, sentence: str) -> None:
    assert Verdict("macro_f1", 0.9, "mean", improvement, []).sentence() == sentence


def test_a_judgement_has_the_metrics_of_every_baseline() -> None:
    labels, rng = labels_of(TOPIC), np.random.default_rng(1)
    given = [
        constant(TOPIC, labels, {"test": 200}),
        linear_probe(TOPIC, labels, rng.normal(size=(200, 2)), {"test": rng.normal(size=(200, 2))}),
    ]

    found = judgement(TOPIC, decided(np.maximum(labels, 0)), labels, given, "test", notes=["a note"]).as_json()

    assert found["baseline"]["name"] == "most frequent label"
    assert found["linear_probe"]["name"] == "logistic regression"
    known = labels >= 0
    assert found["baseline"]["accuracy"] == (labels[known] == 1).mean()
    assert found["verdict"]["outcome"] == "better"
    assert found["verdict"]["notes"] == ["a note"]


def test_where_training_rows_are_unknown_the_constant_is_the_best_of_these_rows() -> None:
    labels = np.array([2, 2, 0])

    found = judged_by_a_constant(TOPIC, decided([2, 2, 0]), labels).as_json()

    assert found["baseline"]["name"] == "most frequent label of these rows"
    assert found["baseline"]["accuracy"] == pytest.approx(2 / 3)


def test_a_task_without_a_labelled_row_has_a_verdict_with_its_notes() -> None:
    missing = np.full(4, -100)
    baseline = constant(LIKED, np.array([0, 1, 1]), {"test": 4})
    assert baseline is not None

    found = judgement(LIKED, decided(np.zeros(4, dtype=int)), missing, [baseline], "test", notes=["read this"])

    assert found.as_json() == {
        "verdict": {
            "metric": "macro_f1",
            "value": None,
            "baseline": None,
            "improvement": None,
            "notes": ["read this"],
            "outcome": "not evaluated",
            "sentence": "not evaluated, because no row has a label",
        }
    }


def test_numbers_of_each_size_are_readable() -> None:
    said = [shown_number(value) for value in (0.9123, 64_055.4, 0.0042, 1.234e-5, 0.0, -0.0, -0.02)]

    assert said == ["0.912", "64,055", "0.0042", "1.2e-05", "0.000", "0.000", "-0.020"]
    assert shown_numbers([-0.00007, -0.043, 0.046], signed=True) == ["+0.000", "-0.043", "+0.046"]
    assert shown_numbers([2e-5, 1e-5, 4e-5]) == ["2e-05", "1e-05", "4e-05"]
    assert [shown_number(value, signed=True) for value in (0.5, -0.5, -0.0)] == ["+0.500", "-0.500", "+0.000"]


def test_the_baseline_of_a_task_of_one_label_has_a_weighted_f1() -> None:
    labels = np.array([0, 1, 1, -100])
    baseline = constant(LIKED, labels, {"test": 4})
    assert baseline is not None

    found = baseline.metrics("test", LIKED, labels)

    assert found["weighted_f1"] == pytest.approx(f1_score(labels[:3], [1, 1, 1], average="weighted"))


def test_a_label_without_rows_that_is_never_answered_is_noted() -> None:
    [note] = never_answered(LIKED, np.zeros(23, dtype=int))

    assert note == "never answered: 1 of 2 labels ('yes')"


@pytest.mark.parametrize(
    ("least", "note"),
    [
        (0.5, "gives an answer to 4 of 4 rows, because it abstains from the others; 75.0% of these answers are right"),
        (0.8, "gives an answer to 1 of 4 rows, because it abstains from the others; 100.0% of these answers are right"),
        (1.0, "gives an answer to 0 of 4 rows, because it abstains from the others"),
    ],
)
def test_a_verdict_says_how_many_rows_get_an_answer(least: float, note: str) -> None:
    labels, confidence = np.array([0, 1, 0, 1]), np.array([0.9, 0.7, 0.6, 0.5])
    scores = np.stack([1 - labels, labels], axis=1)
    decision = Decision(scores, np.array([0, 1, 0, 0]), np.ones(4, dtype=bool), confidence)

    found = verdict(replace(LIKED, abstain_below=least), decision, labels, {"mean": decision}, resamples=3)

    assert found is not None
    assert found.notes == [note]
