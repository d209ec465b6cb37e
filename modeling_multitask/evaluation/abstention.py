"""The answers that a task withholds in a report."""

import math
from typing import NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from .calibration import answer_confidences


class Abstention(NamedTuple):
    """The abstention of a task whose answers are withheld below a score or an energy.

    Args:
        by: `score` or `energy`.
        below: The threshold. Answers with a lower value are withheld.
        answered: The number of labelled rows that have an answer.
        share: The share of labelled rows that have an answer.
        accuracy: The share of the answers that are right. NaN if there are no answers.
    """

    by: str
    below: float
    answered: int
    share: float
    accuracy: float


def abstention(task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray) -> Abstention | None:
    """Return the abstention of a task on labelled rows; `None` if it withholds no answer.

    Args:
        task: The task.
        decision: The decision on N rows, as arrays.
        labels: Their labels as in a batch, (N,).
        unasked: (N,), whether the row's labels imply that the question is not asked.
    """
    if task.abstain_below is None:
        return None
    confidences, right = answer_confidences(task, decision, labels, unasked)
    answered = confidences >= task.abstain_below
    accuracy = float(right[answered].mean()) if answered.any() else math.nan
    share = float(answered.sum() / ((labels >= 0) | unasked).sum())
    return Abstention(task.abstain_by, float(task.abstain_below), int(answered.sum()), share, accuracy)
