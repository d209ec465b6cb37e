"""The figures of resampled rows, by the form of the answer. See `Measures`.

Shapes: N labelled rows, C classes of one task, M kinds of rows, R resamples.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metric_names import LESS_IS_BETTER
from ..training.metrics import labelled_entries
from .confusions import OF_CONFUSION, OF_ORDERED, cells_of, class_counts, f1_of_counts
from .intervals import IMAGINED, Drawn, Measures

_EQUAL = 1e-12  # a smaller variance, relative to that of all rows, is a rounding error


def task_measures(task: TaskConfig, decision: Decision, labels: np.ndarray) -> Measures:
    """Return the figures of a task on rows that all have a label.

    Args:
        task: The task.
        decision: The decision on N rows.
        labels: Their labels as in a batch, (N,), or (N, C) for a multi-label task, where some may be missing.
    """
    if task.kind.is_number:
        return of_numbers(labels.astype(float), decision.chosen.astype(float))
    if task.kind.several_labels:
        return of_positions(decision.chosen, decision.scores, labels, labelled_entries(labels, task.kind))
    kinds, counts = np.unique(np.stack([labels, decision.chosen], axis=1), axis=0, return_counts=True)
    return of_classes(kinds, counts, task)


def improvement(task: TaskConfig, before: Decision, after: Decision, labels: np.ndarray) -> Measures:
    """Return the improvement of each figure from one decision to another on the same rows.

    It is positive if `after` is better. The imagined rows are one where only `after` is right and one where only
    `before` is right, as Agresti & Min (2005) add them to the difference of two shares.

    Args:
        task: The task.
        before: A decision on N rows.
        after: Another decision on the same rows.
        labels: Their labels as in a batch. All rows have one.
    """
    if task.kind.one_label:
        kinds = np.stack([labels, before.chosen, after.chosen], axis=1)
        kinds, counts = np.unique(kinds, axis=0, return_counts=True)
        first, second = (of_classes(kinds[:, [0, i]], counts, task) for i in (1, 2))
    else:
        first, second = (task_measures(task, each, labels) for each in (before, after))

    def both(drawn: Drawn) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        return first.of(Drawn(drawn.rows, drawn.wrong, drawn.right)), second.of(drawn)

    def gain(name: str, pair: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]) -> np.ndarray:
        return (pair[1][name] - pair[0][name]) * (-1 if name in LESS_IS_BETTER else 1)

    figures: dict[str, Callable[[Any], np.ndarray]] = {name: partial(gain, name) for name in first.figures}
    imagined = min(first.imagined, second.imagined)
    return Measures(second.counts, both, figures, 2 * second.width, imagined=imagined)


def of_classes(kinds: np.ndarray, counts: np.ndarray, task: TaskConfig) -> Measures:
    """Return the figures of a task of one label.

    Args:
        kinds: (M, 2), pairs of a label and an answer. Both are ids, and an answer may be `NOT_ASKED`.
        counts: (M,), the number of rows of each pair.
        task: The task with its C labels.
    """
    classes = len(task.labels or ())
    cells = cells_of(kinds[:, 0], kinds[:, 1], classes)
    confusion = np.bincount(cells, counts, minlength=classes * (classes + 1)).reshape(classes, -1)
    place = csr_array((np.ones(len(cells)), (np.arange(len(cells)), cells)), shape=(len(cells), confusion.size))
    right, wrong = (each.reshape(1, -1) for each in imagined_answers(confusion, ordered=task.kind.ordered))

    def confusions(drawn: Drawn) -> np.ndarray:
        flat = drawn.rows @ place + drawn.right * right + drawn.wrong * wrong
        return flat.reshape(-1, *confusion.shape)

    figures = OF_ORDERED if task.kind.ordered else OF_CONFUSION
    return Measures(counts, confusions, figures, confusion.size, imagined=IMAGINED if wrong.any() else 0.0)


def imagined_answers(confusion: np.ndarray, *, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean confusions, (C, C + 1), of a row with a right answer and of a row with a wrong one.

    Labels occur with their shares in the confusion. If only one class occurs, there is no wrong answer.
    """
    classes = len(confusion)
    _, given, there = class_counts(confusion)
    shares, ranks = there / there.sum(), np.arange(classes)
    others = np.abs(ranks[:, None] - ranks) == 1 if ordered else (ranks[:, None] != ranks) & (given + there > 0)
    wrong = shares[:, None] * others / np.maximum(others.sum(axis=1, keepdims=True), 1)
    return np.pad(np.diag(shares), [(0, 0), (0, 1)]), np.pad(wrong, [(0, 0), (0, 1)])


