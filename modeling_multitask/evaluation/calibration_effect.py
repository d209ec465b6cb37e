"""The effect of calibration on the evaluated rows: better, worse or the same.

Shapes: N labelled rows, L labels with a threshold, R resamples.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.label_hits import f1_of_counts
from ..training.metrics import labelled_entries
from .errors import entry_losses
from .intervals import Figure, Measures, bootstrapped
from .position_measures import countable, resampled_counts

LOSS = "loss"


class Effect(NamedTuple):
    """The change of a metric through calibration, with its paired interval.

    Args:
        metric: `loss`, the mean loss of the true labels, `f1` of the second label, or `macro_f1` over the labels.
        change: The metric with calibration minus the metric without it.
    """

    metric: str
    change: Figure

    @property
    def verdict(self) -> Literal["better", "worse", "same"] | None:
        """Whether the interval excludes 0, and on which side. `None` if something changed without an interval."""
        value, low, high = self.change
        if low is None or high is None:
            return "same" if value == 0 else None
        if low <= 0 <= high:
            return "same"
        return "better" if (high < 0) == (self.metric == LOSS) else "worse"


def temperature_effect(
    task: TaskConfig, logits: np.ndarray, labels: np.ndarray, *, plain: TaskConfig, seed: int, resamples: int
) -> Effect | None:
    """Return the effect of the temperature on the mean loss. `None` without a temperature or a labelled row.

    Args:
        task: The task, with its temperature.
        logits: (N, C), those that the temperature is fitted on, see `logits_of_siblings`.
        labels: The labels as in a batch, including missing ones.
        plain: The task without the temperature.
        seed: The seed of the resampling.
        resamples: R.
    """
    present = labelled_entries(labels, task.kind).reshape(len(labels), -1)
    rows = present.any(axis=1)
    if task.temperature == plain.temperature or not rows.any():
        return None
    changes = entry_losses(task, logits, labels) - entry_losses(plain, logits, labels)
    sums, counts = changes.reshape(len(labels), -1)[rows].sum(axis=1), present[rows].sum(axis=1)
    return _effect(LOSS, lambda drawn: drawn @ sums / (drawn @ counts), int(rows.sum()), seed, resamples)


def thresholds_effect(
    task: TaskConfig, decision: Decision, labels: np.ndarray, *, plain: Decision, seed: int, resamples: int
) -> Effect | None:
    """Return the effect of calibration on the F1 of the labels with a threshold. `None` without thresholds.

    Args:
        task: The task, with its thresholds.
        decision: The decision on all rows, as arrays.
        labels: The labels as in a batch, including missing ones.
        plain: The decision without temperature and thresholds.
        seed: The seed of the resampling.
        resamples: R.
    """
    present = labelled_entries(labels, task.kind).reshape(len(labels), -1)
    rows = present.any(axis=1)
    if task.thresholds is None or not rows.any():
        return None
    known = present[rows].T.copy()  # (L, N)
    there = (labels.reshape(len(labels), -1)[rows].T == 1) & known
    answers = [(each.chosen.reshape(len(labels), -1)[rows].T == 1) & known for each in (decision, plain)]
    counted = [[countable(each) for each in (there & given, given, there)] for given in answers]

    def change(drawn: np.ndarray) -> np.ndarray:
        new, old = (f1_of_counts(*resampled_counts(drawn, each)).mean(axis=-1) for each in counted)
        return new - old

    metric = "macro_f1" if task.kind.several_labels else "f1"
    return _effect(metric, change, known.shape[1], seed, resamples)


def effect_as_json(effect: Effect | None) -> dict[str, Any] | None:
    """Return an effect for `report.json`."""
    return effect and {"metric": effect.metric, **effect.change._asdict(), "verdict": effect.verdict}


def _effect(metric: str, change: Callable[[np.ndarray], np.ndarray], rows: int, seed: int, resamples: int) -> Effect:
    measures = Measures(np.ones(rows, dtype=int), lambda drawn: drawn.rows, {metric: change}, imagined=0.0)
    return Effect(metric, bootstrapped(measures, seed=seed, resamples=resamples)[metric])
