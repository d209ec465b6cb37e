"""The pictures of a report as PNG: confusion matrix, reliability diagram and scatter plot.

Shapes: N labelled rows, C classes of one task, S of them shown.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from ..pictures import new_figure, plain_text
from ..wording import on_one_line
from .calibration import BINS, Reliability

MOST_CLASSES = 25  # up to this number all are shown, otherwise only those with the most errors
SHOWN_OF_MANY = 20
_MOST_COUNTS = 1_000  # up to this number the dots of a scatter plot have full opacity
_MAX_LABEL = 26  # characters of a label
_BLUE, _ORANGE, _GREY, _PALE = "#0072B2", "#D55E00", "#555555", "#dddddd"  # safe for colour-blind readers
_WRONG = "#A33B00"  # an orange that is readable on blue
_OTHERS, _NO_ANSWER = "all others", "not asked"


class Matrix(NamedTuple):
    """The displayed part of a confusion matrix.

    Args:
        counts: The number of rows by true class (`lines`) and answered class (`columns`).
        lines: The names of the lines.
        columns: The names of the columns.
        title: The title of the picture.
        unclear: Whether the cell of "all others" by "all others" is hidden, because it mixes right and wrong answers.
    """

    counts: np.ndarray
    lines: list[str]
    columns: list[str]
    title: str
    unclear: bool = False


def draw_confusion(labels: list[str], confusion: np.ndarray) -> bytes:
    """Draw a confusion matrix. Colours are the share of each true class, so that rare classes are visible.

    If there are more than `MOST_CLASSES` classes, only the `SHOWN_OF_MANY` with the most errors have a line and a
    column. Classes that are often confused are next to each other.

    Args:
        labels: C names.
        confusion: (C, C + 1). The last column counts the rows whose question was not asked.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    matrix = shown_matrix(labels, confusion)
    size = 2.6 + 0.34 * max(len(matrix.columns), 6)
    return _draw(lambda axes: _confusion(axes, matrix), (size + 0.6, size))


def draw_reliability(before: Reliability, after: Reliability) -> bytes:
    """Draw the accuracy by score, before and after calibration. A histogram of the scores is below.

    If calibration changes nothing, there is one line.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return _draw(lambda *axes: _reliability(axes, before, after), (5.6, 5.4), heights=(3, 1))


def draw_scatter(truth: np.ndarray, answers: np.ndarray) -> bytes:
    """Draw the answered numbers, (N,), against the true numbers, (N,).

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return _draw(lambda axes: _scatter(axes, truth, answers), (5.2, 5.2))


def shown_matrix(labels: list[str], confusion: np.ndarray) -> Matrix:
    """Return the part of a confusion matrix that `draw_confusion` shows."""
    asked = [] if confusion[:, -1].any() else [len(labels)]  # the column would be empty
    counts, names = np.delete(confusion, asked, axis=1), [*labels, _NO_ANSWER][: len(labels) + 1 - len(asked)]
    if len(labels) <= MOST_CLASSES:
        return Matrix(counts, list(labels), names, "Confusion matrix")
    kept = _side_by_side(confusion[:, :-1], _most_in_errors(confusion))
    others = np.setdiff1d(np.arange(len(labels)), kept)
    lines = np.vstack([counts[kept], counts[others].sum(axis=0)])  # (S + 1, ...)
    parts = [lines[:, kept], lines[:, others].sum(axis=1, keepdims=True), lines[:, len(labels) :]]
    below = [*(labels[i] for i in kept), _OTHERS]
    title = f"Confusion matrix: the {len(kept)} of {len(labels)} labels with the most errors"
    return Matrix(np.hstack(parts), below, [*below, *names[len(labels) :]], title, unclear=True)


def _most_in_errors(confusion: np.ndarray) -> np.ndarray:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    errors = wrong.sum(axis=1) + wrong.sum(axis=0)[:-1]
    return np.argsort(-errors, kind="stable")[:SHOWN_OF_MANY]


