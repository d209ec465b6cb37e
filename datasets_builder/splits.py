"""Which rows are held out for validation and test, and whose labels are hidden.

Shapes: N rows.
"""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from modeling_multitask.errors import DataError

MAX_FOLDS = 20  # a share of groups is rounded to so many parts


def split_rows(
    strata: np.ndarray, fractions: dict[str, float], seed: int, groups: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The row numbers of each split, ascending; `train` keeps what the others do not take.

    Every split has about the same share of each stratum.

    Args:
        strata: (N,) what each row is stratified by.
        fractions: By split name, its share of all rows.
        seed: Decides which rows are drawn.
        groups: (N,) rows of the same group stay together; the shares are then met only nearly.

    Raises:
        DataError: If a fraction leaves a split, or train, without rows, or there are too few groups.
    """
    rest = np.arange(len(strata))
    splits: dict[str, np.ndarray] = {}
    for name, fraction in fractions.items():
        count = round(fraction * len(strata))
        if not 0 < count < len(rest):
            raise DataError(f"data.split.{name}: {fraction} of {len(strata)} rows leaves {name} or train empty")
        if groups is None:
            taken = _draw(strata[rest], count, seed)
        else:
            taken = _draw_groups(strata[rest], groups[rest], count, seed, name)
        splits[name] = rest[taken]
        rest = rest[~taken]
    return {"train": rest, **splits}


def strata_of(labels: list[np.ndarray], rows: int) -> np.ndarray:
    """What the rows are stratified by, so that each task's labels are spread evenly, and their gaps too; (N,).

    This is the combination of all labels, a missing one being a label like another. A combination too rare to be in
    every split gives way to the rarest of its labels, as in iterative stratification (Sechidis et al. 2011), but in
    one step.

    Args:
        labels: For each task (N,) ids, -1 where missing; a multi-label task gives one such column for each label.
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
    """For each row the number of its label that is rarest over all rows; labels are numbered over all tasks."""
    numbers, counts, offset = [], [], 0
    for column, whole in zip(rows, everywhere, strict=True):
        size = int(whole.max()) + 2
        occurring = np.bincount(whole + 1, minlength=size).astype(float)
        occurring[0] = np.inf  # a missing label is no reason to stratify by
        numbers.append(column + 1 + offset)
        counts.append(occurring[column + 1])
        offset += size
    rarest = np.argmin(np.stack(counts), axis=0)
    return np.stack(numbers)[rarest, np.arange(len(rarest))]


def merge_rare(strata: np.ndarray, fewest: int) -> np.ndarray:
    """The strata with those of fewer rows than `fewest` made one, which joins the largest if it is rare itself; (N,).

    A stratum that is too small to have a row in every split cannot be stratified by.
    """
    counts = Counter(strata.tolist())
    rare = [stratum for stratum, count in counts.items() if count < fewest]
    if not rare:
        return strata
    joined = -1 if sum(counts[stratum] for stratum in rare) >= fewest else counts.most_common(1)[0][0]
    return np.where(np.isin(strata, rare), joined, strata)


def hide_labels(column: pa.ChunkedArray | pa.Array, fraction: float, rng: np.random.Generator) -> pa.Array:
    """The label column with this share of its labels made missing, to show what masking is for."""
    labelled = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    mask = np.zeros(len(column), dtype=bool)
    mask[rng.choice(labelled, size=round(fraction * len(labelled)), replace=False)] = True
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.if_else(pa.array(~mask), cells, pa.scalar(None, column.type))


def _draw(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Which rows are taken; (N,) of bool."""
    kept = merge_rare(strata, fewest=math.ceil(len(strata) / min(count, len(strata) - count)))
    _, rows = train_test_split(np.arange(len(strata)), test_size=count, random_state=seed, stratify=kept)
    taken = np.zeros(len(strata), dtype=bool)
    taken[rows] = True
    return taken


def _draw_groups(strata: np.ndarray, groups: np.ndarray, count: int, seed: int, name: str) -> np.ndarray:
    """The same, whole groups: the share of p / q is p of q folds."""
    different, asked = len(np.unique(groups)), count / len(strata)
    share = Fraction(asked).limit_denominator(min(MAX_FOLDS, different))
    parts, folds = share.numerator, share.denominator
    if not 0 < parts < folds or abs(share - asked) > asked / 2:
        raise DataError(f"data.split.{name}: {different} groups are too few to take a share of {asked:.2g} from")
    kept = merge_rare(strata, fewest=folds)
    cut = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed).split(kept, kept, groups)
    taken = np.zeros(len(strata), dtype=bool)
    for _ in range(parts):
        taken[next(cut)[1]] = True
    return taken
