"""The 95 % intervals of figures: Wilson's for a share of rows, and a smoothed bootstrap for all others.

`benchmarks/interval_coverage.py` measures how often each interval contains the true value.

Shapes: N rows, K counted quantities, R resamples.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, norm, t

LEVEL = 0.95
RESAMPLES = 1_000
FEWEST_ROWS = 10  # with fewer rows, a bootstrap has no interval
_IMAGINED = 2  # rows with a right answer, and as many with a wrong one
_AT_ONCE = 4_000_000  # numbers in the resamples that are in memory at a time


class Figure(NamedTuple):
    """A value and its 95 % interval. `None` if the rows are too few for an interval."""

    value: float
    low: float | None = None
    high: float | None = None


def share(hits: int, rows: int) -> Figure:
    """Return the share of hits among rows with Wilson's interval (Wilson 1927); 0 without an interval if no rows."""
    if rows == 0:
        return Figure(0.0)
    low, high = binomtest(int(hits), int(rows)).proportion_ci(LEVEL, method="wilson")
    return Figure(hits / rows, min(float(low), hits / rows), max(float(high), hits / rows))


def interval(value: float, drawn: np.ndarray, rows: int, *, fewest: int = FEWEST_ROWS) -> Figure:
    """Return a value with the expanded percentile interval of its resamples (Hesterberg 2015, section 5.3).

    There is no interval if the rows are too few, or if all resamples are equal.

    Args:
        value: The figure of the rows themselves.
        drawn: (R,), the figure of each resample. NaN where a resample has none.
        rows: N.
        fewest: The smallest number of rows that has an interval.
    """
    there = drawn[np.isfinite(drawn)]
    if rows < fewest or not np.isfinite(value) or len(there) == 0 or there.min() == there.max():
        return Figure(value)
    low, high = np.quantile(there, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, min(float(low), value), max(float(high), value))
