"""What runs of several strategies say: their figures with intervals, what differs, and which to use.

Shapes: S seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from .strategies import EVERYTHING, Strategy, alone, ignored, kept

LEVEL = 0.95
SCORE = "score"
MARGIN = 0.01  # of the score, that fewer parameters may cost


class Estimate(NamedTuple):
    """A mean over seeds, and Student's 95 % interval of it, which one seed alone does not have."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0."""
        return 0 if self.low is None or self.high is None else int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Outcome:
    """What one run gave.

    Args:
        seed: Its seed.
        results: By split, each task's metrics and the `score`; empty if the run failed.
        parameters: How many numbers trained, in the phase that trained most.
        seconds: How long training took, with its evaluations.
        cpu_seconds: How long all cores together were busy with it, which others on the machine do not change.
        memory: MiB at the peak.
        error: What went wrong, if something did.
    """

    seed: int
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class StudyRow:
    """What all runs of one strategy gave.

    Args:
        strategy: The strategy.
        seeds: Those of the runs that did not fail.
        figures: By split, and there by task or `score`, the main metric.
        parameters: How many numbers trained, in the phase that trained most.
        seconds: Mean over seeds.
        cpu_seconds: Mean over seeds.
        memory: The largest over seeds, in MiB.
        errors: By seed, why a run failed.
    """

    strategy: Strategy
    seeds: tuple[int, ...]
    figures: dict[str, dict[str, Estimate]]
    parameters: int
    seconds: float
    cpu_seconds: float
    memory: float
    errors: dict[int, str]


@dataclass(frozen=True)
class Comparison:
    """What one strategy has of a task's main metric above another, seed by seed on the same rows.

    Args:
        first: The name of the one.
        second: The name of the other.
        task: The task, or `score`.
        split: The rows.
        difference: First minus second.
    """

    first: str
    second: str
    task: str
    split: str
    difference: Estimate


@dataclass(frozen=True)
class Recommendation:
    """Which strategy to use.

    Args:
        strategy: Its name.
        best: The name of the one with the highest mean score on validation rows; as a rule the same.
        difference: Between the two, in that score; `None` if they are the same.
    """

    strategy: str
    best: str
    difference: Estimate | None = None


@dataclass(frozen=True)
class Study:
    """What a study found.

    Args:
        metrics: By task, its main metric.
        rows: One for each strategy.
        together: Of each task, learning with the others against learning alone.
        frozen_heads: Of each head that is frozen and each task, its loss kept against its loss ignored; by task
            whose head it is.
        recommendation: `None` if no run that could be recommended has validation rows.
    """

    metrics: dict[str, str]
    rows: list[StudyRow]
    together: list[Comparison]
    frozen_heads: dict[str, list[Comparison]]
    recommendation: Recommendation | None

    def row(self, name: str) -> StudyRow:
        """The row of the strategy of this name."""
        return next(row for row in self.rows if row.strategy.name == name)


def summarise(metrics: dict[str, str], outcomes: Sequence[tuple[Strategy, Sequence[Outcome]]]) -> Study:
    """What the runs of all strategies say.

    Args:
        metrics: By task, its main metric.
        outcomes: Of each strategy, one for each seed.
    """
    values = {strategy.name: _values(strategy, runs, metrics) for strategy, runs in outcomes}
    rows = [_row(strategy, runs, values[strategy.name]) for strategy, runs in outcomes]
    # Nothing is chosen by these, so they may be told from the test rows. On the validation rows a task alone
    # would be flattered: its checkpoint was chosen by its own metric there.
    split = "test" if any("test" in each for each in values.values()) else "validation"
    together = [(EVERYTHING, alone(task), task) for task in metrics]
    heads = {task: [(kept(task), ignored(task), each) for each in metrics] for task in metrics}
    return Study(
        metrics=metrics,
        rows=rows,
        together=_compare(together, split, values),
        frozen_heads={task: found for task, pairs in heads.items() if (found := _compare(pairs, split, values))},
        recommendation=_recommend(rows, values),
    )


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of values (S,) and Student's interval of it."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean)
    quantile = student.ppf((1 + LEVEL) / 2, len(values) - 1)
    half = float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - half, mean + half)


Values = dict[str, dict[str, dict[int, float]]]  # by split, by task or `score`, by seed


def _values(strategy: Strategy, runs: Sequence[Outcome], metrics: dict[str, str]) -> Values:
    """The main metrics of a strategy's runs; a task that no row of a split has a label for has none there."""
    values: Values = {}
    for run in runs:
        for split, results in run.results.items():
            mains = {task: results[task].get(metrics[task]) for task in strategy.tasks}
            if set(strategy.tasks) == set(metrics):  # else the score has tasks in it that nobody trained
                mains[SCORE] = results[SCORE]
            for name, value in mains.items():
                if value is not None:
                    values.setdefault(split, {}).setdefault(name, {})[run.seed] = float(value)
    return values


def _row(strategy: Strategy, runs: Sequence[Outcome], values: Values) -> StudyRow:
    done = [run for run in runs if run.error is None]
    return StudyRow(
        strategy=strategy,
        seeds=tuple(run.seed for run in done),
        figures={
            split: {name: estimate([*seeds.values()]) for name, seeds in found.items()}
            for split, found in values.items()
        },
        parameters=max((run.parameters for run in done), default=0),
        seconds=sum(run.seconds for run in done) / max(len(done), 1),
        cpu_seconds=sum(run.cpu_seconds for run in done) / max(len(done), 1),
        memory=max((run.memory for run in done), default=0.0),
        errors={run.seed: run.error for run in runs if run.error is not None},
    )


def _compare(pairs: Sequence[tuple[str, str, str]], split: str, values: dict[str, Values]) -> list[Comparison]:
    """Of each pair of strategies that has run, the difference in a task."""
    found = [(*pair, _difference(values.get(pair[0], {}), values.get(pair[1], {}), split, pair[2])) for pair in pairs]
    return [
        Comparison(first, second, task, split, difference)
        for first, second, task, difference in found
        if difference is not None
    ]


def _difference(first: Values, second: Values, split: str, name: str) -> Estimate | None:
    """First minus second over the seeds that both have; `None` if there are none."""
    one, other = (each.get(split, {}).get(name, {}) for each in (first, second))
    both = [one[seed] - other[seed] for seed in one if seed in other]
    return estimate(both) if both else None


def _recommend(rows: Sequence[StudyRow], values: dict[str, Values]) -> Recommendation | None:
    """The best on validation rows, or the one with the fewest trained parameters that is as good.

    As good is a strategy that is at most `MARGIN` worse on average, if its mean lies within the interval of the best
    and the difference seed by seed cannot be told from 0: of few seeds intervals are so wide that they say little.
    """
    judged = [row for row in rows if row.strategy.candidate and SCORE in row.figures.get("validation", {})]
    judged = [row for row in judged if not row.errors]  # means over other seeds are not to be compared
    scores = {row.strategy.name: row.figures["validation"][SCORE] for row in judged}
    if not scores:
        return None
    best = max(scores, key=lambda name: scores[name].mean)
    low = scores[best].low
    parameters = {row.strategy.name: row.parameters for row in judged}
    for name in sorted(scores, key=lambda name: (parameters[name], -scores[name].mean)):
        if parameters[name] >= parameters[best]:
            break
        difference = _difference(values[name], values[best], "validation", SCORE)
        if low is None or difference is None:
            continue
        if scores[name].mean >= low and difference.sign == 0 and difference.mean >= -MARGIN:
            return Recommendation(name, best, difference)
    return Recommendation(best, best)
