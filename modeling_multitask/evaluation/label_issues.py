"""Labels that are likely wrong, found by what embeddings say of them.

Shapes: N rows, D width of the embeddings, C classes of one task.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from ..extras import import_extra
from ..inference.batches import Text
from ..inference.tables import write_table
from ..tasks_multitask import TaskConfig
from .errors import shown_text


class LabelIssue(NamedTuple):
    """A row's label, and how far to believe it.

    Args:
        row: Its index.
        task: The task's name.
        text: As `shown_text` has it.
        label: The one that the row has; of several labels one of them, as `LABEL: yes` or `LABEL: no`.
        suggestion: The most probable one, which may be the same.
        score: cleanlab's label quality, from 0 to 1: the probability of the label. Low is suspicious.
    """

    row: int
    task: str
    text: str
    label: str
    suggestion: str
    score: float


def label_issues(
    task: TaskConfig, embeddings: np.ndarray, labels: np.ndarray, texts: list[Text], *, folds: int = 5, seed: int = 0
) -> list[LabelIssue]:
    """Every label of a task, the most suspicious first; none of a regression.

    The probability of each label is by a logistic regression that has seen the other folds alone (Northcutt et al.
    2021); all rows of a text are in the same fold, or one would tell the label of the next. A class that fewer texts
    than folds have cannot be learnt so, and its rows are left out; all rows are where fewer than two classes remain.
    Each label of a multi-label task is a question of yes or no.

    Args:
        task: The task.
        embeddings: (N, D) of an encoder that has not been trained on these labels: one that has would find them right.
        labels: As in a batch, missing ones among them.
        texts: N texts, or pairs of texts.
        folds: How many.
        seed: Of the folds.

    Raises:
        ImportError: If cleanlab or scikit-learn is not installed.
    """
    if task.kind.is_number:
        return []
    names = task.labels or []
    several = task.kind.several_labels
    questions = [[f"{name}: no", f"{name}: yes"] for name in names] if several else [names]
    shown = [shown_text(text) for text in texts]
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(text, len(numbers)) for text in shown], dtype=int)  # (N,)
    # Of length 1: 20 times as long, C = 1 holds so little back that 68 % of flipped labels come first and not 83 %.
    vectors = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)  # (N, D)
    issues = []
    for words, column in zip(questions, labels.T if several else labels[None], strict=True):
        rows = _ranked_rows(column, groups, folds)
        scores, suggested = _judged_labels(vectors[rows], column[rows], groups[rows], folds=folds, seed=seed)
        issues += [
            LabelIssue(row, task.name, shown[row], words[column[row]], words[best], score)
            for row, best, score in zip(rows.tolist(), suggested.tolist(), scores.tolist(), strict=True)
        ]
    return sorted(issues, key=lambda issue: issue.score)


def write_label_issues(issues: list[LabelIssue], path: Path) -> None:
    """Writes a table to work through, whole or not at all, with an empty column for a person's verdict.

    Args:
        issues: In the order in which they are to be looked at.
        path: Of a CSV file (or of another table, by its ending).

    Raises:
        DataError: If the path's ending names no format.
    """
    columns: dict[str, pa.Array] = {"rank": pa.array(range(1, len(issues) + 1), pa.int64())}
    kinds = {"row": pa.int64(), "score": pa.float64()}
    for name in LabelIssue._fields:
        columns[name] = pa.array([getattr(issue, name) for issue in issues], kinds.get(name, pa.string()))
    columns["verdict"] = pa.array([""] * len(issues), pa.string())
    write_table(pa.table(columns), path)


def _ranked_rows(labels: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """The rows of the classes that enough texts have, so that every fold has one of each; none for a single class."""
    rows = np.flatnonzero(labels >= 0)
    firsts = labels[rows][_first_of_each(groups[rows])]
    classes, counts = np.unique(firsts, return_counts=True)
    kept = classes[counts >= folds]
    return rows[np.isin(labels[rows], kept if len(kept) > 1 else [])]


def _judged_labels(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The quality of each label by cleanlab, and the class that is most probable; (N,) each."""
    quality = import_extra("cleanlab.rank", extra="errors").get_label_quality_scores
    if len(labels) == 0:
        return np.empty(0), np.empty(0, dtype=int)
    classes, truth = np.unique(labels, return_inverse=True)
    scores = np.zeros((len(labels), len(classes)))
    for fold in _folds(truth, groups, folds, seed):
        model = LogisticRegression(C=1.0, max_iter=2_000).fit(embeddings[~fold], truth[~fold])
        scores[fold] = model.predict_proba(embeddings[fold])
    return quality(truth, scores, method="self_confidence"), classes[scores.argmax(axis=1)]


def _folds(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Which rows each fold has; all rows of a text are in the same, by the label that the first of them has."""
    firsts = _first_of_each(groups)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(firsts, labels[firsts])
    return [np.isin(groups, groups[firsts[held_out]]) for _, held_out in split]


def _first_of_each(groups: np.ndarray) -> np.ndarray:
    """The index of the first row of each group."""
    firsts: np.ndarray = np.unique(groups, return_index=True)[1]
    return firsts
