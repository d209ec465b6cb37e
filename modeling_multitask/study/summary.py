"""The summary of a study: metrics with intervals, differences between strategies, and a recommendation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..evaluation.intervals import FEWEST_SEEDS
from ..evaluation.resampled import Resampled, TaskAnswers, difference, main_figures, mean_over_seeds, rows_digest
from .strategies import EVERYTHING, Strategy, alone, ignored, kept

SCORE = "score"
MARGIN = 0.01  # the loss of score that is acceptable for fewer trained parameters


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval, which is `None` if there are too few rows.

    The interval is over rows. From three seeds on, it is also over seeds. With fewer seeds, it is about these trained
    models only.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    seeds: int = 1

    @property
    def over_seeds(self) -> bool:
        """Whether the interval contains the variation between seeds."""
        return self.seeds >= FEWEST_SEEDS

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval is above or below 0, else 0."""
        return 0 if self.low is None or self.high is None else int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run.

    Args:
        seed: The seed.
        results: The metrics of each task and the `score`, by split. Empty if the run failed.
        parameters: The number of trained parameters, in the phase that trains most.
        seconds: The wall-clock time of training, including evaluations.
        cpu_seconds: The CPU time over all cores. Other processes on the machine hardly change it.
        memory: The peak memory in MiB.
        error: The error, if the run failed.
        answers: The answers to the evaluated rows, by split.
    """

    seed: int
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0
    error: str | None = None
    answers: dict[str, list[TaskAnswers]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class StudyRow:
    """The outcome of all runs of one strategy.

    Args:
        strategy: The strategy.
        seeds: The seeds of the successful runs.
        figures: The main metric by split, and then by task or `score`.
        parameters: The number of trained parameters, in the phase that trains most.
        seconds: The mean wall-clock time over seeds.
        cpu_seconds: The mean CPU time over seeds.
        memory: The largest peak memory over seeds, in MiB.
        errors: The errors of failed runs by seed.
    """

    strategy: Strategy
    seeds: tuple[int, ...]
    figures: dict[str, dict[str, Estimate]]
    parameters: int
    seconds: float
    cpu_seconds: float
    memory: float
    errors: dict[int, str]

    @property
    def considered(self) -> bool:
        """Whether it may be recommended: a candidate with a score for all its runs. Other seeds are other rows."""
        return self.strategy.candidate and not self.errors and SCORE in self.figures.get("validation", {})


@dataclass(frozen=True)
class Comparison:
    """The paired difference between two strategies in a task's main metric, per seed on the same rows.

    Args:
        first: The name of the first strategy.
        second: The name of the second strategy.
        task: The task, or `score`.
        split: The split.
        difference: First minus second.
    """

    first: str
    second: str
    task: str
    split: str
    difference: Estimate


@dataclass(frozen=True)
class Recommendation:
    """The recommended strategy.

    Args:
        strategy: The name of the recommended strategy.
        best: The name of the strategy with the highest mean score on the validation rows. It is usually the same.
        difference: The difference in this score between the two. `None` if they are the same.
    """

    strategy: str
    best: str
    difference: Estimate | None = None


@dataclass(frozen=True)
class Study:
    """The results of a study.

    Args:
        metrics: The main metric of each task.
        rows: One row for each strategy.
        together: For each task, the comparison of training with the other tasks and training alone.
        frozen_heads: For each frozen head, by its task, the comparisons of loss kept and loss ignored.
        recommendation: The recommendation. `None` if no candidate has a score on validation rows for all its runs.
    """

    metrics: dict[str, str]
    rows: list[StudyRow]
    together: list[Comparison]
    frozen_heads: dict[str, list[Comparison]]
    recommendation: Recommendation | None

    def row(self, name: str) -> StudyRow:
        """Return the row of the strategy with this name."""
        return next(row for row in self.rows if row.strategy.name == name)


def summarise(metrics: dict[str, str], outcomes: Sequence[tuple[Strategy, Sequence[Outcome]]]) -> Study:
    """Summarise the runs of all strategies.

    Args:
        metrics: The main metric of each task.
        outcomes: For each strategy, one outcome per seed.
    """
    sets = _sets_of_rows([run for _, runs in outcomes for run in runs])
    values = {strategy.name: _values(strategy, runs, metrics, sets) for strategy, runs in outcomes}
    rows = [_row(strategy, runs, values[strategy.name]) for strategy, runs in outcomes]
    # These comparisons use the test rows, because they select nothing. The validation rows would favour a task alone:
    # they selected its checkpoint by its own metric.
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


Values = dict[str, dict[str, dict[int, Resampled]]]  # by split, by task or `score`, by seed


def estimate(seeds: Sequence[Resampled]) -> Estimate:
    """Return the mean of the values of some seeds with its interval."""
    return Estimate(*mean_over_seeds(seeds), len(seeds))


def _sets_of_rows(runs: Sequence[Outcome]) -> dict[str, int]:
    """Return by split in how many sets of rows the runs were evaluated: one if the seeds have the same rows."""
    found: dict[str, set[int]] = {}
    for run in runs:
        for split, answers in run.answers.items():
            found.setdefault(split, set()).add(rows_digest(answers))
    return {split: len(sets) for split, sets in found.items()}


def _values(strategy: Strategy, runs: Sequence[Outcome], metrics: dict[str, str], sets: dict[str, int]) -> Values:
    """Return the main metrics of a strategy's runs. A task without labelled rows in a split has no metric there."""
    values: Values = {}
    for run in runs:
        for split, answers in run.answers.items():
            figures = main_figures(answers, sets=sets[split])
            if figures is None:
                continue
            found = {task: figures.tasks[task] for task in strategy.tasks if task in figures.tasks}
            if set(strategy.tasks) == set(metrics):  # otherwise the score includes untrained tasks
                found[SCORE] = figures.score
            for name, each in found.items():
                if np.isfinite(each.value):
                    values.setdefault(split, {}).setdefault(name, {})[run.seed] = each
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
    """Return the difference in a task for each pair of strategies that both have results."""
    found = [(*pair, _difference(values.get(pair[0], {}), values.get(pair[1], {}), split, pair[2])) for pair in pairs]
    return [
        Comparison(first, second, task, split, difference)
        for first, second, task, difference in found
        if difference is not None
    ]


def _difference(first: Values, second: Values, split: str, name: str) -> Estimate | None:
    """Return first minus second over the common seeds, or `None` if there are none."""
    one, other = (each.get(split, {}).get(name, {}) for each in (first, second))
    both = [difference(one[seed], other[seed]) for seed in one if seed in other]
    return estimate(both) if both else None


def _recommend(rows: Sequence[StudyRow], values: dict[str, Values]) -> Recommendation | None:
    """Recommend the strategy with the fewest trained parameters that is as good as the best on the validation rows.

    A strategy is as good if it is at most `MARGIN` worse on average and the paired difference is not significant. The
    margin is needed because intervals of few rows and seeds are wide.
    """
    judged = [row for row in rows if row.considered]
    if not judged:
        return None
    best = max(judged, key=lambda row: row.figures["validation"][SCORE].mean)
    cheaper = [row for row in judged if row.parameters < best.parameters]
    for row in sorted(cheaper, key=lambda row: (row.parameters, -row.figures["validation"][SCORE].mean)):
        name = row.strategy.name
        loss = _difference(values[name], values[best.strategy.name], "validation", SCORE)
        if loss is not None and loss.low is not None and loss.sign == 0 and loss.mean >= -MARGIN:
            return Recommendation(name, best.strategy.name, loss)
    return Recommendation(best.strategy.name, best.strategy.name)
