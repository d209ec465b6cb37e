"""A plot of the cosines between the gradients of the tasks over the steps of training.

Shapes: N records of one pair of tasks.
"""

from itertools import cycle, islice, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..pictures import new_figure, save_figure

_SUFFIX = "_cosine"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # also distinct for colour-blind readers
_STYLES = ("-", "--", ":")
_GREY = "#555555"
_MANY = 25  # with more records, a line is smoothed
_WIDTH = 5  # records on either side in a moving average


class _Line(NamedTuple):
    """The cosines of one pair of tasks."""

    pair: str
    steps: np.ndarray  # (N,)
    cosines: np.ndarray  # (N,)

    @property
    def trend(self) -> np.ndarray:
        """The cosines, smoothed if there are many of them; (N,)."""
        return _smooth(self.cosines) if len(self.cosines) > _MANY else self.cosines


def draw_conflicts(log_history: list[dict], path: Path) -> None:
    """Draw the cosine between the gradients of every two tasks over the steps of a run.

    Above 0, two tasks update the encoder in similar directions. Below 0, they are in conflict. With many records, the
    line is their moving average, and the records are faint dots.

    Args:
        log_history: The `trainer.state.log_history` of a run with `conflict="log"`.
        path: The output file. Its suffix sets the format.

    Raises:
        ValueError: If the log has no cosine.
        ImportError: If matplotlib is not installed. The message names the extra.
    """
    lines = _lines(log_history)
    if not lines:
        raise ValueError('the log has no cosine between two tasks; train two or more tasks with conflict="log"')
    figure = new_figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color=_GREY, linewidth=1)
    for line, (style, colour) in zip(lines, _looks(len(lines)), strict=True):
        _draw_line(axes, line, colour, style)
    _label(axes)
    # The legend has the order of the line ends, so that each line is easy to find.
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    save_figure(figure, path)


def _lines(log_history: list[dict]) -> list[_Line]:
    """Return the records of each pair, by step. The pairs are sorted by the end of their line, highest first."""
    records: dict[str, list[tuple[int, float]]] = {}
    for entry in log_history:
        for name in entry:
            if name.endswith(_SUFFIX):
                records.setdefault(name.removesuffix(_SUFFIX), []).append((entry["step"], entry[name]))
    tasks = _tasks(log_history)
    lines = [_Line(_title(pair, tasks), *map(np.array, zip(*seen, strict=True))) for pair, seen in records.items()]
    return sorted(lines, key=lambda line: line.trend[-1], reverse=True)


def _tasks(log_history: list[dict]) -> set[str]:
    """Return the possible names of tasks: every name with a loss in the log."""
    return {name.removesuffix("_loss") for entry in log_history for name in entry if name.endswith("_loss")}


def _title(pair: str, tasks: set[str]) -> str:
    """Return `domain · intent` for `domain_intent`, or the pair unchanged if the two names are not known."""
    for task in sorted(tasks):
        other = pair.removeprefix(f"{task}_")
        if other != pair and other in tasks:
            return f"{task} · {other}"
    return pair


def _looks(count: int) -> list[tuple[str, str]]:
    """Return pairs of a style and a colour. A colour is repeated only in another style."""
    return list(islice(cycle(product(_STYLES, _COLOURS)), count))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return the moving average, over fewer values at the ends; (N,)."""
    window = np.ones(2 * _WIDTH + 1)
    return np.convolve(values, window, mode="same") / np.convolve(np.ones_like(values), window, mode="same")


def _draw_line(axes: Any, line: _Line, colour: str, style: str) -> None:
    many = len(line.steps) > _MANY
    if many:
        axes.plot(line.steps, line.cosines, ".", color=colour, alpha=0.3, markersize=4, markeredgewidth=0)
    marker = "" if many else "."  # a line of one record is invisible
    axes.plot(line.steps, line.trend, style, color=colour, linewidth=1.8, marker=marker, label=line.pair)


def _label(axes: Any) -> None:
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("cosine between gradients")
    axes.set_title("Do the tasks agree on the encoder?", loc="left", fontsize=11)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.margins(x=0.02)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for text, height, anchor in (("they agree", 0.97, "top"), ("they are in conflict", -0.97, "bottom")):
        axes.text(1, height, text, transform=axes.get_yaxis_transform(), ha="right", va=anchor, color=_GREY, fontsize=9)
