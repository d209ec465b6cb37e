"""Measure the speed-up over the usual alternatives, and draw it.

python -m benchmarks.run [NAME ...] [--pairs 5] [--threads N]

Writes `benchmarks/results/NAME.json` for each benchmark, with a row for each task and machine, and prints a table.
`benchmarks/results/speed.png` shows the speed-ups of all results in that folder.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from matplotlib import pyplot

from benchmarks.speed import encode, gpu, large, share, start, tasks, training
from benchmarks.speed.measuring import PAIRS, RESULTS, SPEED_UP, Row, write

WORKS: dict[str, Callable[[int], list[Row]]] = {
    "encode": encode.measure,
    "answers": tasks.measure,
    **{name: partial(training.measure, name) for name in training.WORKS},
    "start": start.measure,
    "share": share.measure,
    "large": large.measure,
    "gpu": gpu.measure,
}


def main(argv: list[str] | None = None) -> None:
    """Measure, write, print and draw."""
    parser = argparse.ArgumentParser(prog="benchmarks.run")
    parser.add_argument("names", nargs="*", help=f"benchmarks to run: {', '.join(WORKS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="number of measured pairs (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="number of torch threads")
    arguments = parser.parse_args(argv)
    if unknown := [name for name in arguments.names if name not in WORKS]:
        parser.error(f"no such benchmark: {unknown[0]}; it must be one of {', '.join(WORKS)}")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for name in arguments.names or WORKS:
        rows = WORKS[name](arguments.pairs)
        write(name, rows)
        print(*map(_line, rows), sep="\n", flush=True)
    draw()


def _line(row: Row) -> str:
    ratio = f"{row.kind} {row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
    return " | ".join([row.task, row.baseline, ratio, json.dumps(row.same)])


def draw(path: Path = RESULTS / "speed.png") -> None:
    """Draw the speed-ups of all results on a logarithmic scale, with the range over the pairs."""
    files = [RESULTS / f"{name}.json" for name in WORKS]
    rows = [row for each in files if each.is_file() for row in json.loads(each.read_text(encoding="utf-8"))["rows"]]
    shown = [row for row in rows if row["kind"] == SPEED_UP]
    if not shown:
        return
    figure, axis = pyplot.subplots(figsize=(10, 0.7 + 0.62 * len(shown)), layout="constrained")
    places = range(len(shown))[::-1]
    spread = [[row["ratio"] - row["low"] for row in shown], [row["high"] - row["ratio"] for row in shown]]
    ratios = [row["ratio"] for row in shown]
    axis.barh(places, ratios, xerr=spread, color="#2a7f62", height=0.55, ecolor="#555555", capsize=2)
    for place, row in zip(places, shown, strict=True):
        axis.text(row["high"] * 1.08, place, f"{row['ratio']:.1f} ×", va="center", fontsize=9)
    names = [f"{row['task']}\nbaseline: {row['baseline']}\n{row['machine']}" for row in shown]
    axis.set_yticks(places, names, fontsize=7)
    axis.axvline(1, color="#999999", linewidth=1)
    axis.set_xscale("log")
    axis.set_xlim(0.8, max(row["high"] for row in shown) * 2)
    axis.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axis.set_xlabel("speed-up over the baseline (bar: median, line: range over the pairs)")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
