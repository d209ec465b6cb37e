"""Runs of a benchmark in a file, with their means and the paired differences from a baseline."""

import json
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from modeling_multitask.files import write_json

DRAWS = 10_000

Run = dict[str, Any]


class SavedRuns(NamedTuple):
    """A file of runs.

    A run has a `work`, a `seed`, a `method`, `overrides` and `tasks`: the figures of each task, and the error of every
    row in `errors`.

    Args:
        path: The file.
        baseline: The method that others are compared with.
        compared: The methods that are compared with it.
        costs: Figures of the whole run. Less is better.
    """

    path: Path
    baseline: str
    compared: tuple[str, ...]
    costs: tuple[str, ...] = ()

    def read(self) -> list[Run]:
        """Return the runs."""
        return self._read().get("runs", [])

    def has(self, run: Run) -> bool:
        """Return whether there is a run with the same work, seed, method and overrides."""
        return any(run.items() <= each.items() for each in self.read())

    def add(self, run: Run) -> None:
        """Write a run with all runs before it and the means, and print its means."""
        runs = [*self.read(), run]
        means = {_group(each): each for each in self._read().get("mean", [])}
        means |= {_group(each): each for each in self.means(runs, run["work"])}
        print(json.dumps(means[_group(run)]), flush=True)
        write_json(self.path, {"mean": [*means.values()], "runs": runs})

    def means(self, runs: list[Run], work: str) -> list[Run]:
        """Return the means of a work over runs that differ in their seeds, and the differences from the baseline."""
        groups: dict[tuple[str, ...], list[Run]] = {}
        for each in runs:
            if each["work"] == work:
                groups.setdefault(_group(each), []).append(each)
        return [self._mean(alike, groups.get((work, self.baseline), [])) for alike in groups.values()]

    def _read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}

    def _mean(self, alike: list[Run], baseline: list[Run]) -> Run:
        tasks = {
            task: {
                what: round(mean(run["tasks"][task][what] for run in alike), 4) for what in first if what != "errors"
            }
            for task, first in alike[0]["tasks"].items()
        }
        found = {name: alike[0][name] for name in ("work", "method", "overrides")}
        found |= {"seeds": [run["seed"] for run in alike], "tasks": tasks}
        found |= {cost: round(mean(run[cost] for run in alike), 1) for cost in self.costs}
        if alike[0]["method"] not in self.compared:
            return found
        return found | {"difference": differences(alike, baseline, self.costs)}


def differences(ours: list[Run], theirs: list[Run], costs: tuple[str, ...] = ()) -> dict[str, dict[str, float]]:
    """Return how far a method is below (negative) or above a baseline, by metric, paired over rows and seeds.

    Positive is better for every metric and cost. The intervals are percentiles of a bootstrap that draws the seeds, and
    the rows of each seed.
    """
    by_seed = {run["seed"]: run for run in ours}
    pairs = [
        (by_seed[run["seed"]], run) for run in sorted(theirs, key=lambda run: run["seed"]) if run["seed"] in by_seed
    ]
    found = {}
    for task, figures in pairs[0][0]["tasks"].items() if pairs else ():
        errors = [[_errors(run["tasks"][task]["errors"]) for run in pair] for pair in pairs]
        for metric in [name for name in ("accuracy", "mae") if name in figures]:
            gains = [(b != 0) - (a != 0).astype(float) if metric == "accuracy" else b - a for a, b in errors]
            found[f"{task} {metric}"] = interval(gains)
    for cost in costs if pairs else ():
        found[cost] = interval([np.array([b[cost] - a[cost]]) for a, b in pairs])
    return found


def interval(gains: list[np.ndarray]) -> dict[str, float]:
    """Return the mean of the seeds' means with its 95 % interval, from the gain of each row by seed."""
    rng = np.random.default_rng(0)
    # The mean of drawn rows, many times for each seed, and then of drawn seeds.
    drawn = np.stack([each[rng.integers(len(each), size=(DRAWS, len(each)))].mean(axis=1) for each in gains])
    seeds = rng.integers(len(gains), size=(len(gains), DRAWS))
    low, high = np.percentile(np.take_along_axis(drawn, seeds, axis=0).mean(axis=0), [2.5, 97.5])
    difference = np.mean([each.mean() for each in gains])
    return {name: round(float(each), 4) for name, each in (("difference", difference), ("low", low), ("high", high))}


def _errors(written: str) -> np.ndarray:
    return np.array(written.split() if " " in written else list(written), dtype=float)


def _group(run: Run) -> tuple[str, ...]:
    return run["work"], run["method"], *run["overrides"]
