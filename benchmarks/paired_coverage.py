"""How often the intervals of a study contain the true value: a simulation with known truth.

python -m benchmarks.paired_coverage [--rows 20 50 ...] [--shares 0.6 ...] [--repeats 400] [--resamples 400]

1. Two models on the same rows: the paired improvement of a report, for equal models and for a model without a quarter
   of the errors of the other.
2. Means over seeds and paired differences of two strategies, with the functions of a study. Each seed has its own rows,
   or all seeds have the same rows. The share of right answers of a model varies between seeds with a standard deviation
   of 0, 0.01 or 0.03 around the true share.

The mistakes of models on the same row are correlated. With one or two seeds, the interval of a study is about the
trained models. Its coverage of their own true value is `these models`; `new seeds` is the coverage of the mean over
all seeds, which is lower and therefore not claimed.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.interval_coverage import ROWS, SHARES, SKEWED
from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.confusions import OF_CLASSES, class_counts
from modeling_multitask.evaluation.intervals import Figure, bootstrapped
from modeling_multitask.evaluation.measures import improvement
from modeling_multitask.evaluation.resampled import Resampled, TaskAnswers, difference, main_figures, mean_over_seeds
from modeling_multitask.files import write_json

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "paired_coverage.json"
WORLDS = {"2 equal classes": [0.5, 0.5], "5 classes, 50 to 4 %": SKEWED[5]}
METRICS = ("accuracy", "macro_f1")
SEEDS = (1, 2, 3, 5)
DEVIATIONS = (0.0, 0.01, 0.03)
GAINS = (0.0, 0.25)  # the part of the mistakes that the better model does not make
_SAME = 0.5  # the chance that two models find a row equally difficult

Covered = dict[str, list[bool | None]]


class Sizes(NamedTuple):
    """The sizes of the simulation."""

    rows: Sequence[int]
    shares: Sequence[float]
    repeats: int
    resamples: int


def main(argv: list[str] | None = None) -> None:
    """Simulate, print and write the coverage of paired improvements and of figures over seeds."""
    parser = argparse.ArgumentParser(prog="benchmarks.paired_coverage")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=400)
    sizes = Sizes(**vars(parser.parse_args(argv)))
    found: dict[str, list[dict[str, Any]]] = {"paired": [], "seeds": []}
    for part, lines in (("paired", paired(sizes)), ("seeds", over_seeds(sizes))):
        for line in lines:
            found[part].append(line)
            print(json.dumps(line), flush=True)
            write_json(RESULTS, {**sizes._asdict(), **found})


def paired(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Yield the coverage of the improvement between two models on the same rows, by world, gain and rows."""
    for (world, classes), gain, rows in itertools.product(WORLDS.items(), GAINS, sizes.rows):
        by_share = [_paired(classes, gain, rows, share, sizes) for share in sizes.shares]
        yield {"world": world, "gain": gain, "rows": rows, "figures": _averaged(by_share)}


