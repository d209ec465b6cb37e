"""The picture of a study: the metrics and the costs of each strategy."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..pictures import new_figure, save_figure
from .summary import SCORE, Estimate, Study

_COLOURS = {"validation": "#0072B2", "test": "#D55E00"}  # safe for colour-blind readers
_MARKERS = {"validation": "o", "test": "D"}
_OFFSETS = {"validation": -0.15, "test": 0.15}
_GREY = "#555555"
_BAR = "#999999"
_FAR = 3.0  # interquartile ranges below the lower quartile; means below that are numbers at the edge


class _Cost(NamedTuple):
    """A column of bars: its title, the factor of the values, and the format of the numbers."""

    title: str
    unit: float
    format: str


_COSTS = {
    "parameters": _Cost("parameters\ntrained, millions", 1e-6, ".3g"),
    "seconds": _Cost("training,\nseconds", 1.0, ",.0f"),
    "memory": _Cost("peak memory,\nGiB", 1 / 1024, ".2f"),
}


def draw_study(study: Study, path: Path) -> None:
    """Draw the metrics of each strategy as dots with intervals, one column per task, and its costs as bars.

    A metric far below the others, such as that of an untrained head, is written as a number at the edge.

    Args:
        study: The study.
        path: The picture to write. The ending selects the format.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    names = [SCORE, *study.metrics] if len(study.metrics) > 1 else [*study.metrics]
    ratios = [2.0] * len(names) + [1.0] * len(_COSTS)
    size = (2.6 + 1.5 * sum(ratios), 1.6 + 0.36 * len(study.rows))
    figure = new_figure(figsize=size, dpi=150, layout="constrained")
    columns = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)[0]
    for axes, name in zip(columns, names, strict=False):
        _draw_figures(axes, study, name)
    for axes, cost in zip(columns[len(names) :], _COSTS, strict=True):
        _draw_cost(axes, study, cost)
    _label_strategies(columns[0], study)
    handles = columns[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    save_figure(figure, path)


def _draw_figures(axes: Any, study: Study, name: str) -> None:
    every = [each for split in _COLOURS for each in _figures(study, split, name)]
    floor = _floor([figure.mean for i, figure in every if study.rows[i].strategy.candidate])
    for split, colour in _COLOURS.items():
        figures = _figures(study, split, name)
        near = [(i + _OFFSETS[split], figure) for i, figure in figures if figure.mean >= floor]
        for i, figure in figures:
            if figure.mean < floor:
                place = {"xy": (0, i + _OFFSETS[split]), "xycoords": axes.get_yaxis_transform(), "va": "center"}
                axes.annotate(f"◂ {figure.mean:.2f}", **place, fontsize=8, color=colour)
        if near:
            spread = np.transpose([_spread(each) for _, each in near])  # (2, number of dots)
            look = {"color": colour, "fmt": _MARKERS[split], "markersize": 4.5, "elinewidth": 1.4}
            axes.errorbar(
                [each.mean for _, each in near], [i for i, _ in near], xerr=spread, label=f"{split} rows", **look
            )
    axes.set_title(name if name == SCORE else f"{name}\n{study.metrics[name]}", fontsize=10, loc="left")
    axes.margins(x=0.1)
    axes.grid(axis="both", color="#e5e5e5", linewidth=0.6)
    _tidy(axes, study)


def _spread(figure: Estimate) -> tuple[float, float]:
    """Return the lengths of the interval below and above the mean, or 0 without one."""
    if figure.low is None or figure.high is None:
        return 0.0, 0.0
    return figure.mean - figure.low, figure.high - figure.mean


def _figures(study: Study, split: str, name: str) -> list[tuple[int, Estimate]]:
    """Return the available metrics, each with the index of its strategy."""
    found = [(i, row.figures.get(split, {}).get(name)) for i, row in enumerate(study.rows)]
    return [(i, figure) for i, figure in found if figure is not None]


def _floor(means: list[float]) -> float:
    """Return the lower limit of the axis. Means below it would compress the others."""
    if not means:
        return -math.inf
    lower, upper = np.quantile(means, [0.25, 0.75])
    return float(lower - _FAR * max(upper - lower, 0.01))


def _draw_cost(axes: Any, study: Study, name: str) -> None:
    cost = _COSTS[name]
    for i, row in enumerate(study.rows):
        value = getattr(row, name) * cost.unit
        axes.barh(i, value, height=0.6, color=_BAR)
        said = format(value, cost.format) if row.seeds else "failed"
        axes.annotate(said, (value, i), (3, 0), textcoords="offset points", va="center", fontsize=8, color=_GREY)
    axes.set_title(cost.title, fontsize=10, loc="left")
    axes.margins(x=0.35)
    axes.set_xlim(left=0)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    _tidy(axes, study)


def _label_strategies(axes: Any, study: Study) -> None:
    """Label the strategies from top to bottom, the recommended one in bold."""
    axes.set_yticks(range(len(study.rows)), [row.strategy.title for row in study.rows])
    axes.set_ylim(len(study.rows) - 0.4, -0.6)
    for label, row in zip(axes.get_yticklabels(), study.rows, strict=True):
        if study.recommendation is not None and row.strategy.name == study.recommendation.strategy:
            label.set_fontweight("bold")


def _tidy(axes: Any, study: Study) -> None:
    """Draw lines between the groups of strategies (candidates, frozen heads, single tasks), and hide the frame."""
    kinds = [(row.strategy.candidate, len(row.strategy.tasks)) for row in study.rows]
    for i, (before, after) in enumerate(pairwise(kinds)):
        if before != after:
            axes.axhline(i + 0.5, color=_BAR, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
