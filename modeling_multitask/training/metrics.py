"""The metrics of each task, over the rows that have a label for it.

Shapes: N rows of a whole evaluation set, C classes of one task.
"""

from collections.abc import Callable
from typing import Any

import datasets
import evaluate
import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, f1_score, r2_score
from transformers import EvalPrediction

from ..answers_multitask import NOT_ASKED, Decision, decide
from ..kinds_multitask import KINDS, Kind
from ..losses_multitask import masked_loss
from ..tasks_multitask import TaskConfig
from .soft_targets import most_probable

ROWS_AT_ONCE = 1024  # rows that are decided together

_DESCRIPTION = """The metrics of one task, over the entries with a reference. Classes: accuracy and macro-F1. Several
labels: also micro-F1, and the share of rows without an error (subset accuracy). Ordered classes: also the mean absolute
error and quadratic kappa. Numbers: errors, R² and rank correlation. A missing reference is -100 for a class and NaN for
a number. A prediction of -1 means no answer and counts as wrong, among ordered classes as the farthest one."""
_INPUTS = """predictions, references: one entry per row; for a multi-label task, a list of zeros and ones."""
_CITATION = """@article{scikit-learn, title={Scikit-learn: Machine Learning in {P}ython}, author={Pedregosa et al.},
journal={Journal of Machine Learning Research}, volume={12}, pages={2825--2830}, year={2011}}"""


class TaskMetric(evaluate.Metric):
    """The metrics of one task, as an `evaluate.Metric` that needs no download.

    Args:
        config_name: The task's problem type.
        classes: The number of labels of an ordinal regression. By default the largest id that occurs, plus 1.

    Example:
        >>> metric = TaskMetric("single_label_classification")
        >>> metric.compute(predictions=[0, 1, 1], references=[0, 1, -100])
        {'rows': 2, 'accuracy': 1.0, 'macro_f1': 1.0}
    """

    def __init__(self, config_name: str, *, classes: int | None = None, **kwargs: Any) -> None:
        super().__init__(config_name=config_name, keep_in_memory=True, **kwargs)
        self._classes = classes

    def _info(self) -> evaluate.MetricInfo:
        kind = KINDS[str(self.config_name)]
        entry: Any = datasets.Value("float64" if kind.is_number else "int64")
        if kind.several_labels:
            entry = datasets.Sequence(entry)
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": entry, "references": entry}),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        predictions, references = np.asarray(predictions), np.asarray(references)
        kind = KINDS[str(self.config_name)]
        present = labelled_entries(references, kind)
        rows = int(labelled_rows_of(references, kind).sum())
        if rows == 0:
            return {"rows": 0}
        if kind.is_number:
            return {"rows": rows, **_number_metrics(predictions[present], references[present])}
        if kind.several_labels:
            return {"rows": rows, **_label_metrics(predictions, references, present)}
        metrics = {"rows": rows, **_class_metrics(predictions[present], references[present])}
        if kind.ordered:
            known, classes = references[present], self._classes or int(references[present].max()) + 1
            answers = np.where(predictions[present] == NOT_ASKED, farthest(known, classes), predictions[present])
            metrics |= _rank_metrics(answers, known)
        return metrics


def task_metric(task: TaskConfig) -> TaskMetric:
    """Return the metrics of a task."""
    return TaskMetric(task.problem_type, classes=len(task.labels or ()) or None)


def multi_task_metrics(
    logits: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    tasks: list[TaskConfig],
    *,
    decisions: dict[str, Decision] | None = None,
) -> dict[str, Any]:
    """Return the loss and the metrics of each task, and the aggregate `score`.

    Args:
        logits: The logits by task name, (N, C).
        labels: The labels by task name, as in a batch. The `loss` is that of soft labels, and the metrics are those of
            the most probable labels.
        tasks: The model's tasks.
        decisions: The decisions by task name, if several models have judged the rows. By default those of `tasks`.

    Returns:
        A dict of `rows`, `loss` and metrics by task name; only `rows` for a task without labelled rows. `score` is the
        mean of `score_of` over the tasks with labelled rows, or 0 without any.
    """
    decisions = decide_arrays(logits, tasks) if decisions is None else decisions
    known = most_probable(labels, tasks)
    metrics: dict[str, Any] = {
        task.name: _task_metrics(decisions[task.name], logits[task.name], labels[task.name], known[task.name], task)
        for task in tasks
    }
    mains = [score_of(task, metrics[task.name], known[task.name]) for task in tasks if metrics[task.name]["rows"]]
    return {**metrics, "score": float(np.mean(mains)) if mains else 0.0}


def score_of(task: TaskConfig, metrics: dict[str, float], labels: np.ndarray) -> float:
    """Return the part of a task in the `score`: its main metric, or 0 if it has none.

    An error counts as 1 - error / error of the best constant answer to these rows, as in R², so that tasks in different
    units can be added.

    Args:
        task: The task.
        metrics: The metrics of the task.
        labels: The labels as in a batch, with at least one that is not missing.
    """
    value = metrics[task.main_metric]
    if task.main_metric in _ERRORS:
        constant = _ERRORS[task.main_metric](labels[labelled_entries(labels, task.kind)])
        value = 1 - value / constant if constant else 0.0
    return value if np.isfinite(value) else 0.0