def over_seeds(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Yield the coverage of means and differences over seeds, by world, number of seeds, deviation and rows."""
    cases = itertools.product(WORLDS.items(), (False, True), SEEDS, DEVIATIONS, sizes.rows)
    for (world, classes), same_rows, seeds, deviation, rows in cases:
        by_share = [_over_seeds(classes, same_rows, seeds, deviation, rows, share, sizes) for share in sizes.shares]
        case = {"world": world, "same rows": same_rows, "seeds": seeds, "deviation": deviation, "rows": rows}
        yield {**case, "figures": _averaged(by_share)}


def _paired(classes: list[float], gain: float, rows: int, share: float, sizes: Sizes) -> Covered:
    rng, better = np.random.default_rng([rows, round(1000 * share)]), 1 - (1 - share) * (1 - gain)
    truths = {name: _truth(name, classes, better) - _truth(name, classes, share) for name in METRICS}
    covered: Covered = {name: [] for name in METRICS}
    for _ in range(sizes.repeats):
        labels, difficulty = _rows(rng, classes, rows)
        before, after = (_decision(_answers(rng, labels, difficulty, each, len(classes))) for each in (share, better))
        measures = improvement(_task("accuracy", classes), before, after, labels)
        measures = measures._replace(figures={name: measures.figures[name] for name in METRICS})
        figures = bootstrapped(measures, resamples=sizes.resamples)
        for name in METRICS:
            covered[name].append(_contains(figures[name], truths[name]))
    return covered


def _over_seeds(
    classes: list[float], same_rows: bool, seeds: int, deviation: float, rows: int, share: float, sizes: Sizes
) -> Covered:
    rng = np.random.default_rng([rows, round(1000 * share), seeds, round(1000 * deviation)])
    shares = (share, 1 - (1 - share) * (1 - GAINS[-1]))
    truths = {name: [_mean_truth(name, classes, each, deviation) for each in shares] for name in METRICS}
    covered: Covered = {}
    for _ in range(sizes.repeats):
        drawn = [_rows(rng, classes, rows) for _ in range(1 if same_rows else seeds)] * (seeds if same_rows else 1)
        own = [np.clip(each + deviation * rng.normal(size=seeds), 0, 1) for each in shares]
        found = [
            [
                _figures(rng, classes, *drawn[i], own[k][i], 1 if same_rows else seeds, sizes.resamples)
                for i in range(seeds)
            ]
            for k in range(2)
        ]
        for name in METRICS:
            first, second = ([each[name] for each in of_seeds] for of_seeds in found)
            these = [float(np.mean([_truth(name, classes, each) for each in shares_])) for shares_ in own]
            whole = mean_over_seeds(first)
            gain = mean_over_seeds([difference(*pair) for pair in zip(second, first, strict=True)])
            for title, truth in (("these models", these), ("new seeds", truths[name])):
                covered.setdefault(f"mean {name}, {title}", []).append(_contains(whole, truth[0]))
                covered.setdefault(f"difference of {name}, {title}", []).append(_contains(gain, truth[1] - truth[0]))
    return covered


def _figures(
    rng: np.random.Generator,
    classes: list[float],
    labels: np.ndarray,
    difficulty: np.ndarray,
    share: float,
    sets: int,
    resamples: int,
) -> dict[str, Resampled]:
    chosen = _answers(rng, labels, difficulty, share, len(classes))
    answers = [TaskAnswers(_task(name, classes), labels, chosen) for name in METRICS]
    found = main_figures(answers, sets=sets, resamples=resamples)
    return {} if found is None else found.tasks


def _rows(rng: np.random.Generator, classes: list[float], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of some rows, and how difficult they are, (N,) each."""
    return rng.choice(len(classes), size=rows, p=classes), rng.random(rows)


def _answers(
    rng: np.random.Generator, labels: np.ndarray, difficulty: np.ndarray, share: float, classes: int
) -> np.ndarray:
    """Return answers of which a share is right. A wrong answer is any other class."""
    own = np.where(rng.random(len(labels)) < _SAME, difficulty, rng.random(len(labels)))
    return np.where(own < share, labels, (labels + rng.integers(1, classes, size=len(labels))) % classes)


def _decision(chosen: np.ndarray) -> Decision:
    return Decision(chosen, chosen, np.ones(len(chosen), dtype=bool))


def _task(metric: str, classes: list[float]) -> TaskConfig:
    names = [f"label {i}" for i in range(len(classes))]
    return TaskConfig(metric, "single_label_classification", labels=names, metric=metric)


def _truth(name: str, classes: list[float], share: float) -> float:
    """Return the figure of infinitely many rows."""
    count, weights = len(classes), np.array(classes)
    wrong = (1 - np.eye(count)) * (1 - share) / (count - 1)
    confusion = weights[:, None] * (np.eye(count) * share + wrong)
    return float(OF_CLASSES[name](class_counts(np.pad(confusion, [(0, 0), (0, 1)]))))


def _mean_truth(name: str, classes: list[float], share: float, deviation: float) -> float:
    """Return the mean figure over seeds."""
    quantiles = np.random.default_rng(0).normal(size=2_000 if deviation else 1)
    return mean(_truth(name, classes, each) for each in np.clip(share + deviation * quantiles * bool(deviation), 0, 1))


def _contains(figure: Figure, truth: float) -> bool | None:
    if figure.low is None or figure.high is None:
        return None
    return figure.low - 1e-9 <= truth <= figure.high + 1e-9


def _averaged(by_share: list[Covered]) -> dict[str, dict[str, float | None]]:
    """Return the coverage of each figure: the mean over the true shares, the lowest, and the share of shown ones."""
    found: dict[str, dict[str, float | None]] = {}
    for name in by_share[0]:
        known = [[each for each in covered[name] if each is not None] for covered in by_share]
        rates = [mean(each) for each in known if each]
        shown = mean(len(each) / len(covered[name]) for each, covered in zip(known, by_share, strict=True))
        lowest, average = (min(rates), mean(rates)) if rates else (None, None)
        found[name] = {"mean": average, "lowest": lowest, "shown": shown}
    return found


if __name__ == "__main__":
    main()
