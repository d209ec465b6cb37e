"""The pictures of a report, each as a PNG: what is taken for what, whether scores hold, numbers against the truth.

Shapes: N labelled rows, C classes of one task, S of them shown.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from ..pictures import new_figure, plain_text
from ..wording import on_one_line
from .calibration import BINS, Reliability

MOST_CLASSES = 25  # that are all shown; of more, only those that are in most errors
SHOWN_OF_MANY = 20
_MOST_COUNTS = 1_000  # dots of a scatter that are drawn one by one at full strength
_MAX_LABEL = 26  # letters of a label
_BLUE, _ORANGE, _GREY, _PALE = "#0072B2", "#D55E00", "#555555", "#dddddd"  # told apart by the colour-blind as well
_WRONG = "#A33B00"  # orange that is read on blue as well
_OTHERS, _NO_ANSWER = "all others", "not asked"


class Matrix(NamedTuple):
    """What is shown of a confusion matrix.

    Args:
        counts: Rows by true class (below) and given class (beside).
        below: What each line stands for.
        beside: What each column stands for.
        title: What it is.
        unclear: Whether the last cell of the others is left out, for it holds right and wrong answers alike.
    """

    counts: np.ndarray
    below: list[str]
    beside: list[str]
    title: str
    unclear: bool = False


def draw_confusion(labels: list[str], confusion: np.ndarray) -> bytes:
    """A confusion matrix; coloured by the share of each true class, so that rare classes are seen as well.

    Of more than `MOST_CLASSES` only the `SHOWN_OF_MANY` that are in most errors have a line and a column; those stand
    side by side that are taken for each other.

    Args:
        labels: C names.
        confusion: (C, C + 1), the last column the rows without an answer because the question was not asked.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    matrix = shown_matrix(labels, confusion)
    size = 2.6 + 0.34 * max(len(matrix.beside), 6)
    return _draw(lambda axes: _confusion(axes, matrix), (size + 0.6, size))


def draw_reliability(before: Reliability, after: Reliability) -> bytes:
    """How often answers of a score are right, without calibration and with it; below, how many have which score.

    If calibration changes nothing, there is one line.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return _draw(lambda *axes: _reliability(axes, before, after), (5.6, 5.4), heights=(3, 1))


def draw_scatter(truth: np.ndarray, answers: np.ndarray) -> bytes:
    """Numbers (N,) as they were answered, against the true ones.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return _draw(lambda axes: _scatter(axes, truth, answers), (5.2, 5.2))


def shown_matrix(labels: list[str], confusion: np.ndarray) -> Matrix:
    """What `draw_confusion` shows."""
    asked = [] if confusion[:, -1].any() else [len(labels)]  # else an empty column
    counts, names = np.delete(confusion, asked, axis=1), [*labels, _NO_ANSWER][: len(labels) + 1 - len(asked)]
    if len(labels) <= MOST_CLASSES:
        return Matrix(counts, list(labels), names, "What is taken for what")
    kept = _side_by_side(confusion[:, :-1], _most_in_errors(confusion))
    others = np.setdiff1d(np.arange(len(labels)), kept)
    lines = np.vstack([counts[kept], counts[others].sum(axis=0)])  # (S + 1, ...)
    parts = [lines[:, kept], lines[:, others].sum(axis=1, keepdims=True), lines[:, len(labels) :]]
    below = [*(labels[i] for i in kept), _OTHERS]
    title = f"What is taken for what: the {len(kept)} of {len(labels)} labels that are in most errors"
    return Matrix(np.hstack(parts), below, [*below, *names[len(labels) :]], title, unclear=True)


def _most_in_errors(confusion: np.ndarray) -> np.ndarray:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    errors = wrong.sum(axis=1) + wrong.sum(axis=0)[:-1]
    return np.argsort(-errors, kind="stable")[:SHOWN_OF_MANY]


def _side_by_side(confusion: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The classes in an order in which each is followed by the one that it is most often taken for, or taken for it."""
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
        counts[-1, len(matrix.below) - 1] = shares[-1, len(matrix.below) - 1] = np.nan
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (y, x), count in np.ndenumerate(counts):
        if np.isnan(count):
            axes.text(x, y, "·", ha="center", va="center", color=_GREY)
        elif count:
            _write_count(axes, (x, y), int(count), shares[y, x], right=x == y)
    names = [[on_one_line(name, _MAX_LABEL) for name in each] for each in (matrix.beside, matrix.below)]
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
    upper.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="scores that mean what they say")
    looks = ((before, "uncalibrated", _ORANGE, "o--"), (after, "as the model answers", _BLUE, "s-"))
    edges = np.linspace(0, 1, BINS + 1)
    for each, name, colour, style in looks[_same(before, after) :]:
        there = each.counts > 0
        called = f"{name}: ECE {each.error:.3f}"
        upper.plot(each.scores[there], each.accuracies[there], style, color=colour, markersize=4.5, label=called)
        shares = each.counts / max(each.counts.sum(), 1)
        filled = style.endswith("-") and not style.endswith("--")
        lower.stairs(shares, edges, color=colour, fill=filled, alpha=0.35 if filled else 1, linewidth=1.4)
    upper.set_ylabel("share that is right")
    upper.set_ylim(-0.03, 1.03)
    upper.set_title("Is an answer as often right as its score says?", loc="left", fontsize=10.5)
    upper.legend(loc="best", frameon=False, fontsize=8.5)
    lower.set_xlabel("score of the answer")
    lower.set_ylabel("share of answers")
    lower.set_xlim(0, 1)
    for each in axes:
        _plain(each)


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
    axes.set_title("Answers against the truth; on the dotted line they agree", loc="left", fontsize=10.5)
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
