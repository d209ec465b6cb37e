"""The figures of confusion matrices: one matrix, or many at once.

A matrix has a row for each true label and a column for each answer. The last column counts the rows whose question was
not asked. Counts may be fractions.

Shapes: R matrices (any leading dimensions), C classes. A confusion is (R, C, C + 1).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..answers_multitask import NOT_ASKED
from ..training.metrics import farthest

OfConfusions = Callable[[np.ndarray], np.ndarray]  # (R, C, C + 1) to (R,)


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion, (C, C + 1), of labels (N,) and answers (N,), which are ids or `NOT_ASKED`."""
    return np.bincount(confusion_cells(labels, answers, classes), minlength=classes * (classes + 1)).reshape(
        classes, -1
    )


def confusion_table(labels: list[str], confusion: np.ndarray) -> list[list[Any]]:
    """Return a table with a header: one row for each true label, one column for each answer.

    Args:
        labels: C names.
        confusion: (C, C + 1).
    """
    lines = [[label, *line] for label, line in zip(labels, confusion.tolist(), strict=True)]
    return [["label", *labels, "(not asked)"], *lines]


def confusion_cells(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Return the place of each row in a flat confusion, (N,)."""
    return labels * (classes + 1) + np.where(answers == NOT_ASKED, classes, answers)


def class_counts(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the right answers, all answers and all rows of each class, (R, C) each."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    return hits, confusions.sum(axis=-2)[..., :-1], confusions.sum(axis=-1)


def f1_of_counts(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return F1 from the number of right answers, of answers and of rows with the label. It is 0 if undefined."""
    total = given + there
    return 2 * hits / np.where(total > 0, total, 1)


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """Return the share of right answers."""
    return np.diagonal(confusions, axis1=-2, axis2=-1).sum(axis=-1) / confusions.sum(axis=(-2, -1))


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """Return the mean F1 over the classes that occur in labels or answers, as in scikit-learn."""
    hits, given, there = class_counts(confusions)
    occurring = (given + there) > 0
    return (f1_of_counts(hits, given, there) * occurring).sum(axis=-1) / occurring.sum(axis=-1)


def weighted_f1(confusions: np.ndarray) -> np.ndarray:
    """Return the mean F1, weighted by the rows of each class."""
    hits, given, there = class_counts(confusions)
    return (f1_of_counts(hits, given, there) * there).sum(axis=-1) / there.sum(axis=-1)


def quadratic_kappa(confusions: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa with quadratic weights; 0 if undefined. See `_answered` for rows without an answer."""
    answered = _answered(confusions)
    squares = np.square(_distances(answered))
    rows = np.maximum(answered.sum(axis=(-2, -1)), np.finfo(float).tiny)
    expected = answered.sum(axis=-1)[..., :, None] * answered.sum(axis=-2)[..., None, :] / rows[..., None, None]
    disagreement = (squares * expected).sum(axis=(-2, -1))
    possible = disagreement > 0
    return np.where(possible, 1 - (squares * answered).sum(axis=(-2, -1)) / np.where(possible, disagreement, 1), 0.0)


def rank_error(confusions: np.ndarray) -> np.ndarray:
    """Return the mean distance between the ranks of label and answer. See `_answered` for rows without an answer."""
    answered = _answered(confusions)
    return (_distances(answered) * answered).sum(axis=(-2, -1)) / answered.sum(axis=(-2, -1))


OF_CONFUSION: dict[str, OfConfusions] = {"accuracy": accuracy, "macro_f1": macro_f1, "weighted_f1": weighted_f1}
OF_ORDERED: dict[str, OfConfusions] = {**OF_CONFUSION, "mae": rank_error, "kappa": quadratic_kappa}


def _answered(confusions: np.ndarray) -> np.ndarray:
    """Return the confusions without the last column, (R, C, C): a row without an answer has the farthest one."""
    classes = confusions.shape[-2]
    worst = np.eye(classes)[farthest(np.arange(classes), classes)]
    return confusions[..., :-1] + confusions[..., -1:] * worst


def _distances(answered: np.ndarray) -> np.ndarray:
    ranks = np.arange(answered.shape[-1])
    return np.abs(ranks[:, None] - ranks)
