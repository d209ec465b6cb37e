"""The main metrics of a model on resampled rows, which are the same for all its tasks and for other models.

Shapes: N rows with a label for at least one task, R resamples.
"""

import hashlib
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from ..tasks_multitask import TaskConfig
from ..training.metric_names import LESS_IS_BETTER
from ..training.metrics import labelled_rows_of
from .intervals import (
    FEWEST_ROWS,
    FEWEST_ROWS_OF,
    RESAMPLES,
    TAIL,
    Drawn,
    Figure,
    Measures,
    draw_rows,
    expanded_tail,
    over_seeds,
)
from .measures import row_measures

_SHARE = (0.0, 1.0)
_CORRELATION = (-1.0, 1.0)
_BOUNDS = {
    "kappa": _CORRELATION,
    "spearman": _CORRELATION,
    "r2": (-np.inf, 1.0),
    **dict.fromkeys(LESS_IS_BETTER, (0.0, np.inf)),
}


class TaskAnswers(NamedTuple):
    """The answers to all rows of a split for one task.

    Args:
        task: The task.
        labels: The labels as in a batch, including missing ones.
        chosen: The answers, as in a `Decision`.
    """

    task: TaskConfig
    labels: np.ndarray
    chosen: np.ndarray


class Resampled(NamedTuple):
    """A value, and its values on resampled rows.

    Args:
        value: The value.
        drawn: (R,). NaN if there are too few rows for an interval.
        opposed: (R,), where the imagined rows have the opposite answers. See `improvement`.
        bounds: The lowest and the highest possible value.
        tail: The share of resamples outside each end of the interval.
    """

    value: float
    drawn: np.ndarray
    opposed: np.ndarray
    bounds: tuple[float, float] = _SHARE
    tail: float = TAIL


class SplitFigures(NamedTuple):
    """The main metric of each task with labelled rows, and the `score`, which is their mean as in `score_of`."""

    tasks: dict[str, Resampled]
    score: Resampled


def main_figures(answers: Sequence[TaskAnswers], *, sets: int = 1, resamples: int = RESAMPLES) -> SplitFigures | None:
    """Return the main metrics and the score of a split, or `None` without labelled rows.

    The labels decide which rows are drawn. Models that are evaluated on the same rows therefore have the same
    resamples, and rows with other labels have other ones.

    Args:
        answers: The answers to the rows of a split, by task.
        sets: The number of sets of rows, one for each seed, whose figures are averaged. They share the imagined rows.
        resamples: R.
    """
    tasks = [each for each in map(_labelled, answers) if each is not None]
    if not tasks:
        return None
    known = np.any([each.rows for each in tasks], axis=0)
    counts, none = np.ones(known.sum(), dtype=int), np.zeros((1, 1))
    itself = Drawn(counts[None].astype(float), none, none)
    imagined = max(each.measures.imagined for each in tasks) / sets
    draws = draw_rows(counts, imagined, seed=rows_digest(answers), resamples=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may lack labelled rows of a task
        found = [[each.of(drawn, each.rows[known]) for each in tasks] for drawn in chain([itself], draws)]
    columns = [np.concatenate(each, axis=1) for each in zip(*found, strict=True)]  # (4, 1 + R) for each task
    mains = {each.task.name: _resampled(each, column[:2]) for each, column in zip(tasks, columns, strict=True)}
    parts = [_resampled(each, column[2:], part=True) for each, column in zip(tasks, columns, strict=True)]
    return SplitFigures(mains, _mean(parts))


def rows_digest(answers: Sequence[TaskAnswers]) -> int:
    """Return a number that two sets of rows share only if they have the same labels in the same order."""
    labels = b"".join(np.ascontiguousarray(each.labels).tobytes() for each in answers)
    return int.from_bytes(hashlib.blake2b(labels, digest_size=8).digest())


def difference(first: Resampled, second: Resampled) -> Resampled:
    """Return first minus second on the same resampled rows.

    An imagined row that one of the two answers right is answered wrong by the other. Otherwise two equal models would
    have a difference of exactly 0.
    """
    low, high = first.bounds[0] - second.bounds[1], first.bounds[1] - second.bounds[0]
    drawn, opposed = first.drawn - second.opposed, first.opposed - second.drawn
    return Resampled(first.value - second.value, drawn, opposed, (low, high), min(first.tail, second.tail))


def mean_over_seeds(seeds: Sequence[Resampled]) -> Figure:
    """Return the mean over seeds with its interval. See `over_seeds`."""
    tail = min(each.tail for each in seeds)
    return over_seeds([each.value for each in seeds], [each.drawn for each in seeds], bounds=seeds[0].bounds, tail=tail)


class _Labelled(NamedTuple):
    """A task with its labelled rows among all rows, and their labels."""

    task: TaskConfig
    rows: np.ndarray
    labels: np.ndarray
    measures: Measures

    def of(self, drawn: Drawn, own: np.ndarray) -> np.ndarray:
        """Return the main metric and its opposite, and the parts of both in the score, (4, R)."""
        name, rows = self.task.main_metric, drawn.rows[:, own]
        both = [
            self.measures.figures[name](self.measures.summed(each))
            for each in (Drawn(rows, drawn.right, drawn.wrong), Drawn(rows, drawn.wrong, drawn.right))
        ]
        if name not in LESS_IS_BETTER:
            return np.stack([*both, *both])
        unit = _constant_error(name, self.labels.astype(float), rows)
        return np.stack([*both, *(np.where(unit > 0, 1 - each / unit, 0.0) for each in both)])


def _labelled(answers: TaskAnswers) -> _Labelled | None:
    task, labels, chosen = answers
    rows = labelled_rows_of(labels, task.kind)
    return _Labelled(task, rows, labels[rows], row_measures(task, chosen[rows], labels[rows])) if rows.any() else None


def _resampled(given: _Labelled, values: np.ndarray, *, part: bool = False) -> Resampled:
    """Return a figure from its value and resamples and their opposites, (2, 1 + R)."""
    name, rows = given.task.main_metric, int(given.rows.sum())
    value = float(values[0, 0])
    if part and not np.isfinite(value):
        value = 0.0
    if rows < FEWEST_ROWS_OF.get(name, FEWEST_ROWS):
        values = np.full_like(values, np.nan)
    bounds = (-np.inf, 1.0) if part and name in LESS_IS_BETTER else _BOUNDS.get(name, _SHARE)
    tail = expanded_tail(rows) if given.task.kind.is_number and rows > 1 else TAIL
    return Resampled(value, values[0, 1:], values[1, 1:], bounds, tail)


def _mean(parts: Sequence[Resampled]) -> Resampled:
    """Return the mean over tasks."""
    value, drawn, opposed = (np.mean(each, axis=0) for each in list(zip(*parts, strict=True))[:3])
    low, high = np.mean([each.bounds for each in parts], axis=0)
    return Resampled(float(value), drawn, opposed, (float(low), float(high)), min(each.tail for each in parts))


def _constant_error(name: str, labels: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the error of the best constant answer to resamples of labels (N,), drawn (R, N) times. See `score_of`."""
    rows = drawn.sum(axis=1)
    if name == "rmse":
        centred = labels - labels.mean()
        variances = drawn @ np.square(centred) / rows - np.square(drawn @ centred / rows)
        return np.sqrt(np.maximum(variances, 0))
    order = np.argsort(labels)
    places = (drawn[:, order].cumsum(axis=1) >= rows[:, None] / 2).argmax(axis=1)
    medians = labels[order][places]
    return (drawn * np.abs(labels - medians[:, None])).sum(axis=1) / rows
