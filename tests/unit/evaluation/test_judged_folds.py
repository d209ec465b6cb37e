"""The rows of several folds keep the decisions of the models of their folds."""

import numpy as np

from datasets_builder.row_places import RowPlace
from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.judged import Judged
from modeling_multitask.evaluation.judged_folds import JudgedFolds, join_folds
from modeling_multitask.evaluation.report import make_report
from modeling_multitask.training.metrics import multi_task_metrics

LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"], temperature=3.0, abstain_below=0.9)


def fold(temperature: float, threshold: float, logits: list[list[float]], labels: list[int]) -> Judged:
    """A fold whose model has its own temperature and threshold."""
    task = TaskConfig(
        "liked", "binary_classification", labels=["no", "yes"], temperature=temperature, thresholds=[threshold]
    )
    texts = [f"text {i}" for i in range(len(labels))]
    places = [RowPlace("rows.csv", round(10 * threshold) + i) for i in range(len(labels))]
    return Judged(
        [task], texts, {"liked": np.array(logits)}, {"liked": np.array(labels)}, np.full(len(labels), 4), places=places
    )


def joined() -> JudgedFolds:
    one = fold(2.0, 0.9, [[2.0], [8.0]], [0, 1])
    other = fold(1.0, 0.5, [[2.0]], [1])
    return join_folds([one, other], [LIKED])


def test_each_row_is_decided_by_the_threshold_of_its_model() -> None:
    assert joined().decisions["liked"].chosen.tolist() == [0, 1, 1]


def test_each_row_keeps_its_place() -> None:
    assert [joined().place(row).line for row in range(3)] == [9, 10, 5]


def test_each_score_has_the_temperature_of_its_model() -> None:
    scores = joined().decisions["liked"].scores[:, 1]

    assert np.allclose(scores, 1 / (1 + np.exp([-1.0, -4.0, -2.0])))


def test_the_logits_are_those_of_tasks_without_a_temperature() -> None:
    judged = joined()

    assert judged.logits["liked"][:, 0].tolist() == [1.0, 4.0, 2.0]
    assert (judged.tasks[0].temperature, judged.tasks[0].abstain_below) == (1.0, None)


def test_figures_are_those_of_the_decisions_of_the_models() -> None:
    judged = joined()

    metrics = multi_task_metrics(judged.logits, judged.labels, judged.tasks, decisions=judged.decisions)

    assert metrics["liked"]["accuracy"] == 1.0
    assert make_report(judged, name="folds", split="test").tasks[0].figures.figures["accuracy"].value == 1.0
