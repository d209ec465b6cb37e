"""The figures of a multi-label task on resampled rows.

Shapes: N labelled rows, C labels of one task, R resamples, P different scores of the rows that have a label.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ..training.label_hits import f1_of_counts
from .intervals import Drawn, Measures

LABELS_AT_ONCE = 256  # whose counts are computed together
_SPARSE = 0.05  # up to this share of true entries, the product of a sparse matrix is faster
_EXACT = 2**24  # whole numbers up to this one are exact in float32


def of_positions(answers: np.ndarray, scores: np.ndarray, labels: np.ndarray, present: np.ndarray) -> Measures:
    """Return the figures of a multi-label task.

    Args:
        answers: (N, C), zeros and ones.
        scores: (N, C).
        labels: (N, C), zeros and ones where there is a label.
        present: (N, C), where there is a label.
    """
    # One label after another: the rows of a label are read together.
    there, given, known = (np.ascontiguousarray(each.T) for each in (present & (labels == 1), answers == 1, present))
    given &= known  # (C, N)
    counted = [countable(each) for each in (there & given, given, there, *([] if known.all() else [known]))]
    whole = (there == given).all(axis=0).astype(float)  # (N,)
    of_right, of_wrong = _imagined_positions(there, known)

    def summed(drawn: Drawn) -> _Positions:
        rows = drawn.rows.sum(axis=1, keepdims=True)  # (R, 1)
        sums = [*resampled_counts(drawn.rows, counted), np.broadcast_to(rows, (len(rows), len(there)))][:4]
        hits, answered, true, entries = (
            each + drawn.right * right + drawn.wrong * wrong
            for each, right, wrong in zip(sums, of_right, of_wrong, strict=True)
        )
        right_rows, all_rows = drawn.rows @ whole[:, None] + drawn.right, rows + drawn.right + drawn.wrong
        return _Positions(drawn.rows, hits, answered, true, entries, right_rows, all_rows)

    @cache
    def ranked() -> list[_Ranked | None]:
        ones = np.ones(len(labels), np.float32)  # shared by all labels, because these matrices have no other value
        columns = zip(_columns(scores), there, known, strict=True)
        return [_ranked(own[rows], truth[rows], np.flatnonzero(rows), ones) for own, truth, rows in columns]

    def average_precision(each: _Positions) -> np.ndarray:
        drawn = np.ascontiguousarray(each.rows.T, dtype=_exact(each.rows))  # (N, R)
        return _mean_of_known(np.stack([_average_precision(label, drawn) for label in ranked()], axis=1))

    figures = {
        "micro_f1": lambda each: f1_of_counts(*(part.sum(axis=1) for part in each.parts)),
        "macro_f1": lambda each: _mean_of_known(np.where(each.entries > 0, f1_of_counts(*each.parts), np.nan)),
        "average_precision": average_precision,
        "subset_accuracy": lambda each: (each.whole / each.all)[:, 0],
        "accuracy": lambda each: each.right.sum(axis=1) / each.entries.sum(axis=1),
    }
    return Measures(np.ones(len(labels), dtype=int), summed, figures, width=4 * labels.shape[1])


def countable(rows: np.ndarray) -> np.ndarray | csr_array:
    """Return a mask, (C, N), as a sparse matrix if few of its entries are true. Both have the same product."""
    return csr_array(rows, dtype=np.float32) if rows.mean() < _SPARSE else rows


def resampled_counts(drawn: np.ndarray, counted: Sequence[np.ndarray | csr_array]) -> list[np.ndarray]:
    """Return the number of drawn rows that count for each label, (R, C), for each of several masks.

    Args:
        drawn: (R, N), how often each row is drawn.
        counted: Masks, (C, N), of the rows that count for a label. See `countable`.
    """
    rows = np.ascontiguousarray(drawn.T, dtype=_exact(drawn))  # (N, R)
    return [_product(each, rows).T.astype(float) for each in counted]


def _product(mask: np.ndarray | csr_array, rows: np.ndarray) -> np.ndarray:
    if isinstance(mask, csr_array):
        return mask @ rows
    parts = (mask[start : start + LABELS_AT_ONCE] for start in range(0, len(mask), LABELS_AT_ONCE))
    return np.concatenate([part.astype(rows.dtype) @ rows for part in parts])


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


def _imagined_positions(there: np.ndarray, known: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the mean counts of a row that is all right, and of a row with one wrong entry, (C,) each.

    The counts are the hits, the answers, the rows with the label and the entries of each label. The masks are (C, N).
    """
    labels, entries = there.mean(axis=1), known.mean(axis=1)  # (C,)
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


def _columns(scores: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the scores of each label, (N,). The copy of all of them would be as large as the scores, (N, C)."""
    for start in range(0, scores.shape[1], LABELS_AT_ONCE):
        yield from scores[:, start : start + LABELS_AT_ONCE].T.copy()


def _ranked(scores: np.ndarray, truth: np.ndarray, rows: np.ndarray, ones: np.ndarray) -> _Ranked | None:
    """Return the sorted rows of a label, as far as the last one that has it; `None` if no row has it.

    Args:
        scores: Those of the rows with the label or without it.
        truth: Which of these rows have it.
        rows: The numbers of these rows.
        ones: (N,), the values of the matrices.
    """
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
            csr_array((ones[: len(each)], each, each_ends), shape=(len(ends), len(ones)))
            for each, each_ends in ((placed[: stops[-1]].copy(), stops), (placed[hits], np.append(0, found.cumsum())))
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
