"""Class weights that depend on the data: counted in training rows, or given by label."""

from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset

from ..tasks_multitask import TaskConfig
from ..texts_multitask import plain_rows
from ..words_multitask import nearest_hint

BALANCED = "balanced"


def with_resolved_weights(
    task: TaskConfig, rows: Dataset, *, class_weights: Any = None, pos_weight: Any = None
) -> TaskConfig:
    """Return the task with class weights as a list, from its labels and training rows.

    Args:
        task: The task.
        rows: The training rows. Missing labels are not counted.
        class_weights: `balanced` sets the weight of a class to the number of all labels over C times the number of its
            own, as in scikit-learn's `compute_class_weight`. A class that does not occur has the weight 1. A dict sets
            the weights of its labels, and 1 for the others.
        pos_weight: `balanced` sets the number of negative entries over the number of positive ones.

    Raises:
        ValueError: If a key of the dict is not a label, or no row has a label for the task.
    """
    if isinstance(class_weights, dict):
        task = replace(task, class_weights=_by_label(class_weights, task))
    if BALANCED not in (class_weights, pos_weight):
        return task
    labels = _labels(rows, task)
    if not (labels >= 0).any():
        raise ValueError(
            f"task {task.name!r}: its weights cannot be balanced, because no training row has a label for it"
        )
    if class_weights == BALANCED:
        task = replace(task, class_weights=balanced_class_weights(labels[:, 0], len(task.labels or ())))
    if pos_weight == BALANCED:
        task = replace(task, pos_weight=balanced_pos_weight(labels))
    return task


def balanced_class_weights(labels: np.ndarray, count: int) -> list[float]:
    """Return the weight of each class. Negative labels are missing."""
    counts = np.bincount(labels[labels >= 0], minlength=count)
    return [float(counts.sum() / (count * each)) if each else 1.0 for each in counts]


def balanced_pos_weight(labels: np.ndarray) -> list[float]:
    """Return the weight of the positive entries of each column; 1 if it has no positive or no negative entry."""
    positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    return [float(n / p) if n and p else 1.0 for n, p in zip(negatives, positives, strict=True)]


def _by_label(weights: dict[str, float], task: TaskConfig) -> list[float]:
    labels = task.labels or []
    for name in weights:
        if name not in labels:
            raise ValueError(
                f"task {task.name!r}: class_weights has {name!r}, which is not one of its {len(labels)} labels"
                f"{nearest_hint(name, labels)}"
            )
    return [weights.get(label, 1.0) for label in labels]


def _labels(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """Return ids, (N, 1), or zeros and ones, (N, C); -1 for a missing label."""
    column = plain_rows(rows)[task.name]
    if not task.kind.several_labels:
        return np.array([[-1 if label is None else label] for label in column])
    names = task.labels or []
    entries = [[None if row is None else row[name] for name in names] for row in column]
    return np.array([[-1 if entry is None else entry for entry in row] for row in entries])
