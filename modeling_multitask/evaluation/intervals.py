"""The 95 % intervals of figures: Wilson's for a share of rows, and a smoothed bootstrap for all others.

`benchmarks/interval_coverage.py` measures how often each interval contains the true value.

Shapes: M kinds of rows, R resamples.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.stats import norm, t

LEVEL = 0.95
RESAMPLES = 1_000
FEWEST_SEEDS = 3  # with fewer, an interval is over the rows only: the variation between two seeds is hardly known
# With fewer rows, a bootstrap has no interval. Below the limits of the second line, it would cover less than 90 %.
FEWEST_ROWS = 10
FEWEST_ROWS_OF = {"macro_f1": 50, "rmse": 200, "average_precision": 500}
IMAGINED = 1.0  # rows with a right answer that are added before rows are drawn, and as many with a wrong one
TAIL = (1 - LEVEL) / 2
_EXPLAINED = 0.5  # the part of the variance between seeds that the rows explain and that is left out; see `over_seeds`
_AT_ONCE = 4_000_000  # numbers of the resamples that are in memory at the same time


ComparisonOutcome = Literal["better", "worse", "no clear difference"]


class Figure(NamedTuple):
    """A value and its 95 % interval, which is `None` if there are too few rows for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def outcome(self) -> ComparisonOutcome:
        """Of an improvement: `better` or `worse` if its interval does not contain 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "no clear difference"
        return "better" if self.low > 0 else "worse"


class Drawn(NamedTuple):
    """Resamples of rows.

    Args:
        rows: (R, M), the number of drawn rows of each kind.
        right: (R, 1), the number of drawn rows that are imagined and have a right answer.
        wrong: (R, 1), the number of drawn rows that are imagined and have a wrong answer.
    """

    rows: np.ndarray
    right: np.ndarray
    wrong: np.ndarray


class Measures(NamedTuple):
    """Figures of resampled rows, and the rows to draw from.

    Args:
        counts: (M,), the number of rows of each kind.
        summed: Sums up resamples for the figures.
        figures: By name, a function that returns the figure of each resample, (R,).
        width: The numbers that `summed` holds for one resample, to limit memory.
        imagined: The number of imagined rows with a right answer, and of those with a wrong answer.
    """

    counts: np.ndarray
    summed: Callable[[Drawn], Any]
    figures: dict[str, Callable[[Any], np.ndarray]]
    width: int = 1
    imagined: float = IMAGINED

    def only(self, name: str) -> "Measures":
        """Return one of the figures."""
        return self._replace(figures={name: self.figures[name]})

    def of(self, drawn: Drawn) -> dict[str, np.ndarray]:
        """Return the figures of resamples by name, (R,) each."""
        summed = self.summed(drawn)
        return {name: figure(summed) for name, figure in self.figures.items()}


def share(hits: int, rows: int) -> Figure:
    """Return the share of hits among rows with Wilson's interval (Wilson 1927). Without rows it is 0."""
    return shares(np.array([hits]), np.array([rows]))[0]


def shares(hits: np.ndarray, rows: np.ndarray) -> list[Figure]:
    """Return `share` of each of C numbers of hits and rows."""
    there = np.maximum(rows, 1)
    value, z = hits / there, norm.ppf(1 - TAIL)
    centre = (hits + z**2 / 2) / (there + z**2)
    radius = z * np.sqrt(hits * (1 - value) + z**2 / 4) / (there + z**2)
    low = np.where(hits == 0, 0, np.minimum(centre - radius, value))
    high = np.where(hits == rows, 1, np.maximum(centre + radius, value))
    columns = zip(value.tolist(), low.tolist(), high.tolist(), (rows > 0).tolist(), strict=True)
    return [Figure(*figure) if known else Figure(0.0) for *figure, known in columns]


def f1(hits: int, given: int, there: int) -> Figure:
    """Return the F1 of one label with an interval; 0 without one if the label is neither true nor given.

    F1 is 2 J / (1 + J), where J is the share of hits among the rows that have the label or get it as an answer. Its
    interval is that of J.

    Args:
        hits: The rows that have the label and get it.
        given: The rows that get the label.
        there: The rows that have the label.
    """
    return f1_figures(*(np.array([each]) for each in (hits, given, there)))[0]


def f1_figures(hits: np.ndarray, given: np.ndarray, there: np.ndarray) -> list[Figure]:
    """Return `f1` of each of C labels."""
    parts = shares(hits, given + there - hits)
    return [Figure(*(None if each is None else 2 * each / (1 + each) for each in part)) for part in parts]


