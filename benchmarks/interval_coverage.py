"""How often the intervals of a report contain the true value: a simulation with known truth.

python -m benchmarks.interval_coverage [--rows 20 50 ...] [--repeats 400] [--resamples 400]

Each model answers with a known chance of a right answer (the true share, from 0.6 to 0.98), so the true figure is known
from many rows. Rows are drawn, the figures with their intervals are computed with the functions of the report, and the
share of the intervals that contain the true figure is counted. Intervals that a report does not show count for nothing,
and the share of shown intervals is counted too. The numbers of a regression have the true share as their R².
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Decision
from modeling_multitask.evaluation.figures import task_figures
from modeling_multitask.evaluation.intervals import Figure
from modeling_multitask.files import write_json

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "interval_coverage.json"
ROWS = (20, 50, 100, 200, 500, 1000, 2000)
SHARES = (0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
TRUTH_ROWS = 400_000

Rows = tuple[Decision, np.ndarray]  # the answers to simulated rows, and their labels
SKEWED = {2: [0.9, 0.1], 5: [0.5, 0.25, 0.13, 0.08, 0.04], 10: [each / 55 for each in range(10, 0, -1)]}


def main(argv: list[str] | None = None) -> None:
    """Simulate, print and write the coverage of every figure, by the number of rows."""
    parser = argparse.ArgumentParser(prog="benchmarks.interval_coverage")
    parser.add_argument("names", nargs="*", default=[*WORLDS])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=400)
    arguments = parser.parse_args(argv)
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["coverage"] if RESULTS.is_file() else []
    for name in arguments.names:
        task, draw = WORLDS[name]
        truths = {share: _values(task, draw(np.random.default_rng(1), TRUTH_ROWS, share)) for share in SHARES}
        for rows in arguments.rows:
            by_share = {
                share: coverage(task, draw, rows, share, truths[share], arguments.repeats, arguments.resamples)
                for share in SHARES
            }
            found = [each for each in found if (each["world"], each["rows"]) != (name, rows)]
            found.append({"world": name, "rows": rows, "figures": averaged(by_share)})
            print(json.dumps(found[-1]), flush=True)
            settings = {"repeats": arguments.repeats, "resamples": arguments.resamples, "shares": SHARES}
            write_json(RESULTS, {**settings, "coverage": found})


def coverage(
    task: TaskConfig, draw: Callable[..., Rows], rows: int, share: float, truths: dict[str, float], *sizes: int
) -> dict[str, tuple[float | None, float]]:
    """Return for each figure the share of its shown intervals that contain the truth, and the share that is shown."""
    repeats, resamples = sizes
    rng = np.random.default_rng([rows, round(1000 * share)])
    contained: dict[str, list[bool | None]] = {name: [] for name in truths}
    for _ in range(repeats):
        for name, figure in _figures(task, draw(rng, rows, share), resamples).items():
            contained[name].append(_contains(figure, truths[name]))
    return {name: _shown(each) for name, each in contained.items()}


def averaged(by_share: dict[float, dict[str, tuple[float | None, float]]]) -> dict[str, dict[str, Any]]:
    """Return the coverage of each figure: the mean over the true shares, the lowest one, and the mean share shown."""
    found = {}
    for name in by_share[SHARES[0]]:
        known = [each[name][0] for each in by_share.values() if each[name][0] is not None]
        shown = mean(each[name][1] for each in by_share.values())
        lowest = round(min(known), 3) if known else None
        found[name] = {"mean": round(mean(known), 3) if known else None, "lowest": lowest, "shown": round(shown, 3)}
    return found


def _figures(task: TaskConfig, rows: Rows, resamples: int) -> dict[str, Figure]:
    measured = task_figures(task, *rows, resamples=resamples)
    ends = [*measured.classes.values()][:: max(1, len(measured.classes) - 1)][:2]  # the most frequent class, the rarest
    of_classes = {
        f"{what} of the {which} class": getattr(each, what)
        for which, each in zip(("first", "last"), ends, strict=False)
        for what in ("precision", "recall", "f1")
    }
    return {**measured.figures, **of_classes}


def _values(task: TaskConfig, rows: Rows) -> dict[str, float]:
    return {name: each.value for name, each in _figures(task, rows, 1).items()}


def _contains(figure: Figure, truth: float) -> bool | None:
    if figure.low is None or figure.high is None:
        return None
    return figure.low - 1e-9 <= truth <= figure.high + 1e-9


def _shown(contained: list[bool | None]) -> tuple[float | None, float]:
    known = [each for each in contained if each is not None]
    return mean(known) if known else None, len(known) / len(contained)


def _of_classes(shares: list[float], *, ordered: bool = False) -> Callable[[np.random.Generator, int, float], Rows]:
    """Return a draw of rows whose wrong answers are any other class, or a neighbour of the label."""
    count = len(shares)

    def draw(rng: np.random.Generator, rows: int, share: float) -> Rows:
        labels = rng.choice(count, size=rows, p=shares)
        other = (labels + rng.integers(1, count, size=rows)) % count
        if ordered:
            step = np.where(labels == 0, 1, np.where(labels == count - 1, -1, rng.choice([-1, 1], size=rows)))
            other = labels + step
        chosen = np.where(rng.random(rows) < share, labels, other)
        return Decision(np.zeros((rows, count)), chosen, np.ones(rows, dtype=bool)), labels

    return draw


def _of_positions(rng: np.random.Generator, rows: int, share: float) -> Rows:
    """Return rows of three labels, which 50, 30 and 10 % of the rows have."""
    labels = (rng.random((rows, 3)) < [0.5, 0.3, 0.1]).astype(int)
    wrong = rng.random(labels.shape) >= share
    scores = np.abs(labels - wrong - rng.random(labels.shape) / 2)  # above 0.5 for yes
    return Decision(scores, np.abs(labels - wrong), np.ones(rows, dtype=bool)), labels


def _of_numbers(rng: np.random.Generator, rows: int, share: float) -> Rows:
    """Return numbers with long tails (Student's t with 5 degrees of freedom) whose R² is the share."""
    answers, noise = rng.normal(size=rows) * np.sqrt(share), rng.standard_t(5, size=rows) * np.sqrt(0.6)
    labels = answers + noise * np.sqrt(1 - share)
    return Decision(answers[:, None], answers, np.ones(rows, dtype=bool)), labels


def _task(problem_type: str, labels: int) -> TaskConfig:
    names = [f"label {i}" for i in range(labels)] or None
    return TaskConfig("task", problem_type, labels=names)


WORLDS: dict[str, tuple[TaskConfig, Callable[[np.random.Generator, int, float], Rows]]] = {
    "2 equal classes": (_task("binary_classification", 2), _of_classes([0.5, 0.5])),
    "2 classes, 90 and 10 %": (_task("binary_classification", 2), _of_classes(SKEWED[2])),
    "5 classes, 50 to 4 %": (_task("single_label_classification", 5), _of_classes(SKEWED[5])),
    "10 classes, 18 to 2 %": (_task("single_label_classification", 10), _of_classes(SKEWED[10])),
    "5 equal ordered classes": (_task("ordinal_regression", 5), _of_classes([0.2] * 5, ordered=True)),
    "5 ordered classes, 50 to 4 %": (_task("ordinal_regression", 5), _of_classes(SKEWED[5], ordered=True)),
    "3 labels": (_task("multi_label_classification", 3), _of_positions),
    "numbers": (_task("regression", 0), _of_numbers),
}

if __name__ == "__main__":
    main()
