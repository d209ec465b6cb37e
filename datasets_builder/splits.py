"""Which rows are held out for validation and test, and whose labels are hidden."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .extras import import_extra
from .sources import DataError


def split_rows(strata: list[str], fractions: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """The row numbers of each split, ascending; `train` keeps what the others do not take.

    Every split has about the same share of each stratum.

    Args:
        strata: Of each row, what it is stratified by.
        fractions: By split name, its share of all rows.
        seed: Decides which rows are drawn.

    Raises:
        DataError: If a fraction leaves a split, or train, without rows.
    """
    train_test_split = import_extra("sklearn.model_selection", extra="train").train_test_split
    rest = np.arange(len(strata))
    splits: dict[str, np.ndarray] = {}
    for name, fraction in fractions.items():
        count = round(fraction * len(strata))
        if not 0 < count < len(rest):
            raise DataError(f"data.split.{name}: {fraction} of {len(strata)} rows leaves {name} or train empty")
        kept = merge_rare(np.array(strata)[rest], fewest=math.ceil(len(rest) / min(count, len(rest) - count)))
        rest, taken = train_test_split(rest, test_size=count, random_state=seed, stratify=kept)
        splits[name] = np.sort(taken)
    return {"train": np.sort(rest), **splits}


def merge_rare(strata: np.ndarray, fewest: int) -> np.ndarray:
    """The strata with those of fewer rows than `fewest` made one, which joins the largest if it is rare itself.

    A stratum that is too small to have a row in every split cannot be stratified by.
    """
    counts = Counter(strata.tolist())
    rare = [stratum for stratum, count in counts.items() if count < fewest]
    if not rare:
        return strata
    joined = "rare" if sum(counts[stratum] for stratum in rare) >= fewest else counts.most_common(1)[0][0]
    return np.where(np.isin(strata, rare), joined, strata)


def hide_labels(column: pa.ChunkedArray, fraction: float, rng: np.random.Generator) -> pa.ChunkedArray:
    """The label column with this share of its labels made missing, to show what masking is for."""
    labelled = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    mask = np.zeros(len(column), dtype=bool)
    mask[rng.choice(labelled, size=round(fraction * len(labelled)), replace=False)] = True
    return pc.if_else(pa.array(~mask), column.combine_chunks(), pa.scalar(None, column.type))
