"""The metrics of one task, each with a bootstrap interval.

Shapes: N labelled rows, C classes of one task, R resamples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..answers_multitask import NOT_ASKED, Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import labelled_entries, spearman

OfRows = Callable[[np.ndarray], float]  # a figure of the rows with these indices

RESAMPLES = 1_000
LEVEL = 0.95


class Figure(NamedTuple):
    """A value and its 95% interval from resampled rows (percentile bootstrap, Efron 1979)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class against all others: precision, recall and F1, 0 if undefined, and its rows."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class LabelFigures(ClassFigures):
    """The figures of one label of a multi-label task, and its rows with yes, with no and with nothing."""

    yes: int
    no: int
    nothing: int


@dataclass(frozen=True)
class TaskFigures:
    """The figures of one task.

    Args:
        task: The task.
        rows: N, the number of rows that have a label for the task.
        all_rows: The number of all rows.
        figures: The figures by name, such as `accuracy`.
        classes: The figures of each class by label, for a multi-label task `LabelFigures`. Empty for a regression.
        confusion: (C, C + 1), the number of rows by true and answered class. The last column counts the rows whose
            question was not asked. `None` for several labels and for numbers.
    """

    task: TaskConfig
    rows: int
    all_rows: int
    figures: dict[str, Figure] = field(default_factory=dict)
    classes: Mapping[str, ClassFigures] = field(default_factory=dict)
    confusion: np.ndarray | None = None