def _side_by_side(confusion: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the classes in an order in which each is followed by the one it is most often confused with."""
    together = confusion + confusion.T
    left, order = kept.tolist(), list[int]()
    while left:
        order.append(left.pop(int(np.argmax([together[order[-1], i] for i in left])) if order else 0))
    return np.array(order)


def _draw(draw: Callable[..., None], size: tuple[float, float], heights: tuple[float, ...] = (1,)) -> bytes:
    with plain_text():
        figure = new_figure(figsize=size, dpi=180, layout="constrained")
        axes = figure.subplots(len(heights), 1, squeeze=False, sharex=True, height_ratios=heights)
        draw(*axes[:, 0])
        written = BytesIO()
        figure.savefig(written, format="png")
    return written.getvalue()


def _confusion(axes: Any, matrix: Matrix) -> None:
    counts = matrix.counts.astype(float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if matrix.unclear:
        counts[-1, len(matrix.lines) - 1] = shares[-1, len(matrix.lines) - 1] = np.nan
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (y, x), count in np.ndenumerate(counts):
        if np.isnan(count):
            axes.text(x, y, "·", ha="center", va="center", color=_GREY)
        elif count:
            _write_count(axes, (x, y), int(count), shares[y, x], right=x == y)
    names = [[on_one_line(name, _MAX_LABEL) for name in each] for each in (matrix.columns, matrix.lines)]
    axes.set_xticks(range(len(names[0])), names[0], rotation=45, ha="right", rotation_mode="anchor", fontsize=8.5)
    axes.set_yticks(range(len(names[1])), names[1], fontsize=8.5)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    axes.set_title(matrix.title, loc="left", fontsize=10.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(names[0]) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names[1]) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=_PALE, linewidth=0.6)
    axes.tick_params(which="minor", length=0)


def _write_count(axes: Any, place: tuple[int, int], count: int, share: float, *, right: bool) -> None:
    colour = "white" if share > 0.5 else "black" if right else _WRONG
    size = 8.5 if count < 1_000 else 7
    weight = "normal" if right else "bold"
    axes.text(*place, f"{count:,}", ha="center", va="center", fontsize=size, color=colour, fontweight=weight)


def _reliability(axes: tuple[Any, Any], before: Reliability, after: Reliability) -> None:
    upper, lower = axes
    upper.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="perfect calibration")
    looks = ((before, "uncalibrated", _ORANGE, "o--"), (after, "as the model answers", _BLUE, "s-"))
    edges = np.linspace(0, 1, BINS + 1)
    for each, name, colour, style in looks[_same(before, after) :]:
        there = each.counts > 0
        called = f"{name}: ECE {each.error:.3f}"
        upper.plot(each.scores[there], each.accuracies[there], style, color=colour, markersize=4.5, label=called)
        shares = each.counts / max(each.counts.sum(), 1)
        filled = style.endswith("-") and not style.endswith("--")
        lower.stairs(shares, edges, color=colour, fill=filled, alpha=0.35 if filled else 1, linewidth=1.4)
    upper.set_ylabel("accuracy")
    upper.set_ylim(-0.03, 1.03)
    upper.set_title("Accuracy of the answers by score", loc="left", fontsize=10.5)
    upper.legend(loc="best", frameon=False, fontsize=8.5)
    lower.set_xlabel("score of the answer")
    lower.set_ylabel("share of answers")
    lower.set_xlim(0, 1)
    for each in axes:
        _without_frame(each)


def _same(one: Reliability, other: Reliability) -> bool:
    return all(np.array_equal(*each, equal_nan=True) for each in zip(one, other, strict=True))


def _scatter(axes: Any, truth: np.ndarray, answers: np.ndarray) -> None:
    both = np.concatenate([truth, answers])
    margin = 0.04 * (np.ptp(both) or 1)
    limits = (both.min() - margin, both.max() + margin)
    strength = max(0.08, min(0.6, 0.6 * _MOST_COUNTS / len(truth)))
    axes.plot(limits, limits, color=_GREY, linewidth=1, linestyle=":")
    axes.scatter(truth, answers, s=14, color=_BLUE, alpha=strength, linewidths=0)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel("true number")
    axes.set_ylabel("answer")
    axes.set_title("Answers and true numbers (dotted line: equal)", loc="left", fontsize=10.5)
    _without_frame(axes)


def _without_frame(axes: Any) -> None:
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
