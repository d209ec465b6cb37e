"""Baselines: the answers of a constant, and of a linear probe.

Shapes: N rows of a split, D width of the encoder, C classes of one task.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.label_hits import label_hits
from ..training.metrics import labelled_entries, labelled_rows_of, part_of, task_metrics
from .intervals import value_of
from .measures import task_measures

_PENALTIES = np.logspace(-3, 3, 13)


class Baseline(NamedTuple):
    """The answers of a baseline to a task.

    Args:
        name: `most frequent label`, `mean`, `logistic regression` or `ridge regression`.
        answers: By split, in the form of `Decision.chosen`: ids or numbers, (N,), or zeros and ones, (N, C).
    """

    name: str
    answers: dict[str, np.ndarray]

    def decision(self, split: str) -> Decision:
        """Return the answers to the rows of a split as a decision whose scores are the answers themselves."""
        chosen = self.answers[split]
        return Decision(chosen, chosen, np.ones(len(chosen), dtype=bool))

    def metrics(self, split: str, task: TaskConfig, labels: np.ndarray) -> dict[str, Any]:
        """Return its name and its metrics on the rows of a split, without a loss.

        Args:
            split: The split.
            task: The task.
            labels: The labels as in a batch.
        """
        found = task_metrics(task, self.answers[split], labels)
        if task.kind.one_label and found["rows"]:
            rows = labelled_rows_of(labels, task.kind)
            measures = task_measures(task, part_of(self.decision(split), rows), labels[rows])
            found["weighted_f1"] = value_of(measures.only("weighted_f1"))["weighted_f1"]  # in reports only
        return {"name": self.name, **found}


def constant(task: TaskConfig, labels: np.ndarray, rows: Mapping[str, int]) -> Baseline | None:
    """Return the baseline that gives every row the most frequent label, or the mean of a number.

    A multi-label task gets each label that most of its rows have. `None` without labels.

    Args:
        task: The task.
        labels: The labels of the training rows, as in a batch.
        rows: The number of rows by split.
    """
    if not labelled_rows_of(labels, task.kind).any():
        return None
    if task.kind.several_labels:
        _, _, yes, entries = label_hits(labels, labels)
        answer = (2 * yes > entries).astype(int)  # (C,)
    else:
        answer = np.array(_constant_answer(task, labels[labelled_entries(labels, task.kind)]))
    given = {split: np.broadcast_to(answer, (count, *answer.shape)) for split, count in rows.items()}
    return Baseline("mean" if task.kind.is_number else "most frequent label", given)


def linear_probe(
    task: TaskConfig, labels: np.ndarray, embeddings: np.ndarray, rows: Mapping[str, np.ndarray]
) -> Baseline | None:
    """Return the baseline of a linear model on embeddings that are not trained (Alain & Bengio 2016).

    It is scikit-learn's logistic regression with the default penalty or, for a number, ridge regression, whose penalty
    minimises the error of leaving out one training row. `None` without labels.

    Args:
        task: The task.
        labels: The labels of the training rows, as in a batch.
        embeddings: Those of the training rows, (N, D).
        rows: The embeddings of the rows by split, (N, D).
    """
    columns = _columns(task, labels)
    if not any(len(known) for _, known in columns):
        return None
    answers = [_regressed(task, embeddings[there], known, rows) for there, known in columns]
    joined = {
        split: np.stack([each[split] for each in answers], axis=1) if task.kind.several_labels else answers[0][split]
        for split in rows
    }
    return Baseline("ridge regression" if task.kind.is_number else "logistic regression", joined)


def _columns(task: TaskConfig, labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows with a label and their labels; for a multi-label task, for each label."""
    present = labelled_entries(labels, task.kind)
    columns = zip(present.T, labels.T, strict=True) if task.kind.several_labels else [(present, labels)]
    return [(np.flatnonzero(there), column[there]) for there, column in columns]


def _constant_answer(task: TaskConfig, known: np.ndarray) -> float | int:
    if task.kind.is_number:
        return float(known.mean())
    return int(np.bincount(known.astype(int)).argmax()) if len(known) else 0


def _regressed(
    task: TaskConfig, embeddings: np.ndarray, known: np.ndarray, rows: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    if len(np.unique(known)) < 2:
        return {split: np.full(len(each), _constant_answer(task, known)) for split, each in rows.items()}
    fitted = RidgeCV(_PENALTIES) if task.kind.is_number else LogisticRegression(max_iter=1000)
    fitted.fit(embeddings, known)
    # scikit-learn fails on an array without rows.
    return {split: fitted.predict(each) if len(each) else known[:0] for split, each in rows.items()}
