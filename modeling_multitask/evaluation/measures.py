"""The figures of resampled rows, by the form of the answer. See `Measures`.

Shapes: N labelled rows, C classes of one task, M kinds of rows, R resamples.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack
from scipy.stats import rankdata

from ..answers_multitask import NOT_ASKED, Decision
from ..tasks_multitask import TaskConfig
from ..training.metric_names import LESS_IS_BETTER
from ..training.metrics import farthest, labelled_entries
from .confusions import OF_CLASSES, OF_RANKS, ClassCounts, RankCounts
from .intervals import IMAGINED, Drawn, Measures
from .position_measures import of_positions

_RANKED = ("average_precision",)  # figures that need scores
_EQUAL = 1e-12  # a smaller variance, relative to that of all rows, is a rounding error


def task_measures(task: TaskConfig, decision: Decision, labels: np.ndarray) -> Measures:
    """Return the figures of a task on rows that all have a label.

    Args:
        task: The task.
        decision: The decision on N rows.
        labels: Their labels as in a batch, (N,), or (N, C) for a multi-label task, where some may be missing.
    """
    if task.kind.is_number:
        return of_numbers(labels.astype(float), decision.chosen.astype(float))
    if task.kind.several_labels:
        return of_positions(decision.chosen, decision.scores, labels, labelled_entries(labels, task.kind))
    kinds, counts = np.unique(np.stack([labels, decision.chosen], axis=1), axis=0, return_counts=True)
    return of_classes(kinds, counts, task)


def row_measures(task: TaskConfig, chosen: np.ndarray, labels: np.ndarray) -> Measures:
    """Return the same figures without `average_precision`, with M = N: a row is a kind of its own.

    Several tasks can therefore be measured on the same drawn rows.

    Args:
        task: The task.
        chosen: The answers to N rows, as in a `Decision`.
        labels: Their labels as in a batch. All rows have one.
    """
    if task.kind.one_label:
        return of_classes(np.stack([labels, chosen], axis=1), np.ones(len(labels), dtype=int), task)
    measures = task_measures(task, Decision(chosen, chosen, None), labels)
    return measures._replace(figures={name: each for name, each in measures.figures.items() if name not in _RANKED})


def improvement(
    task: TaskConfig,
    before: Decision,
    after: Decision,
    labels: np.ndarray,
    *,
    measures: tuple[Measures, Measures] | None = None,
) -> Measures:
    """Return the improvement of each figure from one decision to another on the same rows.

    It is positive if `after` is better. The imagined rows are one where only `after` is right and one where only
    `before` is right, as Agresti & Min (2005) add them to the difference of two shares.

    Args:
        task: The task.
        before: A decision on N rows.
        after: Another decision on the same rows.
        labels: Their labels as in a batch. All rows have one.
        measures: Those of `task_measures` for both decisions, if they are known.
    """
    if task.kind.one_label:
        kinds = np.stack([labels, before.chosen, after.chosen], axis=1)
        kinds, counts = np.unique(kinds, axis=0, return_counts=True)
        first, second = (of_classes(kinds[:, [0, i]], counts, task) for i in (1, 2))
    else:
        first, second = measures or (task_measures(task, each, labels) for each in (before, after))

    def both(drawn: Drawn) -> tuple[Any, Any]:
        return first.summed(Drawn(drawn.rows, drawn.wrong, drawn.right)), second.summed(drawn)

    def gain(name: str, pair: tuple[Any, Any]) -> np.ndarray:
        old, new = first.figures[name](pair[0]), second.figures[name](pair[1])
        return old - new if name in LESS_IS_BETTER else new - old

    figures: dict[str, Callable[[Any], np.ndarray]] = {name: partial(gain, name) for name in first.figures}
    imagined = min(first.imagined, second.imagined)
    return Measures(second.counts, both, figures, 2 * second.width, imagined=imagined)


def of_classes(kinds: np.ndarray, counts: np.ndarray, task: TaskConfig) -> Measures:
    """Return the figures of a task of one label.

    Args:
        kinds: (M, 2), pairs of a label and an answer. Both are ids, and an answer may be `NOT_ASKED`.
        counts: (M,), the number of rows of each pair.
        task: The task with its C labels.
    """
    classes, (labels, answers) = len(task.labels or ()), kinds.T
    asked, right = answers != NOT_ASKED, labels == answers
    counted = [_one_hot(labels, right, classes), _one_hot(answers, asked, classes), _one_hot(labels, True, classes)]
    whole = ClassCounts(*(counts @ each for each in counted))
    correct, wrong = imagined_answers(whole, ordered=task.kind.ordered)
    imagined: list[list[Any]] = [list(correct), list(wrong)]
    if task.kind.ordered:
        ranks = np.where(asked, answers, farthest(labels, classes))
        steps = np.abs(ranks - labels)[:, None]
        counted += [_one_hot(ranks, True, classes), csr_array(steps), csr_array(np.square(steps))]
        imagined[0] += [correct.given, [0], [0]]
        imagined[1] += [wrong.given, *[[wrong.there.sum()]] * 2]  # neighbours, one step away
    place, (of_right, of_wrong) = hstack(counted, format="csr"), map(np.concatenate, imagined)
    ends = np.cumsum([each.shape[1] for each in counted])[:-1]

    def summed(drawn: Drawn) -> list[np.ndarray]:
        return np.split(drawn.rows @ place + drawn.right * of_right + drawn.wrong * of_wrong, ends, axis=1)

    def of_class_counts(figure: Callable[[ClassCounts], np.ndarray], parts: list[np.ndarray]) -> np.ndarray:
        return figure(ClassCounts(*parts[:3]))

    def of_rank_counts(figure: Callable[[RankCounts], np.ndarray], parts: list[np.ndarray]) -> np.ndarray:
        return figure(RankCounts(parts[3], parts[2], *parts[4:]))

    figures: dict[str, Callable[[Any], np.ndarray]] = {
        name: partial(of_class_counts, figure) for name, figure in OF_CLASSES.items()
    }
    if task.kind.ordered:
        figures |= {name: partial(of_rank_counts, figure) for name, figure in OF_RANKS.items()}
    return Measures(counts, summed, figures, place.shape[1], imagined=IMAGINED if wrong.there.any() else 0.0)


def imagined_answers(counts: ClassCounts, *, ordered: bool) -> tuple[ClassCounts, ClassCounts]:
    """Return the mean counts, (C,) each, of a row with a right answer and of a row with a wrong one.

    Labels occur with their shares. A wrong answer is any other class that occurs or, for ordered classes, a neighbour.
    If only one class occurs, there is no wrong answer.
    """
    shares = counts.there / counts.there.sum()
    occurring = (counts.given + counts.there) > 0
    if ordered:
        others = np.full(len(shares), 2)
        others[[0, -1]] = 1
        each = shares / others
        given = np.append(each[1:], 0) + np.append(0, each[:-1])
    else:
        others = occurring.sum() - occurring
        each = shares * (others > 0) / np.maximum(others, 1)
        given = (each.sum() - each) * occurring
    wrong = ClassCounts(np.zeros(len(shares)), given, shares * (others > 0))
    return ClassCounts(shares, shares, shares), wrong


def _one_hot(classes: np.ndarray, counted: np.ndarray | bool, width: int) -> csr_array:
    """Return a matrix, (M, C), with a 1 in the column of each class that is counted."""
    rows = np.flatnonzero(np.broadcast_to(counted, len(classes)))
    return csr_array((np.ones(len(rows)), (rows, classes[rows])), shape=(len(classes), width))


def of_numbers(labels: np.ndarray, answers: np.ndarray) -> Measures:
    """Return the figures of numbers: errors, R² and Spearman's rank correlation.

    Args:
        labels: (N,).
        answers: (N,).
    """
    errors, centred = answers - labels, labels - labels.mean()

    def mean(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        return drawn @ values / drawn.sum(axis=1)

    def r2(drawn: np.ndarray) -> np.ndarray:
        variances = mean(np.square(centred), drawn) - np.square(mean(centred, drawn))
        different = variances > _EQUAL * max(np.square(centred).mean(), np.finfo(float).tiny)
        return np.where(different, 1 - mean(np.square(errors), drawn) / np.where(different, variances, 1), 0.0)

    figures: dict[str, Callable[[Any], np.ndarray]] = {
        "mae": partial(mean, np.abs(errors)),
        "rmse": lambda drawn: np.sqrt(mean(np.square(errors), drawn)),
        "r2": r2,
        "spearman": partial(_rank_correlations, answers, labels),
    }
    return Measures(np.ones(len(labels), dtype=int), lambda drawn: drawn.rows, figures, imagined=0.0)


def _rank_correlations(answers: np.ndarray, labels: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of resamples, (R,); 0 where answers or labels are all equal."""
    columns = [_weighted_ranks(each, drawn) for each in (answers, labels)]  # (R, N) each
    rows = drawn.sum(axis=1, keepdims=True)
    a, b = (each - (each * drawn).sum(axis=1, keepdims=True) / rows for each in columns)
    products = np.sqrt((drawn * a * a).sum(axis=1) * (drawn * b * b).sum(axis=1))
    return np.where(products > 0, (drawn * a * b).sum(axis=1) / np.where(products > 0, products, 1), 0.0)


def _weighted_ranks(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the mean rank of each row among the drawn rows, (R, N)."""
    places = rankdata(values, method="dense") - 1  # equal values share a place
    at_place = np.zeros((len(drawn), places.max() + 1))
    np.add.at(at_place.T, places, drawn.T)
    ends = at_place.cumsum(axis=1)
    return (ends - (at_place - 1) / 2)[:, places]