def bootstrapped(measures: Measures, *, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Figure]:
    """Return figures with the percentile intervals of a smoothed bootstrap (Efron 1979, Silverman & Young 1987).

    Rows are drawn with replacement. One imagined row with a right answer and one with a wrong answer may be drawn too,
    like the rows that Agresti & Coull (1998) add to a share. Without them, rows that are all answered right would have
    an interval of width 0.

    Args:
        measures: The figures and the rows.
        seed: The seed of the resampling.
        resamples: R.
    """
    found, rows = {name: Figure(value) for name, value in value_of(measures).items()}, int(measures.counts.sum())
    enough = {name: each for name, each in measures.figures.items() if rows >= FEWEST_ROWS_OF.get(name, FEWEST_ROWS)}
    if not enough:
        return found
    draws = draw_rows(measures.counts, measures.imagined, width=measures.width, seed=seed, resamples=resamples)
    drawn = [measures._replace(figures=enough).of(each) for each in draws]
    tail = TAIL if measures.imagined else expanded_tail(rows)
    return found | {
        name: percentiles(found[name].value, np.concatenate([each[name] for each in drawn]), tail=tail)
        for name in enough
    }


def value_of(measures: Measures) -> dict[str, float]:
    """Return the figures of the rows themselves."""
    none = np.zeros((1, 1))
    values = measures.of(Drawn(measures.counts[None].astype(float), none, none))
    return {name: float(value[0]) for name, value in values.items()}


def draw_rows(counts: np.ndarray, imagined: float, *, seed: int, resamples: int, width: int = 1) -> Iterator[Drawn]:
    """Yield resamples of rows and imagined rows in groups that fit into memory.

    Args:
        counts: (M,), the number of rows of each kind.
        imagined: The number of imagined rows with a right answer, and of those with a wrong answer.
        seed: The seed of the resampling.
        resamples: R.
        width: The numbers that are computed from one resample, to limit memory.
    """
    rng, rows = np.random.default_rng(seed), counts.sum()
    chances = np.append(counts, [imagined, imagined]) / (rows + 2 * imagined)
    at_once = max(1, _AT_ONCE // max(width, len(chances)))
    for start in range(0, resamples, at_once):
        drawn = rng.multinomial(rows, chances, size=min(at_once, resamples - start)).astype(float)
        yield Drawn(drawn[:, :-2], drawn[:, -2:-1], drawn[:, -1:])


def percentiles(value: float, drawn: np.ndarray, *, tail: float = TAIL) -> Figure:
    """Return a value with the interval of its resamples, (R,), without a share of `tail` at each end.

    It has no interval if it is no number, or if the interval would have a width of 0.
    """
    there = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(there) == 0:
        return Figure(value)
    low, high = np.quantile(there, [tail, 1 - tail])
    if min(low, value) == max(high, value):
        return Figure(value)
    return Figure(value, min(float(low), value), max(float(high), value))


def over_seeds(
    values: Sequence[float],
    drawn: Sequence[np.ndarray],
    *,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    tail: float = TAIL,
    seed: int = 0,
) -> Figure:
    """Return the mean over seeds with an interval over rows and, from `FEWEST_SEEDS` seeds on, over seeds.

    A bootstrap of so few seeds would be far too narrow. Therefore rows are resampled, and the effect of the seeds is
    drawn from Student's t distribution. Its variance is that of the values minus half of what
    the rows explain. If all of it were subtracted, the variance would often be 0 with few seeds, and some intervals
    would cover less than 90 %.

    Args:
        values: The value of each of S seeds.
        drawn: The resamples of the rows of each seed, (R,) each. Seeds with the same rows draw them together.
        bounds: The lowest and the highest possible value.
        tail: The share of resamples outside each end of the interval.
        seed: The seed of the resampling.
    """
    each, mean = np.stack(drawn), float(np.mean(values))  # (S, R)
    each = each[:, np.isfinite(each).all(axis=0)]
    means = each.mean(axis=0)
    if len(values) >= FEWEST_SEEDS and each.size:
        means = means + _effect_of_seeds(values, each, np.random.default_rng(seed))
    return percentiles(mean, np.clip(means, *bounds), tail=tail)


def expanded_tail(rows: int) -> float:
    """Return a smaller tail for few rows: their mean has Student's t distribution (Hesterberg 2015, section 5.3)."""
    return float(norm.cdf(np.sqrt(rows / (rows - 1)) * t.ppf(TAIL, rows - 1)))


def _effect_of_seeds(values: Sequence[float], drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the error that the choice of S seeds adds to their mean, (R,)."""
    seeds, resamples = drawn.shape
    explained = (drawn - drawn.mean(axis=1, keepdims=True)).var(axis=0, ddof=1).mean()
    variance = max(float(np.var(values, ddof=1) - _EXPLAINED * explained), 0.0)
    quantiles = t.ppf((np.arange(resamples) + 0.5) / resamples, seeds - 1)  # smoother than random draws
    return np.sqrt(variance / seeds) * rng.permutation(quantiles)
