"""Choose the rows to hold out for validation and test, and the labels to hide.

Shapes: N rows.
"""

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from modeling_multitask.errors import DataError

MAX_FOLDS = 20  # a share of groups is rounded to a fraction with at most this denominator


def split_rows(
    strata: np.ndarray,
    fractions: dict[str, float],
    seed: int,
    groups: np.ndarray | None = None,
    labels: Sequence[np.ndarray] = (),
) -> dict[str, np.ndarray]:
    """Return the row numbers of each split, ascending. `train` gets the rows that no other split takes.

    Every split has about the same share of each stratum, and train has a row of every label.

    Args:
        strata: (N,) the stratum of each row.
        fractions: By split name, its share of all rows.
        seed: The seed of the draw.
        groups: (N,) the group of each row. Rows of the same group stay in the same split, so the shares are
            approximate.
        labels: For each task (N,) ids, as for `strata_of`.

    Raises:
        DataError: If a split or train would have no rows, or there are too few groups.
    """
    units = np.arange(len(strata)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    lone = _holds_a_whole_label(labels, units)
    rest = np.flatnonzero(~lone)
    splits: dict[str, np.ndarray] = {}
    for name, fraction in fractions.items():
        count = round(fraction * len(strata))
        if not 0 < count < len(rest) + lone.any():
            raise DataError(_too_few(name, fraction, lone))
        if count == len(rest):
            taken = np.ones(count, dtype=bool)
        elif groups is None:
            taken = _draw(strata[rest], count, seed)
        else:
            taken = _draw_groups(strata[rest], groups[rest], count, seed, name)
        splits[name] = rest[taken]
        rest = rest[~taken]
    kept = lone.copy()
    kept[rest] = True
    kept |= _returned(labels, units, kept)
    splits = {name: rows[~kept[rows]] for name, rows in splits.items()}
    for name, rows in splits.items():
        if not len(rows):
            raise DataError(_too_few(name, fractions[name], kept))
    return {"train": np.flatnonzero(kept), **splits}


def strata_of(labels: list[np.ndarray], rows: int) -> np.ndarray:
    """Return (N,) the stratum of each row, so that each task's labels and missing labels are spread evenly.

    A stratum is a combination of the labels of all tasks, where a missing label counts as a label. If a combination
    is too rare to be in every split, the row is stratified by its rarest label instead. Iterative stratification
    (Sechidis et al. 2011) uses the same idea in several steps.

    Args:
        labels: For each task (N,) ids, -1 where missing. A multi-label task has one such column for each label.
        rows: N.
    """
    if not labels:
        return np.zeros(rows, dtype=np.int64)
    _, combined = np.unique(np.stack(labels, axis=1), axis=0, return_inverse=True)
    combined = combined.reshape(-1)
    rare = np.bincount(combined)[combined] < MAX_FOLDS
    if not rare.any():
        return combined
    rarest = _rarest_labels([column[rare] for column in labels], labels)
    strata = combined.copy()
    strata[rare] = combined.max() + 1 + rarest
    return strata


def _rarest_labels(rows: list[np.ndarray], everywhere: list[np.ndarray]) -> np.ndarray:
    """Return for each row its label that is rarest over all rows, as a number that is unique over all tasks."""
    numbers, counts, offset = [], [], 0
    for column, whole in zip(rows, everywhere, strict=True):
        size = int(whole.max()) + 2
        occurring = np.bincount(whole + 1, minlength=size).astype(float)
        occurring[0] = np.inf  # a missing label is never the rarest
        numbers.append(column + 1 + offset)
        counts.append(occurring[column + 1])
        offset += size
    rarest = np.argmin(np.stack(counts), axis=0)
    return np.stack(numbers)[rarest, np.arange(len(rarest))]


def merge_rare(strata: np.ndarray, fewest: int) -> np.ndarray:
    """Return (N,) the strata, with all strata of fewer than `fewest` rows merged into one.

    A stratum needs a row in every split. If the merged stratum is still too small, it joins the largest stratum.
    """
    counts = Counter(strata.tolist())
    rare = [stratum for stratum, count in counts.items() if count < fewest]
    if not rare:
        return strata
    joined = -1 if sum(counts[stratum] for stratum in rare) >= fewest else counts.most_common(1)[0][0]
    return np.where(np.isin(strata, rare), joined, strata)


def hide_labels(column: pa.ChunkedArray | pa.Array, fraction: float, rng: np.random.Generator) -> pa.Array:
    """Return the label column with this share of its labels made missing."""
    labelled = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    mask = np.zeros(len(column), dtype=bool)
    mask[rng.choice(labelled, size=round(fraction * len(labelled)), replace=False)] = True
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.if_else(pa.array(~mask), cells, pa.scalar(None, column.type))


def _holds_a_whole_label(labels: Sequence[np.ndarray], units: np.ndarray) -> np.ndarray:
    """Return (N,) bool, whether the row's unit (its group, or the row itself) contains all rows of some label."""
    lone = np.zeros(units.max() + 1, dtype=bool)
    for column in labels:
        there = column >= 0
        size = int(column.max(initial=-1)) + 1
        least, most = np.full(size, len(lone)), np.full(size, -1)
        np.minimum.at(least, column[there], units[there])
        np.maximum.at(most, column[there], units[there])
        lone[least[least == most]] = True
    return lone[units]


def _returned(labels: Sequence[np.ndarray], units: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return (N,) bool, the rows that go back to train: one unit for each label without a kept row."""
    back = np.zeros(units.max() + 1, dtype=bool)
    for column in labels:
        labelled = np.flatnonzero(column >= 0)
        first = np.full(int(column.max(initial=-1)) + 1, len(column))
        np.minimum.at(first, column[labelled], labelled)
        first[column[kept & (column >= 0)]] = len(column)  # labels with a kept row
        back[units[first[first < len(column)]]] = True
    return back[units]


def _too_few(name: str, fraction: float, kept: np.ndarray) -> str:
    if not kept.any():
        return f"data.split.{name}: {fraction} of {len(kept)} rows leaves {name} or train empty; change the share"
    return (
        f"data.split.{name}: {fraction} of {len(kept)} rows cannot be held out, because {kept.sum()} rows contain the "
        "only rows of a label and stay in train; change the share, or leave out rare labels"
    )


def _draw(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return (N,) bool, whether each row is taken."""
    kept = merge_rare(strata, fewest=math.ceil(len(strata) / min(count, len(strata) - count)))
    _, rows = train_test_split(np.arange(len(strata)), test_size=count, random_state=seed, stratify=kept)
    taken = np.zeros(len(strata), dtype=bool)
    taken[rows] = True
    return taken


def _draw_groups(strata: np.ndarray, groups: np.ndarray, count: int, seed: int, name: str) -> np.ndarray:
    """Return (N,) bool, whether each row is taken, for whole groups: a share of p / q takes p of q folds."""
    different, asked = len(np.unique(groups)), count / len(strata)
    share = Fraction(asked).limit_denominator(min(MAX_FOLDS, different))
    parts, folds = share.numerator, share.denominator
    if not 0 < parts < folds or abs(share - asked) > asked / 2:
        raise DataError(
            f"data.split.{name}: {different} groups are too few for a share of {asked:.2g}; change the share"
        )
    kept = merge_rare(strata, fewest=folds)
    cut = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed).split(kept, kept, groups)
    taken = np.zeros(len(strata), dtype=bool)
    for _ in range(parts):
        taken[next(cut)[1]] = True
    return taken