def flat_metrics(prediction: EvalPrediction, tasks: list[TaskConfig]) -> dict[str, float]:
    """Return the metrics with the keys of the Trainer: `<task>_accuracy`, ..., `score`."""
    metrics = multi_task_metrics(prediction.predictions, prediction.label_ids, tasks)
    flat = {f"{task.name}_{name}": value for task in tasks for name, value in metrics[task.name].items()}
    return {**flat, "score": metrics["score"]}


def decide_arrays(logits: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, Decision]:
    """Return the decisions of each task, as `decide` does, for arrays."""
    # A dependent label has a score for each pair of labels: for a whole evaluation set, these are many gigabytes.
    parts = zip(*(torch.from_numpy(logits[task.name]).split(ROWS_AT_ONCE) for task in tasks), strict=True)
    names = [task.name for task in tasks]
    decided = [decide(dict(zip(names, part, strict=True)), tasks) for part in parts]
    return {name: Decision(*map(np.concatenate, zip(*(part[name] for part in decided), strict=True))) for name in names}


def labelled_entries(labels: np.ndarray, kind: Kind) -> np.ndarray:
    """Return which entries have a label, in the shape of `labels`."""
    return kind.labelled(torch.from_numpy(labels)).numpy()


def labelled_rows_of(labels: np.ndarray, kind: Kind) -> np.ndarray:
    """Return which rows have a label, or with several labels at least one, (N,)."""
    return np.asarray(labelled_entries(labels, kind).reshape(len(labels), -1).any(axis=1))


def part_of(decision: Decision, rows: np.ndarray) -> Decision:
    """Return the decision, as arrays, on some of its rows."""
    return Decision(*(None if each is None else each[rows] for each in decision))


def farthest(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the rank that is farthest from each of N ranks. A row without an answer counts as this answer."""
    return np.where(2 * labels > classes - 1, 0, classes - 1)


def spearman(predictions: np.ndarray, references: np.ndarray) -> float:
    """Return the rank correlation of numbers (N,); 0 instead of NaN if one of the two is constant."""
    if np.ptp(predictions) == 0 or np.ptp(references) == 0:
        return 0.0
    return float(spearmanr(predictions, references).statistic)


def r2(predictions: np.ndarray, references: np.ndarray) -> float:
    """Return the coefficient of determination of numbers (N,); 0 if all references are equal."""
    return float(r2_score(references, predictions)) if np.ptp(references) > 0 else 0.0


def _task_metrics(
    decision: Decision, logits: np.ndarray, labels: np.ndarray, known: np.ndarray, task: TaskConfig
) -> dict[str, float]:
    metrics = task_metric(task).compute(predictions=decision.chosen, references=known)
    if metrics["rows"]:
        loss = masked_loss(torch.from_numpy(logits).double(), torch.from_numpy(labels), task)
        metrics["loss"] = loss.item()
    return metrics


# The error of the best constant answer to labels (N,), by metric.
_ERRORS: dict[str, Callable[[np.ndarray], float]] = {
    "mae": lambda labels: float(np.abs(labels - np.median(labels)).mean()),
    "rmse": lambda labels: float(labels.std()),
}


def _number_metrics(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    errors = predictions - references
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt(np.square(errors).mean())),
        "r2": r2(predictions, references),
        "spearman": spearman(predictions, references),
    }


def _class_metrics(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Return accuracy, and macro-F1 over the classes that occur. A row without an answer is a miss, not a class."""
    classes = np.union1d(predictions, references)
    macro_f1 = _f1(predictions, references, average="macro", labels=classes[classes != NOT_ASKED])
    return {"accuracy": float((predictions == references).mean()), "macro_f1": macro_f1}


def _label_metrics(predictions: np.ndarray, references: np.ndarray, present: np.ndarray) -> dict[str, float]:
    """Return the metrics of several labels, (N, C). Entries without a reference count as right."""
    right = predictions == references
    columns = zip(predictions.T, references.T, present.T, strict=True)
    f1_of_labels = [_f1(p[m], r[m], average="binary") for p, r, m in columns if m.any()]
    return {
        "micro_f1": _f1(predictions[present], references[present], average="binary"),
        "macro_f1": float(np.mean(f1_of_labels)),
        "subset_accuracy": float((right | ~present)[present.any(axis=1)].all(axis=1).mean()),
        "accuracy": float(right[present].mean()),
    }


def _rank_metrics(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Return the mean absolute error of the ranks (N,), and Cohen's kappa with quadratic weights."""
    occurring = np.concatenate([predictions, references])
    # With the ranks in between that do not occur: without them, distant ranks would count as neighbours.
    ranks = np.arange(occurring.min(), occurring.max() + 1)
    several = len(ranks) > 1
    kappa = float(cohen_kappa_score(references, predictions, labels=ranks, weights="quadratic")) if several else 0.0
    return {"mae": float(np.abs(predictions - references).mean()), "kappa": kappa, "quadratic_kappa": kappa}


def _f1(predictions: np.ndarray, references: np.ndarray, *, average: str, labels: Any = None) -> float:
    return float(f1_score(references, predictions, average=average, labels=labels, zero_division=0))
