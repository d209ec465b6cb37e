"""Split rows into folds for cross-validation.

Shapes: N rows.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from modeling_multitask.errors import DataError
from modeling_multitask.wording import first_few

DRAWS = 100  # draws, before the folds are given up


def split_folds(
    strata: np.ndarray,
    folds: int,
    seed: int,
    units: np.ndarray,
    labels: Sequence[np.ndarray] = (),
    names: Sequence[Sequence[str]] = (),
) -> np.ndarray:
    """Return the fold of each row, (N,), counted from 1.

    Every fold has about the same number of rows and the same share of each stratum. The other folds always contain
    every label.

    Args:
        strata: (N,) the stratum of each row.
        folds: The number of folds.
        seed: The seed of the draw.
        units: (N,) the unit of each row. Rows of the same unit stay in the same fold.
        labels: Columns of ids, (N,) each, -1 where missing, as for `strata_of`.
        names: For each of these columns, the names of its ids, for messages.

    Raises:
        DataError: If there are fewer units than folds, or a fold contains all rows of a label.
    """
    if (count := len(np.unique(units))) < folds:
        raise DataError(
            f"data.split.folds: {folds} folds need at least {folds} different texts or groups, and there are {count}; "
            "use fewer folds"
        )
    if alone := _within_one(units, labels, names):
        raise DataError(
            f"data.split.folds: {first_few(alone)}: all rows of the label have the same text or group, so a model that "
            "is trained without this fold cannot learn it; merge the label with another one, or leave it out"
        )
    for draw in range(DRAWS):
        fold = _draw(strata, folds, (seed + draw) % 2**32, units)
        if len(np.unique(fold)) == folds and not _within_one(fold, labels, names):
            return fold
    raise DataError(
        f"data.split.folds: no split into {folds} folds has rows in each fold and each label in several folds; "
        "use fewer folds, or merge rare labels"
    )


def units_of(texts: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return the unit of each row, (N,): rows with the same text or the same group are connected.

    Args:
        texts: (N,) the number of each row's text.
        groups: (N,) the group of each row, if there are groups.
    """
    text = np.unique(texts, return_inverse=True)[1].reshape(-1)
    if groups is None:
        return text
    group = np.unique(groups, return_inverse=True)[1].reshape(-1) + text.max() + 1
    nodes = int(group.max()) + 1
    edges = coo_array((np.ones(len(text)), (text, group)), shape=(nodes, nodes))
    units: np.ndarray = connected_components(edges, directed=False)[1][text]
    return units


def _draw(strata: np.ndarray, folds: int, seed: int, units: np.ndarray) -> np.ndarray:
    """Return the fold of each row of one draw, (N,)."""
    if np.unique(strata, return_counts=True)[1].max() < folds:  # scikit-learn refuses these
        strata = np.zeros_like(strata)
    drawn = np.zeros(len(strata), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class in y has only")
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(strata, strata, units)
        for number, (_, rows) in enumerate(parts, start=1):
            drawn[rows] = number
    return drawn


def _within_one(parts: np.ndarray, labels: Sequence[np.ndarray], names: Sequence[Sequence[str]]) -> list[str]:
    """Return the names of the labels whose rows are all in the same part."""
    found = []
    for column, names_of_ids in zip(labels, names, strict=True):
        there = column >= 0
        pairs = np.unique(np.stack([column[there], parts[there]]), axis=1)
        ids, counts = np.unique(pairs[0], return_counts=True)
        found += [names_of_ids[each] for each in ids[counts == 1]]
    return found
