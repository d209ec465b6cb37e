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
from .label_columns import labels_of_table


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
        return _jaccard(labels)
    if task.kind.is_number:
        numbers = labels.log1p() if task.transform == "log1p" else labels
        similar = (-_distances(numbers) / task.unit).exp()
    elif task.kind.ordered:
        places = _shares(labels, task) @ torch.linspace(0, 1, len(task.labels or ()), device=labels.device)
        similar = 1 - _distances(places)
    else:
        shares = _shares(labels, task)
        similar = torch.minimum(shares[:, None], shares[None]).sum(dim=-1)
    known = task.kind.labelled_entries(labels)
    return similar.where(known[:, None] & known[None], torch.nan)


def label_classes(
    rows: Dataset, tasks: list[TaskConfig], list_forms: Mapping[str, ListForm] | None = None
) -> np.ndarray:
    """Return the number of the label of each row for each task, (N, K); -1 where it is missing, and for numbers.

    Rows with the same set of labels of a multi-label task have the same number.

    Args:
        rows: The training rows.
        tasks: All tasks.
        list_forms: How lists of numbers are written, by task name. By default the rows decide.
    """
    labels = labels_of_table(rows, tasks, list_forms)
    return np.stack([_classes(labels[task.name].numpy(), task) for task in tasks], axis=1)


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


def _jaccard(labels: Tensor) -> Tensor:
    """Return the Jaccard index of each pair of sets, over the labels that are known for both; NaN if there are none."""
    known, sets = (labels >= 0).float(), labels.float().nan_to_num(0).clamp(min=0)
    own = sets[:, None] * known[None]  # (B, B, C), the labels of a row that are known for the other
    others = own.transpose(0, 1)
    both, either = torch.minimum(own, others).sum(dim=-1), torch.maximum(own, others).sum(dim=-1)
    similar = torch.where(either > 0, both / either.where(either > 0, 1), 1)  # two empty sets are equal
    return similar.where(known @ known.T > 0, torch.nan)