def of_numbers(labels: np.ndarray, answers: np.ndarray) -> Measures:
    """Return the figures of numbers: errors, R² and Spearman's rank correlation.

    Args:
        labels: (N,).
        answers: (N,).
    """
    errors, centred = answers - labels, labels - labels.mean()

    def mean(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        return drawn @ values / drawn.sum(axis=1)

    def r2(drawn: np.ndarray) -> np.ndarray:
        variances = mean(np.square(centred), drawn) - np.square(mean(centred, drawn))
        different = variances > _EQUAL * max(np.square(centred).mean(), np.finfo(float).tiny)
        return np.where(different, 1 - mean(np.square(errors), drawn) / np.where(different, variances, 1), 0.0)

    figures: dict[str, Callable[[Any], np.ndarray]] = {
        "mae": partial(mean, np.abs(errors)),
        "rmse": lambda drawn: np.sqrt(mean(np.square(errors), drawn)),
        "r2": r2,
        "spearman": partial(_rank_correlations, answers, labels),
    }
    return Measures(np.ones(len(labels), dtype=int), lambda drawn: drawn.rows, figures, imagined=0.0)


def of_positions(answers: np.ndarray, scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> Measures:
    """Return the figures of a multi-label task.

    Args:
        answers: (N, C), zeros and ones.
        scores: (N, C).
        labels: (N, C), zeros and ones where there is a label.
        present: (N, C), where there is a label.
    """
    there, given = ((each == 1) & present for each in (labels, answers))
    right = (answers == labels) & present
    rows_right = (right | ~present).all(axis=1, keepdims=True)
    parts = [there & given, given, there, present, right, rows_right]
    counts = np.concatenate(parts, axis=1).astype(float)  # (N, 5 C + 1)
    imagined_right, imagined_wrong = _imagined_positions(there, present)
    ranked = [_Ranked(*columns) for columns in zip(scores.T, labels.T, present.T, strict=True)]

    def summed(drawn: Drawn) -> _Positions:
        sums = drawn.rows @ counts + drawn.right * imagined_right + drawn.wrong * imagined_wrong
        rows = drawn.rows.sum(axis=1) + (drawn.right + drawn.wrong)[:, 0]
        return _Positions(drawn.rows, sums[:, -1] / rows, *np.split(sums[:, :-1], 5, axis=1))

    figures = {
        "micro_f1": lambda each: f1_of_counts(*(part.sum(axis=1) for part in each.parts)),
        "macro_f1": lambda each: _mean_of_known(np.where(each.entries > 0, f1_of_counts(*each.parts), np.nan)),
        "average_precision": lambda each: _mean_of_known(
            np.stack([label.average_precision(each.rows) for label in ranked], axis=1)
        ),
        "subset_accuracy": lambda each: each.rows_right,
        "accuracy": lambda each: each.right.sum(axis=1) / each.entries.sum(axis=1),
    }
    return Measures(np.ones(len(labels), dtype=int), summed, figures, width=counts.shape[1])


class _Positions(NamedTuple):
    """Resampled rows, (R, N), the share that is all right, (R,), and the counts of each label, (R, C) each."""

    rows: np.ndarray
    rows_right: np.ndarray
    hits: np.ndarray
    given: np.ndarray
    there: np.ndarray
    entries: np.ndarray
    right: np.ndarray

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts that F1 needs."""
        return self.hits, self.given, self.there


def _imagined_positions(there: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean counts, (5 C + 1,), of a row that is all right and of a row with one wrong entry."""
    labels, entries = there.mean(axis=0), present.mean(axis=0)  # (C,)
    flipped = 1 / entries.sum()  # the chance of an entry to be the wrong one
    missed, added = labels * flipped, (entries - labels) * flipped
    right = np.concatenate([labels, labels, labels, entries, entries, [1.0]])
    wrong = np.concatenate([labels - missed, labels - missed + added, labels, entries, entries - missed - added, [0.0]])
    return right, wrong


def _rank_correlations(answers: np.ndarray, labels: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of resamples, (R,); 0 where answers or labels are all equal."""
    columns = [_weighted_ranks(each, drawn) for each in (answers, labels)]  # (R, N) each
    rows = drawn.sum(axis=1, keepdims=True)
    a, b = (each - (each * drawn).sum(axis=1, keepdims=True) / rows for each in columns)
    products = np.sqrt((drawn * a * a).sum(axis=1) * (drawn * b * b).sum(axis=1))
    return np.where(products > 0, (drawn * a * b).sum(axis=1) / np.where(products > 0, products, 1), 0.0)


def _weighted_ranks(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the mean rank of each row among the drawn rows, (R, N)."""
    places = rankdata(values, method="dense") - 1  # equal values share a place
    at_place = np.zeros((len(drawn), places.max() + 1))
    np.add.at(at_place.T, places, drawn.T)
    ends = at_place.cumsum(axis=1)
    return (ends - (at_place - 1) / 2)[:, places]


class _Ranked:
    """The rows of one label sorted by score, so that average precision does not sort them for each resample."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> None:
        rows = np.flatnonzero(present)
        self._order = rows[np.argsort(-scores[rows], kind="stable")]
        self._truth = labels[self._order] == 1
        ranked = scores[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else ranked.astype(int)

    def average_precision(self, drawn: np.ndarray) -> np.ndarray:
        """Return the average precision of resamples, (R,), as in scikit-learn. NaN without the label."""
        if not len(self._order):
            return np.full(len(drawn), np.nan)
        weights = drawn[:, self._order]
        hits, given = (each.cumsum(axis=1)[:, self._ends] for each in (weights * self._truth, weights))
        gained = np.diff(hits, prepend=0, axis=1)
        total = hits[:, -1]
        return np.where(
            total > 0,
            (gained * hits / np.where(given > 0, given, 1)).sum(axis=1) / np.where(total > 0, total, 1),
            np.nan,
        )


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean of (R, C) over the labels that at least one row has, (R,)."""
    known = ~np.isnan(values)
    return np.where(
        known.any(axis=1), np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )
