"""The figures of one task, each with an interval.

Shapes: N labelled rows, C classes of one task.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.label_hits import label_hits, rows_without_error
from ..training.metrics import labelled_rows_of, part_of
from ..training.row_parts import index_of
from .confusions import class_counts, confusion_matrix
from .intervals import RESAMPLES, Figure, bootstrapped, f1_figures, share, shares
from .measures import task_measures


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class against all others: precision, recall and F1, 0 if undefined, and its rows."""

    precision: Figure
    recall: Figure
    f1: Figure
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
        resamples: The number of resamples.
    """
    rows = labelled_rows_of(labels, task.kind)
    count = int(rows.sum())
    if count == 0:
        return TaskFigures(task, 0, len(labels))
    own = index_of(rows)
    decision, labels = part_of(decision, own), labels[own]
    figures, measures = _shares(task, decision.chosen, labels), task_measures(task, decision, labels)
    if only not in figures:
        chosen = {name: each for name, each in measures.figures.items() if only in (None, name) and name not in figures}
        figures |= bootstrapped(measures._replace(figures=chosen), seed=seed, resamples=resamples)
    if only is not None:
        return TaskFigures(task, count, len(rows), {only: figures[only]})
    figures = {name: figures[name] for name in (*task.kind.metrics, *figures)}
    if task.kind.is_number:
        return TaskFigures(task, count, len(rows), figures)
    if task.kind.several_labels:
        return TaskFigures(task, count, len(rows), figures, _positions(task, decision.chosen, labels, len(rows)))
    confusion = confusion_matrix(labels, decision.chosen, len(task.labels or ()))
    return TaskFigures(task, count, len(rows), figures, _classes(task, confusion), confusion)


def _shares(task: TaskConfig, answers: np.ndarray, labels: np.ndarray) -> dict[str, Figure]:
    """Return the figures that are a share of the rows."""
    if task.kind.is_number:
        return {}
    if task.kind.several_labels:
        return {"subset_accuracy": share(rows_without_error(answers, labels).sum(), len(labels))}
    return {"accuracy": share((answers == labels).sum(), len(labels))}


def _classes(task: TaskConfig, confusion: np.ndarray) -> dict[str, ClassFigures]:
    hits, given, there = class_counts(confusion)
    columns = zip(shares(hits, given), shares(hits, there), f1_figures(hits, given, there), there.tolist(), strict=True)
    return {label: ClassFigures(*each) for label, each in zip(task.labels or (), columns, strict=True)}


def _positions(task: TaskConfig, answers: np.ndarray, labels: np.ndarray, all_rows: int) -> dict[str, ClassFigures]:
    hits, given, yes, entries = label_hits(answers, labels)
    columns = zip(shares(hits, given), shares(hits, yes), f1_figures(hits, given, yes), yes.tolist(), strict=True)
    counts = zip(yes.tolist(), (entries - yes).tolist(), (all_rows - entries).tolist(), strict=True)
    found = zip(task.labels or (), columns, counts, strict=True)
    return {label: LabelFigures(*each, *answered) for label, each, answered in found}
