"""The calibration of one task in a report."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from .calibration import Reliability, logits_of_siblings, reliability
from .calibration_effect import Effect, effect_as_json, temperature_effect, thresholds_effect
from .judged import Judged


class Calibration(NamedTuple):
    """The reliability of a task's scores, and the effect of its calibration on the rows.

    Args:
        before: The reliability without temperature and thresholds.
        after: The reliability with them.
        of_temperature: The effect of the temperature. `None` if it is 1.
        of_thresholds: The effect on the F1. `None` without thresholds.
    """

    before: Reliability
    after: Reliability
    of_temperature: Effect | None = None
    of_thresholds: Effect | None = None


def task_calibration(judged: Judged, task: TaskConfig, plain: Decision, *, seed: int, resamples: int) -> Calibration:
    """Return the calibration of a task that is not a regression.

    Args:
        judged: The rows, with their labels and logits.
        task: One of the tasks of `judged`.
        plain: Its decision on all rows if no task has a temperature or thresholds.
        seed: The seed of the resampling.
        resamples: The number of resamples for the interval of an effect.
    """
    decision, labels, unasked = judged.decisions[task.name], judged.labels[task.name], judged.unasked[task.name]
    plain_task = replace(task, temperature=1.0, thresholds=None)
    logits = logits_of_siblings(task, judged.tasks, judged.logits, judged.labels)
    return Calibration(
        reliability(plain_task, plain, labels, unasked),
        reliability(task, decision, labels, unasked),
        temperature_effect(task, logits, labels, plain=plain_task, seed=seed, resamples=resamples),
        thresholds_effect(task, decision, labels, plain=plain, seed=seed, resamples=resamples),
    )


def calibration_as_json(task: TaskConfig, calibration: Calibration | None) -> dict[str, Any]:
    """Return the calibration for `report.json`: `calibration`, `calibration_effect` and `thresholds_effect`."""
    if calibration is None:
        return {"calibration": None, "calibration_effect": None, "thresholds_effect": None}
    scores = {name: _reliability_as_json(getattr(calibration, name)) for name in ("before", "after")}
    return {
        "calibration": {"temperature": task.temperature, "thresholds": task.thresholds, **scores},
        "calibration_effect": effect_as_json(calibration.of_temperature),
        "thresholds_effect": effect_as_json(calibration.of_thresholds),
    }


def _reliability_as_json(given: Reliability) -> dict[str, Any]:
    count = max(given.counts.sum(), 1)
    return {
        "ece": given.error,
        "mean_score": np.nansum(given.scores * given.counts) / count,
        "right": np.nansum(given.accuracies * given.counts) / count,
        "bins": given._asdict(),
    }
