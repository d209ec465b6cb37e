"""The rows that two models answer differently.

Shapes: N rows that have a label for a task, C labels that both models have.
"""

from typing import Literal, NamedTuple

import numpy as np

from ..answers_multitask import NOT_ASKED, Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import labelled_entries
from .worst_rows import answer_probabilities, label_words

Better = Literal["model", "other", "neither"]
_BETTER: dict[int, Better] = {1: "model", -1: "other", 0: "neither"}


class Answered(NamedTuple):
    """The answers of one model to N rows.

    Args:
        own: The model's task.
        decision: Its decision.
        shared: The decision among the shared labels. See `shared_decision`.
    """

    own: TaskConfig
    decision: Decision
    shared: Decision


class Difference(NamedTuple):
    """A row with two different answers.

    Args:
        row: Its index among all rows.
        text: The output of `shown_text`.
        label: The true label as text. With several labels, those that the row is known to have.
        answer: The model's answer as text. With several labels, only shared ones whose truth is known.
        score: The probability of the answer. NaN for a number.
        other_answer: The other model's answer.
        other_score: Its probability.
        better: The model whose answer is right. If none is, the model whose rank or number is nearer to the true one,
            or, with several labels, which has fewer errors. `neither` if their errors are equal.
        table: The table that the row comes from. `None` if it is unknown.
        line: Its line there, counted from 1.
    """

    row: int
    text: str
    label: str
    answer: str
    score: float
    other_answer: str
    other_score: float
    better: Better
    table: str | None = None
    line: int | None = None


def different_rows(
    task: TaskConfig, answers: tuple[Answered, Answered], labels: np.ndarray, *, rows: np.ndarray, texts: list[str]
) -> list[Difference]:
    """Return the rows with two different answers: those with the largest difference between the errors first.

    Equal differences are sorted by the lower of the two scores, highest first: both models are sure, but disagree.

    Args:
        task: The task with the shared labels.
        answers: The answers of the model and of the other one.
        labels: The labels among the shared ones, (N,), or (N, C) with several labels. Each row has one.
        rows: (N,), the indices of the rows among all rows.
        texts: N texts.
    """
    present = labelled_entries(labels, task.kind)
    gains = np.subtract(*(_errors(task, each.shared, labels, present) for each in answers[::-1]))
    scores = [_scores(task, each, present) for each in answers]
    there = np.flatnonzero(_differ(task, answers, present))
    order = np.lexsort((-np.minimum(*scores)[there], -np.abs(gains[there])))
    one, other = answers
    return [
        Difference(
            row=int(rows[i]),
            text=texts[i],
            label=label_words(task, labels[i], present[i]),
            answer=_said(task, one, i, present),
            score=float(scores[0][i]),
            other_answer=_said(task, other, i, present),
            other_score=float(scores[1][i]),
            better=_BETTER[int(np.sign(gains[i]))],
        )
        for i in there[order]
    ]


def _errors(task: TaskConfig, shared: Decision, labels: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return the size of each row's error, (N,): 0 if the answer is right."""
    if task.kind.is_number:
        return np.abs(shared.chosen.astype(float) - labels)
    if task.kind.several_labels:
        return np.asarray(((shared.chosen != labels) & present).sum(axis=1))
    if task.kind.ordered:
        farthest = len(task.labels or ())  # an answer is better than none
        return np.where(shared.chosen == NOT_ASKED, farthest, np.abs(shared.chosen - labels))
    return (shared.chosen != labels).astype(int)


def _differ(task: TaskConfig, answers: tuple[Answered, Answered], present: np.ndarray) -> np.ndarray:
    one, other = answers
    if task.kind.several_labels:
        return np.asarray(((one.shared.chosen != other.shared.chosen) & present).any(axis=1))
    if task.kind.is_number:
        return np.asarray(one.shared.chosen != other.shared.chosen)
    names = [np.array([*(each.own.labels or []), ""])[each.decision.chosen] for each in answers]  # "" for NOT_ASKED, -1
    return np.asarray(names[0] != names[1])


def _scores(task: TaskConfig, answered: Answered, present: np.ndarray) -> np.ndarray:
    if task.kind.several_labels:
        return answer_probabilities(task, answered.shared, present)
    return answer_probabilities(answered.own, answered.decision, present)


def _said(task: TaskConfig, answered: Answered, row: int, present: np.ndarray) -> str:
    if task.kind.several_labels:
        return label_words(task, answered.shared.chosen[row], present[row])
    return label_words(answered.own, answered.decision.chosen[row], present[row])
