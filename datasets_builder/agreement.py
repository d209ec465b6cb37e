"""The agreement of several raters, as Krippendorff's alpha.

Source: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability".

Shapes: N rows, C labels.
"""

from collections.abc import Mapping

import numpy as np
from datasets import Dataset

from modeling_multitask.tasks_multitask import TaskConfig

AGREEMENT = "Krippendorff's alpha"  # is part of every note about agreement


def coincidences(votes: np.ndarray) -> np.ndarray:
    """Return the weighted number of pairs of votes with each two labels, (C, C), over rows with several votes.

    The matrices of parts of the rows add up. The sum of a matrix is the number of votes.

    Args:
        votes: (N, C) the number of votes for each label.
    """
    counts = votes.sum(axis=1)
    paired, others = votes[counts > 1], counts[counts > 1, None] - 1
    shares = paired / others  # each vote of a row is paired with each of the others
    pairs: np.ndarray = paired.T @ shares
    pairs[np.diag_indices(len(pairs))] -= shares.sum(axis=0)
    return pairs


def krippendorff_alpha(pairs: np.ndarray, *, ordered: bool = False) -> float | None:
    """Return Krippendorff's alpha: 1 if the raters always agree, and about 0 if they agree as often as by chance.

    Args:
        pairs: (C, C) the coincidences.
        ordered: Whether the labels have an order, so that distant labels disagree more.

    Returns:
        The alpha, or `None` if fewer than two labels occur in rows with several votes.
    """
    totals = pairs.sum(axis=1)
    distances = _ordinal_distances(totals) if ordered else 1.0 - np.eye(len(totals))
    expected = float(totals @ distances @ totals)
    if expected == 0:
        return None
    return 1 - float((totals.sum() - 1) * (pairs * distances).sum() / expected)


def agreement_notes(pairs: Mapping[str, np.ndarray], tasks: list[TaskConfig]) -> list[str]:
    """Return a note on the agreement of the raters of each task that has several.

    If no row has several votes, the note says so: in a long table, a wrong id is a likely reason.
    """
    notes = []
    for task in tasks:
        if task.name not in pairs:
            continue
        alpha = krippendorff_alpha(pairs[task.name], ordered=task.kind.ordered)
        votes = round(pairs[task.name].sum())
        if votes == 0:
            notes.append(f"task {task.name!r}: no row has several votes")
        if alpha is not None:
            notes.append(f"task {task.name!r}: {AGREEMENT} of the raters is {alpha:.2f} ({votes} votes)")
    return notes


def notes_on_agreement(rows: Dataset) -> list[str]:
    """Return the notes about the agreement of raters in the description of built rows."""
    return [note for note in (rows.info.description or "").splitlines() if AGREEMENT in note]


def _ordinal_distances(totals: np.ndarray) -> np.ndarray:
    """Return the squared distances of ordered labels, (C, C): the votes between the middles of the two labels."""
    middles = np.cumsum(totals) - totals / 2
    distances: np.ndarray = (middles[:, None] - middles[None, :]) ** 2
    return distances