def task_figures(
    task: TaskConfig,
    decision: Decision,
    labels: np.ndarray,
    *,
    only: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> TaskFigures:
    """Return the figures of one task on the rows that have a label for it.

    Args:
        task: The task.
        decision: The decision on all rows, as arrays. See `decide_arrays`.
        labels: The labels as in a batch, including missing ones.
        only: The name of a single figure to compute. By default all are computed.
        seed: The seed of the resampling.
        resamples: R.
    """
    present = labelled_entries(labels, task.kind)
    rows = np.asarray(present.reshape(len(present), -1).any(axis=1))
    count = int(rows.sum())
    if count == 0:
        return TaskFigures(task, 0, len(labels))
    labels, present = labels[rows], present[rows]
    scores, answers = decision.scores[rows], decision.chosen[rows]
    if task.kind.one_label:
        confusion = _confusion(labels, answers, len(task.labels or ()))
        measures = _ORDERED if task.kind.ordered else _OF_CONFUSION
        figures = _of_confusion(confusion, _selected(measures, only), seed, resamples)
        return TaskFigures(task, count, len(rows), figures, _classes(task, confusion), confusion)
    if task.kind.is_number:
        of_rows, classes = _of_numbers(answers.astype(float), labels.astype(float)), {}
    else:
        of_rows = _of_positions(answers, scores, labels, present)
        classes = _positions(task, answers, labels, present, len(rows))
    resample = _Resampler(count, seed, resamples)
    figures = {name: resample(measure) for name, measure in _selected(of_rows, only).items()}
    return TaskFigures(task, count, len(rows), figures, classes)


def _selected(measures: dict[str, Any], only: str | None) -> dict[str, Any]:
    return measures if only is None else {only: measures[only]}


def _of_confusion(
    confusion: np.ndarray, measures: dict[str, Callable[[np.ndarray], float]], seed: int, resamples: int
) -> dict[str, Figure]:
    """Return figures with intervals. Drawing rows with replacement equals drawing matrix cells by their counts."""
    cells, rows = np.flatnonzero(confusion), confusion.sum()
    counts = np.random.default_rng(seed).multinomial(rows, confusion.flat[cells] / rows, size=resamples)
    values = np.empty((resamples, len(measures)))
    drawn = np.zeros_like(confusion)
    for i, each in enumerate(counts):
        drawn.flat[cells] = each
        values[i] = [measure(drawn) for measure in measures.values()]
    columns = zip(measures.items(), values.T, strict=True)
    return {name: _figure(measure(confusion), drawn_values) for (name, measure), drawn_values in columns}


def _figure(value: float, drawn: np.ndarray) -> Figure:
    there = drawn[~np.isnan(drawn)]
    low, high = np.quantile(there, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(there) else (np.nan, np.nan)
    return Figure(value, float(low), float(high))


class _Resampler:
    """A sampler that draws rows with replacement, the same rows for every figure of a task."""

    def __init__(self, rows: int, seed: int, resamples: int) -> None:
        self._rows, self._seed, self._resamples = rows, seed, resamples

    def __call__(self, measure: Callable[[np.ndarray], float]) -> Figure:
        rng = np.random.default_rng(self._seed)
        drawn = np.array([measure(rng.integers(self._rows, size=self._rows)) for _ in range(self._resamples)])
        return _figure(measure(np.arange(self._rows)), drawn)


def _confusion(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    columns = np.where(answers == NOT_ASKED, classes, answers)
    return np.bincount(labels * (classes + 1) + columns, minlength=classes * (classes + 1)).reshape(classes, -1)


def _accuracy(confusion: np.ndarray) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and F1, (C,) each. They are 0 if undefined."""
    hits, given, there = np.diag(confusion), confusion.sum(axis=0)[:-1], confusion.sum(axis=1)
    return hits / np.maximum(given, 1), hits / np.maximum(there, 1), 2 * hits / np.maximum(given + there, 1)


def _macro_f1(confusion: np.ndarray) -> float:
    """Return the mean F1 over the classes that occur in labels or answers, as in scikit-learn."""
    occurring = (confusion.sum(axis=0)[:-1] + confusion.sum(axis=1)) > 0
    return float(_precision_recall_f1(confusion)[2][occurring].mean())


def _weighted_f1(confusion: np.ndarray) -> float:
    return float(np.average(_precision_recall_f1(confusion)[2], weights=confusion.sum(axis=1)))


def _quadratic_kappa(confusion: np.ndarray) -> float:
    confusion = confusion[:, :-1]  # only rows that have an answer
    ranks = np.arange(len(confusion))
    distance = np.square(ranks[:, None] - ranks)
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / max(confusion.sum(), 1)
    disagreement = (distance * expected).sum()
    return float(1 - (distance * confusion).sum() / disagreement) if disagreement else 0.0


def _rank_error(confusion: np.ndarray) -> float:
    """Return the mean distance between the ranks of label and answer, or NaN if no row has an answer."""
    confusion = confusion[:, :-1]
    ranks = np.arange(len(confusion))
    errors = (np.abs(ranks[:, None] - ranks) * confusion).sum()
    return float(errors / confusion.sum()) if confusion.any() else float("nan")


_OF_CONFUSION: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
}
_ORDERED = {**_OF_CONFUSION, "mae": _rank_error, "quadratic_kappa": _quadratic_kappa}


def _classes(task: TaskConfig, confusion: np.ndarray) -> dict[str, ClassFigures]:
    columns = zip(*_precision_recall_f1(confusion), confusion.sum(axis=1), strict=True)
    return {
        label: ClassFigures(float(precision), float(recall), float(f1), int(support))
        for label, (precision, recall, f1, support) in zip(task.labels or (), columns, strict=True)
    }


def _of_numbers(answers: np.ndarray, labels: np.ndarray) -> dict[str, OfRows]:
    errors = answers - labels
    return {
        "mae": lambda rows: float(np.abs(errors[rows]).mean()),
        "rmse": lambda rows: float(np.sqrt(np.square(errors[rows]).mean())),
        "spearman": lambda rows: spearman(answers[rows], labels[rows]),
    }


def _of_positions(
    answers: np.ndarray, scores: np.ndarray, labels: np.ndarray, present: np.ndarray
) -> dict[str, OfRows]:
    def counts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        given, there = answers[rows] * present[rows], (labels[rows] == 1).astype(int)
        return (given * there).sum(axis=0), given.sum(axis=0), there.sum(axis=0)

    def micro(rows: np.ndarray) -> float:
        hits, given, there = counts(rows)
        return float(2 * hits.sum() / max(given.sum() + there.sum(), 1))

    def macro(rows: np.ndarray) -> float:
        hits, given, there = counts(rows)
        return float((2 * hits / np.maximum(given + there, 1))[present[rows].any(axis=0)].mean())

    ranked = [_Ranked(*columns) for columns in zip(scores.T, labels.T, present.T, strict=True)]

    def mean_average_precision(rows: np.ndarray) -> float:
        """Return the mean over the labels that at least one row has."""
        counts = np.bincount(rows, minlength=len(labels))
        values = np.array([each.average_precision(counts) for each in ranked])
        return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else float("nan")

    return {
        "accuracy": lambda rows: float((answers == labels)[rows][present[rows]].mean()),
        "micro_f1": micro,
        "macro_f1": macro,
        "average_precision": mean_average_precision,
    }


class _Ranked:
    """The rows of one label sorted by score, so that average precision does not sort them for each resample."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> None:
        rows = np.flatnonzero(present)
        self._order = rows[np.argsort(-scores[rows], kind="stable")]
        self._truth = labels[self._order] == 1
        ranked = scores[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else ranked.astype(int)

    def average_precision(self, counts: np.ndarray) -> float:
        """Return the average precision of rows that occur `counts` times, as in scikit-learn. NaN without the label."""
        weights = counts[self._order]
        hits, given = np.cumsum(weights * self._truth)[self._ends], np.cumsum(weights)[self._ends]
        if len(hits) == 0 or hits[-1] == 0:
            return float("nan")
        return float((np.diff(hits, prepend=0) * hits / np.maximum(given, 1)).sum() / hits[-1])


def _positions(
    task: TaskConfig, answers: np.ndarray, labels: np.ndarray, present: np.ndarray, all_rows: int
) -> dict[str, LabelFigures]:
    classes = {}
    for i, label in enumerate(task.labels or ()):
        there = present[:, i]
        confusion = _confusion(labels[there, i], answers[there, i], 2)
        precision, recall, f1 = (float(each[1]) for each in _precision_recall_f1(confusion))
        no, yes = confusion.sum(axis=1).tolist()
        classes[label] = LabelFigures(precision, recall, f1, yes, yes=yes, no=no, nothing=all_rows - yes - no)
    return classes
