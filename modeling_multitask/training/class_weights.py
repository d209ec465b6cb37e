"""Class weights that depend on the data: counted in training rows, or given by label."""

from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset

from datasets_builder.columns import distribution_column

from ..tasks_multitask import TaskConfig
from ..texts_multitask import plain_rows
from ..words_multitask import nearest_hint
from .soft_targets import numbers_by_label, row_weights_of

BALANCED = "balanced"


def with_resolved_weights(
    task: TaskConfig, rows: Dataset, *, class_weights: Any = None, pos_weight: Any = None
) -> TaskConfig:
    """Return the task with class weights as a list, from its labels and training rows.

    Args:
        task: The task.
        rows: The training rows. Missing labels are not counted. Each row counts with its weight, and a soft label for
            each label with its share.
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
    yes, no = weighted_counts(rows, task)
    if not (yes.any() or no.any()):
        raise ValueError(
            f"task {task.name!r}: its weights cannot be balanced, because no training row has a label for it"
        )
    if class_weights == BALANCED:
        task = replace(task, class_weights=[float(yes.sum() / (len(yes) * each)) if each else 1.0 for each in yes])
    if pos_weight == BALANCED:
        one = slice(1, 2) if task.kind.one_label else slice(None)  # a binary task has a weight for its second label
        pairs = zip(yes[one], no[one], strict=True)
        task = replace(task, pos_weight=[float(n / p) if n and p else 1.0 for p, n in pairs])
    return task


def weighted_counts(rows: Dataset, task: TaskConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the rows with each label and without it, two arrays (C,). Missing labels do not count.

    A soft label counts for each label with its share. Rows without a weight have the weight 1.
    """
    weights, soft = row_weights_of(rows), distribution_column(task.name)
    if soft not in rows.column_names and not task.kind.several_labels:
        ids = np.array([-1 if label is None else label for label in plain_rows(rows)[task.name]])
        known = ids >= 0
        yes = np.bincount(ids[known], weights=weights[known], minlength=len(task.labels or ()))
        return yes, yes.sum() - yes
    shares = numbers_by_label(rows, soft if soft in rows.column_names else task.name, task.labels or [])
    there = ~np.isnan(shares)
    return weights @ np.where(there, shares, 0), weights @ np.where(there, 1 - shares, 0)


def _by_label(weights: dict[str, float], task: TaskConfig) -> list[float]:
    labels = task.labels or []
    for name in weights:
        if name not in labels:
            raise ValueError(
                f"task {task.name!r}: class_weights has {name!r}, which is not one of its {len(labels)} labels"
                f"{nearest_hint(name, labels)}"
            )
    return [weights.get(label, 1.0) for label in labels]
