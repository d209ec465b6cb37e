"""How often each label of a multi-label task is true, answered, and both.

Shapes: N rows of a whole evaluation set, C labels of one task.
"""

from typing import NamedTuple

import numpy as np

from .row_parts import row_parts


def f1_of_counts(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return F1 from the number of right answers, of answers and of rows with the label. It is 0 if undefined."""
    total = given + there
    return 2 * hits / np.where(total > 0, total, 1)


class LabelHits(NamedTuple):
    """The counts of each label of a multi-label task, (C,), among the entries that have a label.

    Args:
        hits: The rows that have the label and get it as an answer.
        given: The rows that get it.
        there: The rows that have it.
        entries: The rows in which it is known whether they have it.
    """

    hits: np.ndarray
    given: np.ndarray
    there: np.ndarray
    entries: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """The rows that have the label or get it, but not both."""
        return self.given + self.there - 2 * self.hits


def label_hits(answers: np.ndarray, labels: np.ndarray) -> LabelHits:
    """Return the counts of each label of a multi-label task.

    Args:
        answers: Zeros and ones, (N, C).
        labels: The labels as in a batch, (N, C).
    """
    counts = np.zeros((4, labels.shape[1]), dtype=int)
    for part in row_parts(*labels.shape):
        there, given = labels[part] == 1, (answers[part] == 1) & (labels[part] >= 0)
        counts += [each.sum(axis=0) for each in (there & given, given, there, labels[part] >= 0)]
    return LabelHits(*counts)


def rows_without_error(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return in which rows of a multi-label task no answer contradicts a label, (N,).

    Args:
        answers: Zeros and ones, (N, C).
        labels: The labels as in a batch, (N, C).
    """
    parts = row_parts(*labels.shape)
    right = [((answers[part] == labels[part]) | (labels[part] < 0)).all(axis=1) for part in parts]
    return np.concatenate([np.empty(0, dtype=bool), *right])
