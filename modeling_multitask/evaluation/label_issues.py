"""Labels that are probably wrong, found from embeddings.

Shapes: N rows, D width of the embeddings, C classes of one task.
"""

import heapq
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from transformers.utils import logging

from ..extras import import_extra
from ..inference.tables import write_table
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text
from .worst_rows import shown_text

logger = logging.get_logger(__name__)

MOST_QUESTIONS = 1_000  # labels of a multi-label task: with 10,000 rows, each takes a third of a second
MOST_ISSUES = 100_000  # of one task, more than anyone reviews


class LabelIssue(NamedTuple):
    """A row's label and its quality.

    Args:
        row: The index of the row.
        task: The task's name.
        text: The output of `shown_text`.
        label: The label of the row. With several labels, one of them, as `LABEL: yes` or `LABEL: no`.
        suggestion: The most probable label. It may be the same.
        score: cleanlab's label quality, from 0 to 1: the probability of the label. Labels with a low score are
            probably wrong.
        table: The table that the row comes from. `None` if it is unknown.
        line: Its line there, counted from 1.
    """

    row: int
    task: str
    text: str
    label: str
    suggestion: str
    score: float
    table: str | None = None
    line: int | None = None


def label_issues(
    task: TaskConfig, embeddings: np.ndarray, labels: np.ndarray, texts: list[Text], *, folds: int = 5, seed: int = 0
) -> list[LabelIssue]:
    """Return every label of a task, lowest quality first, but at most 100,000. A regression has none.

    The probability of each label comes from a logistic regression trained on the other folds (Northcutt et al. 2021).
    All rows with the same text are in one fold, so that the label of one does not reveal the label of another. Rows of
    a class with fewer texts than folds are skipped. If fewer than two classes remain, all rows are skipped. Each label
    of a multi-label task is a yes-or-no question. With more than 1,000 such labels there are none, and a warning.

    Args:
        task: The task.
        embeddings: (N, D), from an encoder that is not trained on these labels. A trained one would confirm them.
        labels: The labels as in a batch, including missing ones.
        texts: N texts, or pairs of texts.
        folds: The number of folds.
        seed: The seed of the folds.

    Raises:
        ImportError: If cleanlab or scikit-learn is not installed.
    """
    names, several = task.labels or [], task.kind.several_labels
    if several and len(names) > MOST_QUESTIONS:
        logger.warning(
            f"task {task.name!r}: its labels are not checked, because it has {len(names):,} of them; the check of a "
            f"multi-label task trains {folds} regressions for each label, for at most {MOST_QUESTIONS:,} labels"
        )
    if task.kind.is_number or (several and len(names) > MOST_QUESTIONS):
        return []
    questions = [[f"{name}: no", f"{name}: yes"] for name in names] if several else [names]
    shown = [shown_text(text) for text in texts]
    numbers: dict[str, int] = {}
    groups = np.array([numbers.setdefault(text, len(numbers)) for text in shown], dtype=int)  # (N,)
    # Length 1: with vectors 20 times as long, C = 1 regularises too little: 68% of flipped labels come first, not 83%.
    vectors = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)  # (N, D)
    issues: list[LabelIssue] = []
    for words, column in zip(questions, labels.T if several else labels[None], strict=True):
        rows = _ranked_rows(column, groups, folds)
        scores, suggested = _judged_labels(vectors[rows], column[rows], groups[rows], folds=folds, seed=seed)
        issues += [
            LabelIssue(row, task.name, shown[row], words[column[row]], words[best], score)
            for row, best, score in zip(rows.tolist(), suggested.tolist(), scores.tolist(), strict=True)
        ]
        if len(issues) > 2 * MOST_ISSUES:
            issues = heapq.nsmallest(MOST_ISSUES, issues, key=attrgetter("score"))
    return sorted(issues, key=attrgetter("score"))[:MOST_ISSUES]


def write_label_issues(issues: list[LabelIssue], path: Path) -> None:
    """Write a table for manual review atomically. The column `verdict` is empty, for the reviewer.

    Args:
        issues: The issues in review order.
        path: The path of the table. The file extension decides the format, such as CSV.

    Raises:
        DataError: If the file extension is not supported.
    """
    columns: dict[str, pa.Array] = {"rank": pa.array(range(1, len(issues) + 1), pa.int64())}
    kinds = {"row": pa.int64(), "score": pa.float64(), "line": pa.int64()}
    for name in LabelIssue._fields:
        columns[name] = pa.array([getattr(issue, name) for issue in issues], kinds.get(name, pa.string()))
    columns["verdict"] = pa.array([""] * len(issues), pa.string())
    write_table(pa.table(columns), path, safe_csv=True)


def _ranked_rows(labels: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """Return the rows of classes with enough texts for one in every fold. A single class gives no rows."""
    rows = np.flatnonzero(labels >= 0)
    firsts = labels[rows][_first_of_each(groups[rows])]
    classes, counts = np.unique(firsts, return_counts=True)
    kept = classes[counts >= folds]
    return rows[np.isin(labels[rows], kept if len(kept) > 1 else [])]


def _judged_labels(
    embeddings: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return cleanlab's quality of each label, (N,), and the most probable class, (N,)."""
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
    """Return the rows of each fold. All rows of a text are in one fold, stratified by the label of the first row."""
    firsts = _first_of_each(groups)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(firsts, labels[firsts])
    return [np.isin(groups, groups[firsts[held_out]]) for _, held_out in split]


def _first_of_each(groups: np.ndarray) -> np.ndarray:
    """Return the index of the first row of each group."""
    firsts: np.ndarray = np.unique(groups, return_index=True)[1]
    return firsts
