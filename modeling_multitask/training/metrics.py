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
from sklearn.metrics import cohen_kappa_score, r2_score
from transformers import EvalPrediction

from ..answers_multitask import NOT_ASKED, Decision, decide
from ..kinds_multitask import KINDS, Kind
from ..losses_multitask import loss_divisor, masked_loss
from ..tasks_multitask import TaskConfig
from .label_hits import f1_of_counts, label_hits, rows_without_error
from .row_parts import row_parts
from .soft_targets import most_probable

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
        kind = KINDS[str(self.config_name)]
        return answer_metrics(np.asarray(predictions), np.asarray(references), kind, classes=self._classes)


def task_metrics(task: TaskConfig, answers: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the metrics of the answers to a task, without a loss. See `answer_metrics`."""
    return answer_metrics(answers, labels, task.kind, classes=len(task.labels or ()) or None)


def answer_metrics(
    answers: np.ndarray, labels: np.ndarray, kind: Kind, *, classes: int | None = None
) -> dict[str, float]:
    """Return the metrics of the answers to one task without a loss, as a `TaskMetric` does.

    Args:
        answers: Ids or numbers, (N,), or zeros and ones, (N, C).
        labels: The labels as in a batch.
        kind: The kind of the task.
        classes: The number of labels of an ordinal regression. By default the largest id that occurs, plus 1.
    """
    rows = int(labelled_rows_of(labels, kind).sum())
    if rows == 0:
        return {"rows": 0}
    if kind.several_labels:
        return {"rows": rows, **_label_metrics(answers, labels, kind)}
    present = labelled_entries(labels, kind)
    answers, labels = answers[present], labels[present]
    if kind.is_number:
        return {"rows": rows, **_number_metrics(answers.astype(float), labels.astype(float))}
    metrics = {"rows": rows, **_class_metrics(answers, labels)}
    if kind.ordered:
        answers = np.where(answers == NOT_ASKED, farthest(labels, classes or int(labels.max()) + 1), answers)
        metrics |= _rank_metrics(answers, labels)
    return metrics


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
    rows, whole = len(logits[tasks[0].name]), dict[str, Decision]()
    for part in row_parts(rows, max(logits[task.name][:1].size for task in tasks)):
        decided = decide({task.name: torch.from_numpy(logits[task.name][part]) for task in tasks}, tasks)
        for task in tasks:
            fields = [each.numpy() for each in decided[task.name]]
            if task.name not in whole:
                whole[task.name] = Decision(*(np.empty((rows, *each.shape[1:]), each.dtype) for each in fields))
                if task.kind.several_labels:  # zeros and ones
                    whole[task.name] = whole[task.name]._replace(chosen=np.empty((rows, *fields[1].shape[1:]), np.int8))
            for field, each in zip(whole[task.name], fields, strict=True):
                field[part] = each
    return whole


def mean_loss(logits: np.ndarray, labels: np.ndarray, task: TaskConfig, *, temperature: float = 1.0) -> float:
    """Return the mean loss of the labelled entries, computed in float64 a few rows at a time.

    Args:
        logits: (N, C), in any precision.
        labels: The labels as in a batch.
        task: The task, with its loss, weights and smoothing.
        temperature: The logits are divided by it.
    """
    truth = torch.from_numpy(labels)
    parts = list(row_parts(len(logits), logits[:1].size))
    divisor = torch.stack([loss_divisor(truth[part], task) for part in parts]).sum()
    losses = [
        masked_loss(torch.from_numpy(logits[part]).double() / temperature, truth[part], task, divisor) for part in parts
    ]
    return sum(each.item() for each in losses)


def labelled_entries(labels: np.ndarray, kind: Kind) -> np.ndarray:
    """Return which entries have a label, in the shape of `labels`."""
    return kind.labelled(torch.from_numpy(labels)).numpy()


def labelled_rows_of(labels: np.ndarray, kind: Kind) -> np.ndarray:
    """Return which rows have a label, or with several labels at least one, (N,)."""
    return np.asarray(labelled_entries(labels, kind).reshape(len(labels), -1).any(axis=1))


def part_of(decision: Decision, rows: np.ndarray | list[int] | slice) -> Decision:
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
    metrics = task_metrics(task, decision.chosen, known)
    return {**metrics, "loss": mean_loss(logits, labels, task)} if metrics["rows"] else metrics


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
    classes, places = np.unique(np.stack([references, predictions]), return_inverse=True)
    truth, given = places.reshape(2, -1)
    right = truth == given
    counts = [np.bincount(each, minlength=len(classes)) for each in (truth[right], given, truth)]
    return {"accuracy": float(right.mean()), "macro_f1": float(f1_of_counts(*counts)[classes != NOT_ASKED].mean())}


def _label_metrics(predictions: np.ndarray, references: np.ndarray, kind: Kind) -> dict[str, float]:
    """Return the metrics of several labels, (N, C). Entries without a reference count as right."""
    counts, labelled = label_hits(predictions, references), labelled_rows_of(references, kind)
    hits, given, there, entries = counts
    return {
        "micro_f1": float(f1_of_counts(hits.sum(), given.sum(), there.sum())),
        "macro_f1": float(f1_of_counts(hits, given, there)[entries > 0].mean()),
        "subset_accuracy": float(rows_without_error(predictions, references)[labelled].mean()),
        "accuracy": float((entries - counts.wrong).sum() / entries.sum()),
    }


def _rank_metrics(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """Return the mean absolute error of the ranks (N,), and Cohen's kappa with quadratic weights."""
    occurring = np.concatenate([predictions, references])
    # With the ranks in between that do not occur: without them, distant ranks would count as neighbours.
    ranks = np.arange(occurring.min(), occurring.max() + 1)
    several = len(ranks) > 1
    kappa = float(cohen_kappa_score(references, predictions, labels=ranks, weights="quadratic")) if several else 0.0
    return {"mae": float(np.abs(predictions - references).mean()), "kappa": kappa, "quadratic_kappa": kappa}
