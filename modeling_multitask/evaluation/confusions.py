"""Confusion matrices, and the figures of the rows, answers and right answers of each class.

A matrix has a row for each true label and a column for each answer. The last column counts the rows whose question was
not asked. Counts may be fractions.

Shapes: R sets of rows (any leading dimensions), C classes. A confusion is (R, C, C + 1).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..answers_multitask import NOT_ASKED
from ..training.label_hits import f1_of_counts

UNASKED = "(not asked)"


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
    return [["label", *labels, UNASKED], *lines]


def confusion_pairs(labels: list[str], confusion: np.ndarray) -> list[list[Any]]:
    """Return a table with a header: one row for each true label and answer that occur together.

    Args:
        labels: C names.
        confusion: (C, C + 1).
    """
    answers = [*labels, UNASKED]
    cells = zip(*np.nonzero(confusion), confusion[confusion > 0].tolist(), strict=True)
    return [["label", "answer", "rows"], *([labels[label], answers[answer], rows] for label, answer, rows in cells)]


def confusion_cells(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Return the place of each row in a flat confusion, (N,)."""
    return labels * (classes + 1) + np.where(answers == NOT_ASKED, classes, answers)


class ClassCounts(NamedTuple):
    """The rows of each class, (R, C) each.

    Args:
        hits: The right answers.
        given: All answers.
        there: All rows with this label.
    """

    hits: np.ndarray
    given: np.ndarray
    there: np.ndarray


class RankCounts(NamedTuple):
    """The rows of each rank, (R, C), and sums over all rows, (R, 1). A row without an answer has the farthest one.

    Args:
        answered: The answers.
        there: The rows with this rank.
        steps: The sum of the distances between the ranks of label and answer.
        squares: The sum of the squares of these distances.
    """

    answered: np.ndarray
    there: np.ndarray
    steps: np.ndarray
    squares: np.ndarray


def class_counts(confusions: np.ndarray) -> ClassCounts:
    """Return the right answers, all answers and all rows of each class."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    return ClassCounts(hits, confusions.sum(axis=-2)[..., :-1], confusions.sum(axis=-1))


def accuracy(counts: ClassCounts) -> np.ndarray:
    """Return the share of right answers, (R,)."""
    return counts.hits.sum(axis=-1) / counts.there.sum(axis=-1)


def macro_f1(counts: ClassCounts) -> np.ndarray:
    """Return the mean F1 over the classes that occur in labels or answers, (R,), as in scikit-learn."""
    occurring = (counts.given + counts.there) > 0
    return (f1_of_counts(*counts) * occurring).sum(axis=-1) / occurring.sum(axis=-1)


def weighted_f1(counts: ClassCounts) -> np.ndarray:
    """Return the mean F1, (R,), weighted by the rows of each class."""
    return (f1_of_counts(*counts) * counts.there).sum(axis=-1) / counts.there.sum(axis=-1)


def quadratic_kappa(counts: RankCounts) -> np.ndarray:
    """Return Cohen's kappa with quadratic weights, (R,); 0 if undefined."""
    ranks = np.arange(counts.there.shape[-1])
    squares = np.square(ranks[:, None] - ranks)  # (C, C)
    expected = ((counts.there @ squares) * counts.answered).sum(axis=-1)
    disagreement = expected / np.maximum(counts.there.sum(axis=-1), np.finfo(float).tiny)
    possible = disagreement > 0
    return np.where(possible, 1 - counts.squares[..., 0] / np.where(possible, disagreement, 1), 0.0)


def rank_error(counts: RankCounts) -> np.ndarray:
    """Return the mean distance between the ranks of label and answer, (R,)."""
    return counts.steps[..., 0] / counts.there.sum(axis=-1)


OF_CLASSES: dict[str, Callable[[ClassCounts], np.ndarray]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
}
OF_RANKS: dict[str, Callable[[RankCounts], np.ndarray]] = {"mae": rank_error, "kappa": quadratic_kappa}
