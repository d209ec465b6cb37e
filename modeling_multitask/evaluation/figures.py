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
from .intervals import RESAMPLES, Figure, Measures, bootstrapped, f1_figures, share, share_figures
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
    measures = task_measures(task, decision, labels)
    figures = row_figures(task, decision.chosen, labels, measures, only=only, seed=seed, resamples=resamples)
    if only is not None:
        return TaskFigures(task, count, len(rows), figures)
    if task.kind.is_number:
        return TaskFigures(task, count, len(rows), figures)
    if task.kind.several_labels:
        return TaskFigures(task, count, len(rows), figures, _positions(task, decision.chosen, labels, len(rows)))
    confusion = confusion_matrix(labels, decision.chosen, len(task.labels or ()))
    return TaskFigures(task, count, len(rows), figures, _classes(task, confusion), confusion)


def row_figures(
    task: TaskConfig,
    answers: np.ndarray,
    labels: np.ndarray,
    measures: Measures,
    *,
    only: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Figure]:
    """Return the figures of one task on rows that all have a label for it, by name.

    Args:
        task: The task.
        answers: The answers to N rows, as in a `Decision`.
        labels: Their labels as in a batch.
        measures: Those of `task_measures` for these rows.
        only: The name of a single figure to compute. By default all are computed.
        seed: The seed of the resampling.
        resamples: The number of resamples.
    """
    figures = _shares(task, answers, labels)
    if only not in figures:
        chosen = {name: each for name, each in measures.figures.items() if only in (None, name) and name not in figures}
        figures |= bootstrapped(measures._replace(figures=chosen), seed=seed, resamples=resamples)
    return {name: figures[name] for name in ((*task.kind.metrics, *figures) if only is None else [only])}


def _shares(task: TaskConfig, answers: np.ndarray, labels: np.ndarray) -> dict[str, Figure]:
    """Return the figures that are a share of the rows."""
    if task.kind.is_number:
        return {}
    if task.kind.several_labels:
        return {"subset_accuracy": share(rows_without_error(answers, labels).sum(), len(labels))}
    return {"accuracy": share((answers == labels).sum(), len(labels))}


def _classes(task: TaskConfig, confusion: np.ndarray) -> dict[str, ClassFigures]:
    counts = class_counts(confusion)
    found = zip(task.labels or (), *_of_labels(*counts), counts.there.tolist(), strict=True)
    return {label: ClassFigures(*each) for label, *each in found}


def _positions(task: TaskConfig, answers: np.ndarray, labels: np.ndarray, all_rows: int) -> dict[str, ClassFigures]:
    hits, given, yes, entries = label_hits(answers, labels)
    counts = [each.tolist() for each in (yes, yes, entries - yes, all_rows - entries)]
    found = zip(task.labels or (), *_of_labels(hits, given, yes), *counts, strict=True)
    return {label: LabelFigures(*each) for label, *each in found}


def _of_labels(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> tuple[list[Figure], ...]:
    """Return the precision, the recall and the F1 of each label."""
    return share_figures(hits, given), share_figures(hits, there), f1_figures(hits, given, there)
