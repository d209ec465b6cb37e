"""Weights of classes that wait for the data: counted from training rows, or given by label."""

from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset

from ..tasks_multitask import TaskConfig
from ..words_multitask import nearest_hint

BALANCED = "balanced"


def with_resolved_weights(
    task: TaskConfig, rows: Dataset, *, class_weights: Any = None, pos_weight: Any = None
) -> TaskConfig:
    """The task with the weights that could not be written as a list before its labels and rows were known.

    Args:
        task: The task.
        rows: The training rows; the labels that are missing in them are not counted.
        class_weights: `balanced` gives each class the number of labels over C times its own, as scikit-learn's
            `compute_class_weight` does; a class that does not occur has the weight 1. A dict gives the weights of
            the labels it names, and 1 to the others.
        pos_weight: `balanced` gives the number of negative entries over that of positive ones.

    Raises:
        ValueError: If a dict names what is not a label, or no row has a label for the task.
    """
    if isinstance(class_weights, dict):
        task = replace(task, class_weights=_by_label(class_weights, task))
    if BALANCED not in (class_weights, pos_weight):
        return task
    labels = _labels(rows, task)
    if not (labels >= 0).any():
        raise ValueError(f"task {task.name!r}: its weights are to be balanced, but no training row has a label for it")
    if class_weights == BALANCED:
        task = replace(task, class_weights=balanced_class_weights(labels[:, 0], len(task.labels or ())))
    if pos_weight == BALANCED:
        task = replace(task, pos_weight=balanced_pos_weight(labels))
    return task


def balanced_class_weights(labels: np.ndarray, count: int) -> list[float]:
    """The weight of each class; negative labels are missing ones."""
    counts = np.bincount(labels[labels >= 0], minlength=count)
    return [float(counts.sum() / (count * each)) if each else 1.0 for each in counts]


def balanced_pos_weight(labels: np.ndarray) -> list[float]:
    """The weight of the positive entries of each column; 1 where it has none, or no negative one."""
    positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    return [float(n / p) if n and p else 1.0 for n, p in zip(negatives, positives, strict=True)]


def _by_label(weights: dict[str, float], task: TaskConfig) -> list[float]:
    labels = task.labels or []
    for name in weights:
        if name not in labels:
            raise ValueError(
                f"task {task.name!r}: class_weights names {name!r}, which is none of its {len(labels)} labels"
                f"{nearest_hint(name, labels)}"
            )
    return [weights.get(label, 1.0) for label in labels]


def _labels(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """(N, 1) ids, or (N, C) zeros and ones; -1 where missing."""
    if not task.kind.several_labels:
        return np.array([[-1 if label is None else label] for label in rows[task.name]])
    names = task.labels or []
    entries = [[None if row is None else row[name] for name in names] for row in rows[task.name]]
    return np.array([[-1 if entry is None else entry for entry in row] for row in entries])
