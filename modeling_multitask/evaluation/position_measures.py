"""The figures of a multi-label task on resampled rows.

Shapes: N labelled rows, C labels of one task, R resamples, P different scores of the rows that have a label.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ..training.label_hits import f1_of_counts
from .intervals import Drawn, Measures

LABELS_AT_ONCE = 256  # whose counts are computed together
_EXACT = 2**24  # whole numbers up to this one are exact in float32


def of_positions(answers: np.ndarray, scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> Measures:
    """Return the figures of a multi-label task.

    Args:
        answers: (N, C), zeros and ones.
        scores: (N, C).
        labels: (N, C), zeros and ones where there is a label.
        present: (N, C), where there is a label.
    """
    there, given = ((each == 1) & present for each in (labels, answers))
    whole = ~((there != given).any(axis=1))  # (N,)
    of_right, of_wrong = _imagined_positions(there, present)

    def summed(drawn: Drawn) -> _Positions:
        sums = resampled_counts(drawn.rows, there, given, present)
        counts = [
            each + drawn.right * right + drawn.wrong * wrong
            for each, right, wrong in zip(sums, of_right, of_wrong, strict=True)
        ]
        rows = drawn.rows.sum(axis=1, keepdims=True)
        right_rows = drawn.rows @ whole[:, None] + drawn.right
        return _Positions(drawn.rows, *counts, right_rows, rows + drawn.right + drawn.wrong)

    @cache
    def ranked(place: int) -> _Ranked | None:
        rows = np.flatnonzero(present[:, place])
        return _ranked(scores[rows, place], there[rows, place], rows, len(labels))

    def average_precision(each: _Positions) -> np.ndarray:
        drawn = np.ascontiguousarray(each.rows.T, dtype=_exact(each.rows))  # (N, R)
        columns = [_average_precision(ranked(place), drawn) for place in range(labels.shape[1])]
        return _mean_of_known(np.stack(columns, axis=1))

    figures = {
        "micro_f1": lambda each: f1_of_counts(*(part.sum(axis=1) for part in each.parts)),
        "macro_f1": lambda each: _mean_of_known(np.where(each.entries > 0, f1_of_counts(*each.parts), np.nan)),
        "average_precision": average_precision,
        "subset_accuracy": lambda each: (each.whole / each.all)[:, 0],
        "accuracy": lambda each: each.right.sum(axis=1) / each.entries.sum(axis=1),
    }
    return Measures(np.ones(len(labels), dtype=int), summed, figures, width=4 * labels.shape[1])


def resampled_counts(
    drawn: np.ndarray, there: np.ndarray, given: np.ndarray, present: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the right answers, the answers, the rows with the label and the known entries of each label, (R, C) each.

    Args:
        drawn: (R, N), how often each row is drawn.
        there: (N, C), where a row has the label.
        given: (N, C), where it gets the label. Only entries whose truth is known.
        present: (N, C), the known entries. By default all.
    """
    rows, width = drawn.astype(_exact(drawn)), there.shape[1]
    counts = [np.empty((len(drawn), width)) for _ in range(3)]
    entries = np.broadcast_to(drawn.sum(axis=1, keepdims=True), counts[0].shape)
    matrices = [there & given, given, there]
    if present is not None and not present.all():
        counts.append(np.empty_like(counts[0]))
        matrices.append(present)
    for start in range(0, width, LABELS_AT_ONCE):
        part = slice(start, start + LABELS_AT_ONCE)
        for count, matrix in zip(counts, matrices, strict=True):
            count[:, part] = rows @ matrix[:, part].astype(rows.dtype)
    return [*counts, entries][:4]


class _Positions(NamedTuple):
    """Resampled rows, (R, N), the counts of each label, (R, C), and of rows without an error and of all, (R, 1)."""

    rows: np.ndarray
    hits: np.ndarray
    given: np.ndarray
    there: np.ndarray
    entries: np.ndarray
    whole: np.ndarray
    all: np.ndarray

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts that F1 needs."""
        return self.hits, self.given, self.there

    @property
    def right(self) -> np.ndarray:
        """The entries that are answered right, (R, C)."""
        return self.entries - self.given - self.there + 2 * self.hits


def _imagined_positions(there: np.ndarray, present: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the mean counts of a row that is all right, and of a row with one wrong entry, (C,) each.

    The counts are the hits, the answers, the rows with the label and the entries of each label.
    """
    labels, entries = there.mean(axis=0), present.mean(axis=0)  # (C,)
    flipped = 1 / entries.sum()  # the chance of an entry to be the wrong one
    missed, added = labels * flipped, (entries - labels) * flipped
    return [labels, labels, labels, entries], [labels - missed, labels - missed + added, labels, entries]


class _Ranked(NamedTuple):
    """The rows of one label sorted by score, so that average precision does not sort them for each resample.

    Args:
        above: (P, N), the rows with each score of a row that has the label, and with those above it as far as the
            score before.
        hits: (P, N), the rows that have the label, by score.
    """

    above: csr_array
    hits: csr_array


def _ranked(scores: np.ndarray, truth: np.ndarray, rows: np.ndarray, all_rows: int) -> _Ranked | None:
    """Return the sorted rows of a label, as far as the last one that has it; `None` if no row has it."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(order) else order
    found = np.add.reduceat(hits, np.append(0, ends[:-1] + 1), dtype=int) if len(order) else order
    ends, found = ends[found > 0], found[found > 0]
    if len(ends) == 0:
        return None
    placed = rows[order].astype(np.int32)
    stops = np.append(0, ends + 1)
    return _Ranked(
        *(
            csr_array((np.ones(len(each), np.float32), each, each_ends), shape=(len(ends), all_rows))
            for each, each_ends in ((placed[: stops[-1]], stops), (placed[hits], np.append(0, found.cumsum())))
        )
    )


def _average_precision(ranked: _Ranked | None, drawn: np.ndarray) -> np.ndarray:
    """Return the average precision of resamples, (R,), as in scikit-learn. NaN without the label.

    Args:
        ranked: The rows of the label.
        drawn: (N, R), how often each row is drawn.
    """
    if ranked is None:
        return np.full(drawn.shape[1], np.nan)
    gained = (ranked.hits @ drawn).astype(float)  # (P, R)
    given, hits = (ranked.above @ drawn).cumsum(axis=0, dtype=float), gained.cumsum(axis=0)
    total = hits[-1]
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, (gained * hits / np.where(given > 0, given, 1)).sum(axis=0) / total, np.nan)


def _exact(drawn: np.ndarray) -> type[np.floating]:
    """Return the shortest type in which the counts of drawn rows, (R, N), are exact."""
    return np.float32 if drawn.sum(axis=1).max(initial=0) < _EXACT else np.float64


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean of (R, C) over the labels that at least one row has, (R,)."""
    known = ~np.isnan(values)
    return np.where(
        known.any(axis=1), np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )
