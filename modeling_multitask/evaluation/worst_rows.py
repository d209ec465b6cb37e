"""The rows to look at first: errors on which the raters disagreed, and rows with a large loss.

Shapes: N labelled rows, C classes of one task.
"""

from typing import NamedTuple

import numpy as np

from ..answers_multitask import NOT_ASKED, Decision
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text
from ..training.metrics import part_of
from ..training.row_parts import row_parts
from .confusions import UNASKED

NO_LABEL = "(none)"
_DIGITS = 6  # of a share, which is in float32


class WorstRow(NamedTuple):
    """A labelled row with its answer and loss.

    Args:
        row: Its index among all rows.
        text: The output of `shown_text`.
        label: The true label as text. With several labels, those that the row is known to have.
        answer: The answer as text. With several labels, only those whose truth is known.
        score: The probability that the answer is right, or that all of several labels are right. NaN for a number.
        loss: The loss of the true label.
        raters: Where the raters disagree, their share for each label that one of them gave. With several labels, the
            share of yes for each label on which they disagree. `None` where they agree or are unknown.
        disputed: The share of the raters that contradict the true label, if the answer is wrong. With several labels,
            the largest share of the wrong answers. 0 if the answer is right, or the raters agree or are unknown.
        table: The table that the row comes from. `None` if it is unknown.
        line: Its line there, counted from 1.
    """

    row: int
    text: str
    label: str
    answer: str
    score: float
    loss: float
    raters: dict[str, float] | None = None
    disputed: float = 0.0
    table: str | None = None
    line: int | None = None


class LabelledRows(NamedTuple):
    """The rows that have a label for a task: (N,), or (N, C) with several labels. `rows` are their indices.

    `soft` are the shares of the raters for each label, (N, C), or `None` if they are unknown.
    """

    task: TaskConfig
    rows: np.ndarray
    texts: list[str]
    labels: np.ndarray
    present: np.ndarray
    decision: Decision
    losses: np.ndarray
    soft: np.ndarray | None = None


def worst_rows(own: LabelledRows, most: int) -> list[WorstRow]:
    """Return the errors on which the raters disagreed, the most disputed first, and then the rows with a large loss.

    A row without a most probable label has no error, so it is in neither part.

    Args:
        own: The rows.
        most: The maximum number of rows of each part.
    """
    count = len(own.rows)
    losses = own.losses.reshape(count, -1).sum(axis=1) / own.present.reshape(count, -1).sum(axis=1)
    disputed = _disputed(own)
    by_loss = np.argsort(-losses, kind="stable")
    by_dispute = by_loss[np.argsort(-disputed[by_loss], kind="stable")]
    parts = by_dispute[disputed[by_dispute] > 0], by_loss[disputed[by_loss] == 0]
    worst = np.concatenate([part[:most] for part in parts]).tolist()
    probabilities = answer_probabilities(own.task, part_of(own.decision, worst), own.present[worst])
    scores = dict(zip(worst, probabilities, strict=True))
    return [
        WorstRow(
            row=int(own.rows[i]),
            text=own.texts[i],
            label=label_words(own.task, own.labels[i], own.present[i]),
            answer=label_words(own.task, own.decision.chosen[i], own.present[i]),
            score=float(scores[i]),
            loss=float(losses[i]),
            raters=None if own.soft is None else _raters(own.soft[i], own.task),
            disputed=float(disputed[i]),
        )
        for i in worst
    ]


def _disputed(own: LabelledRows) -> np.ndarray:
    """Return the share of the raters that contradict the label of a wrong answer, (N,). See `WorstRow`."""
    if own.soft is None:
        return np.zeros(len(own.rows))
    wrong = own.present & (own.labels != own.decision.chosen)
    shares = np.minimum(own.soft, 1 - own.soft) if own.task.kind.several_labels else 1 - own.soft.max(axis=1)
    return np.where(wrong, shares, 0).reshape(len(own.rows), -1).max(axis=1).astype(float).round(_DIGITS)


def _raters(shares: np.ndarray, task: TaskConfig) -> dict[str, float] | None:
    there = (shares > 0) & (shares < 1)  # false for NaN
    order = np.flatnonzero(there)
    if not task.kind.several_labels:
        order = order[np.argsort(-shares[order], kind="stable")]
    names = task.labels or []
    return {names[i]: round(float(shares[i]), _DIGITS) for i in order} or None


def shown_text(text: Text) -> str:
    """Return a text unchanged, and a pair of texts as `first | second`."""
    return text if isinstance(text, str) else " | ".join(text)


def answer_probabilities(task: TaskConfig, decision: Decision, present: np.ndarray) -> np.ndarray:
    """Return the model's probability that each answer is right, (N,). NaN for a number.

    Args:
        task: The task.
        decision: The decision on N rows.
        present: (N,) or (N, C), where there is a label. With several labels, only these entries count.
    """
    if task.kind.is_number:
        return np.full(len(decision.scores), np.nan)
    # A copy of all scores of thousands of labels would be large.
    parts = [_probabilities(task, part_of(decision, part), present[part]) for part in row_parts(*decision.scores.shape)]
    return np.concatenate(parts)


def _probabilities(task: TaskConfig, decision: Decision, present: np.ndarray) -> np.ndarray:
    scores, chosen = decision.scores.astype(float), decision.chosen
    if task.kind.several_labels:
        return np.where(present, np.where(chosen == 1, scores, 1 - scores), 1).prod(axis=1)
    given = np.take_along_axis(scores, np.maximum(chosen, 0)[:, None], axis=-1)[:, 0]
    return np.where(chosen == NOT_ASKED, 1 - scores.sum(axis=1), given)


def label_words(task: TaskConfig, value: np.ndarray, present: np.ndarray) -> str:
    """Return a label or an answer of one row as text.

    Args:
        task: The task.
        value: An id, a number, or (C,) zeros and ones.
        present: Where there is a label, in the shape of `value`. With several labels, only these are named.
    """
    if task.kind.is_number:
        return f"{value:g}"
    names = task.labels or []
    if task.kind.several_labels:
        return ", ".join(names[i] for i in np.flatnonzero((value == 1) & present)) or NO_LABEL
    return UNASKED if value == NOT_ASKED else names[value]
