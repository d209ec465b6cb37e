"""Metrics equal those of scikit-learn on the labelled rows, and the score always exists."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, r2_score
from transformers import EvalPrediction

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import NOT_ASKED, decide
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES, SECOND_NAMES
from modeling_multitask.tasks_multitask import GivenConfig
from modeling_multitask.training import row_parts
from modeling_multitask.training.metric_names import LESS_IS_BETTER, evaluated_metrics
from modeling_multitask.training.metrics import TaskMetric, decide_arrays, flat_metrics, multi_task_metrics
from tests.deciding import answer, predicted

NAN = float("nan")
TOPIC = TaskConfig("topic", "single_label_classification", labels=["a", "b", "c"])
RATING = TaskConfig("rating", "regression")


def task_of(kind: str) -> TaskConfig:
    return TaskConfig("t", kind, labels=None if kind == "regression" else ["low", "high"])


def compute(kind: str, predictions: Any, references: Any) -> dict[str, float]:
    return TaskMetric(kind).compute(predictions=predictions, references=references)


def test_classes_are_judged_as_by_scikit_learn_on_the_labelled_rows() -> None:
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    gaps = rng.random(50) < 0.3

    metrics = compute("single_label_classification", predictions, np.where(gaps, -100, references))

    assert metrics["rows"] == (~gaps).sum()
    assert metrics["accuracy"] == accuracy_score(references[~gaps], predictions[~gaps])
    assert metrics["macro_f1"] == f1_score(references[~gaps], predictions[~gaps], average="macro")


def test_a_missing_position_of_a_multi_label_row_is_not_judged() -> None:
    metrics = compute("multi_label_classification", [[1, 0], [1, 1], [0, 0]], [[1, -100], [0, 1], [-100, -100]])

    assert metrics == {
        "rows": 2,
        "micro_f1": pytest.approx(0.8),
        "macro_f1": pytest.approx((2 / 3 + 1) / 2),
        "subset_accuracy": 0.5,
        "accuracy": pytest.approx(2 / 3),
    }


def test_several_labels_are_judged_as_by_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(0, 2, (50, 3)), rng.integers(0, 2, (50, 3))

    metrics = compute("multi_label_classification", predictions, references)

    assert metrics["micro_f1"] == pytest.approx(f1_score(references, predictions, average="micro"))
    assert metrics["subset_accuracy"] == accuracy_score(references, predictions)


@pytest.mark.parametrize("references", [[1.0, 2.0, 4.0], [3.0, 3.0, 3.0], [1.0]])
def test_r2_is_that_of_scikit_learn_and_0_for_equal_numbers(references: list[float]) -> None:
    predictions = [1.5, 2.0, 3.0][: len(references)]

    found = compute("regression", predictions, references)["r2"]

    assert found == pytest.approx(r2_score(references, predictions) if len({*references}) > 1 else 0.0)


@pytest.mark.parametrize(("kind", "metric"), [("regression", "mae"), ("regression", "rmse"), ("regression", "r2")])
def test_a_chosen_metric_of_a_number_counts_in_the_score_relative_to_a_constant(kind: str, metric: str) -> None:
    logits, labels = np.array([[1.0], [2.0], [30.0]]), np.array([2.0, 2.0, 20.0])
    constant = {"mae": 6.0, "rmse": labels.std(), "r2": None}[metric]

    metrics = multi_task_metrics({"t": logits}, {"t": labels}, [TaskConfig("t", kind, metric=metric)])

    value = metrics["t"][metric]
    assert metrics["score"] == pytest.approx(value if constant is None else 1 - value / constant)


def test_a_chosen_metric_of_ordered_labels_counts_in_the_score() -> None:
    task = TaskConfig("t", "ordinal_regression", labels=["low", "middle", "high"], metric="mae")
    logits = np.array([[-9.0, -9.0], [9.0, 9.0], [9.0, -9.0]])

    metrics = multi_task_metrics({"t": logits}, {"t": np.array([0, 2, 2])}, [task])

    assert metrics["t"]["mae"] == pytest.approx(1 / 3)
    assert metrics["score"] == pytest.approx(1 - (1 / 3) / (2 / 3))


def test_an_error_of_equal_numbers_counts_0_in_the_score() -> None:
    task = TaskConfig("t", "regression", metric="mae")

    assert multi_task_metrics({"t": np.ones((2, 1))}, {"t": np.ones(2)}, [task])["score"] == 0.0


def test_the_score_is_the_mean_of_the_chosen_metrics() -> None:
    task = TaskConfig("t", "single_label_classification", labels=["a", "b"], metric="accuracy")
    metrics = multi_task_metrics({"t": np.eye(2)[[0, 0, 0]]}, {"t": np.array([0, 0, 1])}, [task])

    assert metrics["score"] == metrics["t"]["accuracy"] != metrics["t"]["macro_f1"]


def test_numbers_are_judged_by_error_and_by_rank() -> None:
    predictions, references = [1.0, 2.0, 9.0, 4.0], [1.5, 2.0, NAN, 3.0]

    metrics = compute("regression", predictions, references)

    assert metrics["rows"] == 3
    assert metrics["mae"] == pytest.approx(0.5)
    assert metrics["rmse"] == pytest.approx(math.sqrt((0.25 + 0 + 1) / 3))
    assert metrics["spearman"] == pytest.approx(spearmanr([1, 2, 4], [1.5, 2, 3]).statistic)


def test_constant_predictions_have_no_rank_correlation_and_score_0() -> None:
    # P18: NaN would make the mean over the tasks NaN, which never wins.
    assert compute("regression", [1.0, 1.0], [1.0, 2.0])["spearman"] == 0.0


def test_ranks_are_judged_as_by_scikit_learn_on_the_labelled_rows() -> None:
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(0, 5, 50), rng.integers(0, 5, 50)
    gaps = rng.random(50) < 0.3
    judged, right = predictions[~gaps], references[~gaps]

    metrics = compute("ordinal_regression", predictions, np.where(gaps, -100, references))

    assert metrics == {
        "rows": (~gaps).sum(),
        "accuracy": accuracy_score(right, judged),
        "macro_f1": f1_score(right, judged, average="macro"),
        "mae": np.abs(right - judged).mean(),
        "kappa": pytest.approx(cohen_kappa_score(right, judged, weights="quadratic"), rel=1e-12),
        "quadratic_kappa": metrics["kappa"],
    }


def test_ranks_that_do_not_occur_keep_the_others_apart() -> None:
    # Squared, one answer is off by 16 and one by 1; every answer against every reference, over 5 rows, by 189 / 5.
    metrics = compute("ordinal_regression", [0, 4, 4, 4, 0], [0, 0, 4, 4, 1])

    assert metrics["quadratic_kappa"] == pytest.approx(1 - 17 / (189 / 5))


@pytest.mark.parametrize("answer", [2, 3])
def test_ranks_that_never_differ_have_no_kappa_and_score_0(answer: int) -> None:
    # P18: NaN would make the mean over the tasks NaN, which never wins.
    assert compute("ordinal_regression", [answer] * 2, [2, 2])["quadratic_kappa"] == 0.0


def test_a_task_without_labelled_rows_has_no_figures() -> None:
    assert compute("binary_classification", [0, 1], [-100, -100]) == {"rows": 0}


def test_the_score_is_the_mean_over_the_tasks_that_have_labelled_rows() -> None:
    # P18
    logits = {"topic": np.eye(3, dtype=np.float32), "rating": np.zeros((3, 1), dtype=np.float32)}
    labels = {"topic": np.array([0, 1, 2]), "rating": np.full(3, NAN, dtype=np.float32)}

    metrics = multi_task_metrics(logits, labels, [TOPIC, RATING])

    assert metrics["rating"] == {"rows": 0}
    assert metrics["score"] == metrics["topic"]["macro_f1"] == 1.0


def test_the_score_is_0_where_no_row_has_any_label() -> None:
    # P18
    metrics = multi_task_metrics({"topic": np.zeros((2, 3))}, {"topic": np.array([-100, -100])}, [TOPIC])

    assert metrics["score"] == 0.0


def test_the_loss_is_the_mean_over_the_labelled_rows() -> None:
    logits = {"topic": np.zeros((4, 3), dtype=np.float32)}

    metrics = multi_task_metrics(logits, {"topic": np.array([0, -100, 2, -100])}, [TOPIC])

    assert metrics["topic"]["loss"] == pytest.approx(math.log(3))


def test_flat_metrics_are_named_by_task() -> None:
    prediction = EvalPrediction({"topic": np.eye(3)}, {"topic": np.array([0, 1, 2])})

    assert set(flat_metrics(prediction, [TOPIC])) == {
        *["topic_rows", "topic_accuracy", "topic_macro_f1", "topic_loss"],
        "score",
    }


@pytest.mark.parametrize(
    ("kind", "logits", "expected"),
    [
        ("single_label_classification", [[0.0, 2.0, 1.0]], [1]),
        ("binary_classification", [[0.1], [-0.1]], [1, 0]),
        ("multi_label_classification", [[0.1, -0.1]], [[1, 0]]),
        ("regression", [[0.25]], [0.25]),
        ("ordinal_regression", [[2.0, -2.0], [-2.0, -4.0], [4.0, 2.0]], [1, 0, 2]),
    ],
)
def test_answers_are_read_from_logits_by_problem_type(kind: str, logits: list, expected: list) -> None:
    assert predicted(np.array(logits), task_of(kind)).tolist() == expected


def test_the_rank_that_is_judged_is_the_one_that_the_pipeline_answers() -> None:
    logits = torch.randn(50, 3).sort(dim=-1, descending=True)[0]
    task = TaskConfig("t", "ordinal_regression", labels=["0", "1", "2", "3"])

    judged = predicted(logits.numpy(), task).tolist()

    assert judged == [int(answer(row, task)["label"]) for row in logits]


@pytest.mark.parametrize("kind", PROBLEM_TYPES)
def test_the_names_of_the_metrics_are_known_beforehand(kind: str) -> None:
    task, rows = task_of(kind), 4
    several = kind == "multi_label_classification"
    labels = np.tile([[0, 1], [1, 0]], (2, 1)) if several else np.array([0, 1, 0, 1])
    prediction = EvalPrediction({"t": np.zeros((rows, task.num_logits))}, {"t": labels})

    metrics = flat_metrics(prediction, [task])

    # How many rows there are tells nothing of how good the answers are.
    assert {*evaluated_metrics([("t", kind)]), "t_rows"} - {"loss"} == set(metrics)
    assert all(metrics[f"t_{old}"] == metrics[f"t_{new}"] for old, new in SECOND_NAMES.items() if f"t_{old}" in metrics)


@pytest.mark.parametrize("kind", PROBLEM_TYPES)
def test_the_main_metric_of_every_problem_type_is_better_when_greater(kind: str) -> None:
    main = PROBLEM_TYPES[kind].main_metric
    assert main in PROBLEM_TYPES[kind].metrics
    assert not main.endswith(LESS_IS_BETTER)


@pytest.mark.parametrize("kind", ["single_label_classification", "ordinal_regression"])
def test_no_answer_is_wrong_and_no_class(kind: str) -> None:
    # P71: of the F1 of three classes, 2/3, 1 and 0, the mean is 5/9; -1 as a fourth would make it 5/12.
    metrics = compute(kind, [0, -1, 1, -1, -1], [0, 0, 1, 2, -100])

    assert (metrics["rows"], metrics["accuracy"]) == (4, 0.5)
    assert metrics["macro_f1"] == pytest.approx(5 / 9)


def test_a_binary_task_without_an_answer_in_some_rows_has_the_f1_of_its_two_classes() -> None:
    metrics = compute("binary_classification", [1, -1, 0, 0], [1, 1, 0, 1])

    assert metrics == {"rows": 4, "accuracy": 0.5, "macro_f1": pytest.approx((2 / 3 + 1 / 2) / 2)}


def test_rows_without_an_answer_are_judged_as_by_scikit_learn_over_the_true_classes() -> None:
    rng = np.random.default_rng(0)
    predictions, references = rng.integers(-1, 4, 50), rng.integers(0, 4, 50)

    metrics = compute("single_label_classification", predictions, references)

    assert metrics["accuracy"] == accuracy_score(references, predictions)
    assert metrics["macro_f1"] == pytest.approx(f1_score(references, predictions, average="macro", labels=range(4)))


def test_a_row_without_an_answer_has_the_largest_error_of_rank() -> None:
    metrics = compute("ordinal_regression", [0, -1, 2, 1, -1], [0, 1, 2, 2, -100])

    assert (metrics["rows"], metrics["accuracy"]) == (4, 0.5)
    assert metrics["mae"] == pytest.approx(2 / 4)
    kappa = cohen_kappa_score([0, 1, 2, 2], [0, 2, 2, 1], weights="quadratic")
    assert metrics["quadratic_kappa"] == pytest.approx(kappa, rel=1e-12)


@pytest.mark.parametrize("kind", ["single_label_classification", "binary_classification"])
@pytest.mark.parametrize("references", [[0, 1], [1, 1]])
def test_where_no_row_has_an_answer_everything_is_wrong(kind: str, references: list[int]) -> None:
    assert compute(kind, [-1, -1], references) == {"rows": 2, "accuracy": 0.0, "macro_f1": 0.0}


def test_where_no_row_has_an_answer_ranks_have_the_largest_error() -> None:
    # P18: NaN would make the mean over the tasks NaN, which never wins.
    metrics = compute("ordinal_regression", [-1, -1], [0, 2])

    assert (metrics["accuracy"], metrics["macro_f1"], metrics["quadratic_kappa"]) == (0.0, 0.0, -1.0)
    assert metrics["mae"] == 2


SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
REASON = TaskConfig(
    "reason",
    "single_label_classification",
    labels=["broken", "dear"],
    given=GivenConfig("sentiment", labels=["negative"]),
)


def test_a_reason_after_a_wrong_sentiment_is_wrong() -> None:
    # All reasons are negative rows'; the second row's sentiment is taken for positive, and no reason is given.
    logits = {"sentiment": np.array([[-4.0], [4.0], [-4.0]]), "reason": np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])}
    labels = {"sentiment": np.array([0, 0, 0]), "reason": np.array([0, 0, 1])}

    metrics = multi_task_metrics(logits, labels, [SENTIMENT, REASON])

    assert metrics["sentiment"]["accuracy"] == pytest.approx(2 / 3)
    assert metrics["reason"]["accuracy"] == pytest.approx(1 / 3)
    # Of broken 1 of 2 is found, and 1 of 2 that are given is right; dear is never given.
    assert metrics["reason"]["macro_f1"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["score"] == pytest.approx((metrics["sentiment"]["macro_f1"] + 1 / 4) / 2)


def test_the_loss_of_a_reason_is_that_of_its_own_head() -> None:
    logits = {"sentiment": np.array([[4.0]]), "reason": np.zeros((1, 2))}

    metrics = multi_task_metrics(logits, {"sentiment": np.array([0]), "reason": np.array([0])}, [SENTIMENT, REASON])

    assert metrics["reason"]["loss"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("rows", [0, 1, 4, 10])
def test_many_rows_are_decided_a_few_at_a_time_and_in_their_order(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_parts, "ROWS_AT_ONCE", 4)
    logits = {"sentiment": torch.randn(rows, 1), "reason": torch.randn(rows, 2)}

    apart = decide_arrays({name: each.numpy() for name, each in logits.items()}, [SENTIMENT, REASON])

    together = decide(logits, [SENTIMENT, REASON])
    for name, decision in together.items():
        assert all(np.array_equal(one, other) for one, other in zip(apart[name], decision, strict=True))
    assert set(apart["reason"].chosen) <= {NOT_ASKED, 0, 1}
