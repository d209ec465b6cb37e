"""The similarity of the labels of two rows, and rows with the same label.

Shapes: B rows of a batch, N rows of a table, K tasks, C labels of one task.
"""

from collections.abc import Mapping

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn import functional as F

from datasets_builder.label_lists import ListForm

from ..tasks_multitask import TaskConfig
from .label_columns import targets_of_table
from .soft_targets import most_probable


def label_similarity(labels: Tensor, task: TaskConfig) -> Tensor:
    """Return the similarity of each pair of labels, (B, B), from 0 to 1, and NaN where a label is missing.

    Two rows with the same label have the similarity 1. Other labels of a classification have 0, ordinal labels lose
    1 / (C - 1) for each step between them, and sets of labels have the share of their union that both contain (Jaccard
    index). The similarity of two numbers is exp(-d), where d is their distance in standard deviations of the training
    targets.

    Args:
        labels: As for `masked_loss`; soft labels are (B, C) probabilities.
        task: The task.
    """
    if task.kind.several_labels:
        return _jaccard(labels, soft=task.kind.is_soft(labels))
    if task.kind.is_number:
        numbers = labels.log1p() if task.transform == "log1p" else labels
        similar = (-_distances(numbers) / task.unit).exp()
    elif task.kind.ordered:
        places = _shares(labels, task) @ torch.linspace(0, 1, len(task.labels or ()), device=labels.device)
        similar = 1 - _distances(places)
    else:
        similar = _common(_shares(labels, task), soft=task.kind.is_soft(labels))
    known = task.kind.labelled_entries(labels)
    return similar.where(known[:, None] & known[None], torch.nan)


def label_classes(
    rows: Dataset, tasks: list[TaskConfig], list_forms: Mapping[str, ListForm] | None = None
) -> np.ndarray:
    """Return the number of the label of each row for each task, (N, K); -1 where it is missing, and for numbers.

    Rows with the same set of labels of a multi-label task have the same number. A soft label counts as its most
    probable label.

    Args:
        rows: The training rows.
        tasks: All tasks.
        list_forms: How lists of numbers are written, by task name. By default the rows decide.
    """
    targets = {name: each.numpy() for name, each in targets_of_table(rows, tasks, list_forms)["labels"].items()}
    labels = most_probable(targets, tasks)
    return np.stack([_classes(labels[task.name], task) for task in tasks], axis=1)


def _classes(labels: np.ndarray, task: TaskConfig) -> np.ndarray:
    if task.kind.is_number:
        return np.full(len(labels), -1)
    if not task.kind.several_labels:
        return labels
    known = (labels >= 0).all(axis=1)
    return np.where(known, np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1), -1)


def _distances(numbers: Tensor) -> Tensor:
    return (numbers[:, None] - numbers[None]).abs()


def _shares(labels: Tensor, task: TaskConfig) -> Tensor:
    """Return the probability of each label, (B, C)."""
    if task.kind.is_soft(labels):
        return labels.float().nan_to_num(0)
    return F.one_hot(labels.clamp(min=0), len(task.labels or ())).float()


def _common(shares: Tensor, *, soft: bool) -> Tensor:
    """Return the sum of the smaller share of each label, for each pair of rows, (B, B).

    The shares of all labels of all pairs, (B, B, C), do not fit into memory: they have 0.8 GB for 256 rows and 3,000
    labels.

    Args:
        shares: (B, C).
        soft: Whether there are shares other than 0 and 1.
    """
    return torch.stack([torch.minimum(row, shares).sum(dim=-1) for row in shares]) if soft else shares @ shares.T


def _jaccard(labels: Tensor, *, soft: bool) -> Tensor:
    """Return the Jaccard index of each pair of sets, over the labels that are known for both; NaN if there are none."""
    known, sets = (labels >= 0).float(), labels.float().nan_to_num(0).clamp(min=0)
    own = sets @ known.T  # (B, B), the size of a set without the labels that are unknown for the other
    both = _common(sets, soft=soft)
    either = own + own.T - both
    similar = torch.where(either > 0, both / either.where(either > 0, 1), 1)  # two empty sets are equal
    return similar.where(known @ known.T > 0, torch.nan)
