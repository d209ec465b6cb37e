"""Calibration after training: a recipe's `calibrate` and `abstain`."""

from dataclasses import replace
from typing import Any

import numpy as np
from transformers.utils import logging

from .. import MultiTaskConfig, TaskConfig
from ..answers_multitask import Decision
from ..evaluation.calibration import (
    FEWEST_ROWS,
    Calibrated,
    abstention_threshold,
    answer_confidences,
    calibrated,
    logits_of_siblings,
    reliability,
)
from ..recipes.recipe import Abstain, Recipe
from ..tasks_multitask import decided_together
from ..training.conditions import unasked_arrays
from ..training.metrics import decide_arrays, labelled_entries
from ..wording import with_a_label

logger = logging.get_logger(__name__)

NOT_CALIBRATED = (
    "nothing was calibrated, because no validation row has a label; add data.validation or data.split.validation"
)

Answers = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # logits and labels, by task


def calibrate(recipe: Recipe, config: MultiTaskConfig, answers: dict[str, Answers]) -> dict[str, Any]:
    """Fit temperatures, thresholds and abstention on the validation rows, and set them in the model's configuration.

    The log gets a warning for each value that the recipe asks for and that was not fitted.

    Args:
        recipe: The recipe, with `calibrate` and each task's `abstain`.
        config: The configuration of the trained model. Its tasks are changed in place.
        answers: Logits and labels by split.

    Returns:
        The fitted values by task, the `notes` on values that were not fitted, and the expected calibration error of
        each split before and after. Without labelled validation rows it is `notes` alone for each task with scores.
    """
    if not (recipe.calibrate or any(task.abstain for task in recipe.tasks)):
        return {}
    logits, labels = answers.get("validation", ({}, {}))
    before = config.tasks
    if not any(labelled_entries(labels[each.name], each.kind).any() for each in before if each.name in labels):
        uncalibrated = {each.name: {"notes": [NOT_CALIBRATED]} for each in before if not each.kind.is_number}
        if uncalibrated:
            logger.warning(NOT_CALIBRATED)
        return uncalibrated
    fits = _fitted(recipe, before, logits, labels)
    after = [each.task for each in fits]
    decisions, unasked = decide_arrays(logits, after), unasked_arrays(labels, after)
    fits = [
        _abstaining(each, words.abstain, decisions[each.task.name], labels[each.task.name], unasked[each.task.name])
        for each, words in zip(fits, recipe.tasks, strict=True)
    ]
    config.tasks = [each.task for each in fits]
    for each in fits:
        for note in each.notes:
            logger.warning(f"task {each.task.name!r}: {note}")
    names = ("temperature", "thresholds", "abstain_below", "abstain_by")
    errors = _errors(answers, before, after)
    return {
        each.task.name: {name: getattr(each.task, name) for name in names}
        | {"notes": each.notes}
        | errors[each.task.name]
        for each in fits
    }


def calibration_notes(calibration: dict[str, Any]) -> list[str]:
    """Return all notes of the output of `calibrate`. Each begins with its task, unless it is about all tasks."""
    notes = [(name, note) for name, each in calibration.items() for note in each["notes"]]
    return list(dict.fromkeys(note if note == NOT_CALIBRATED else f"{name}: {note}" for name, note in notes))


def _fitted(
    recipe: Recipe, tasks: list[TaskConfig], logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> list[Calibrated]:
    together = decided_together(tasks)  # tasks decided by their joint probability have no thresholds
    fits = []
    for task, words in zip(tasks, recipe.tasks, strict=True):
        methods: list[str] = list(recipe.calibrate)
        if methods and task.name in together:
            methods = ["temperature"]
        fit = calibrated(task, logits_of_siblings(task, tasks, logits, labels), labels[task.name], methods)
        if words.abstain:
            fit = fit._replace(task=replace(fit.task, abstain_by=words.abstain.by))
        fits.append(fit)
    return fits


def _errors(
    answers: dict[str, Answers], before: list[TaskConfig], after: list[TaskConfig]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the expected calibration error of each split before and after, by task."""
    found: dict[str, dict[str, dict[str, float]]] = {task.name: {} for task in after}
    for split, (logits, labels) in answers.items():
        old, new, unasked = decide_arrays(logits, before), decide_arrays(logits, after), unasked_arrays(labels, after)
        for task in after:
            if not task.kind.is_number:
                known = labels[task.name], unasked[task.name]
                errors = [reliability(task, each[task.name], *known).error for each in (old, new)]
                found[task.name][split] = {"ece_before": errors[0], "ece_after": errors[1]}
    return found


def _abstaining(
    fit: Calibrated, abstain: Abstain | None, decision: Decision, labels: np.ndarray, unasked: np.ndarray
) -> Calibrated:
    if abstain is None:
        return fit
    confidences, right = answer_confidences(fit.task, decision, labels, unasked)
    if (rows := len(confidences)) < FEWEST_ROWS:
        why = f"{with_a_label(rows)}, and a fit needs {FEWEST_ROWS}" if rows else "no validation row has a label"
        return fit._replace(notes=[*fit.notes, f"abstain: {why}, so the task never abstains"])
    try:
        least = abstention_threshold(confidences, right, precision=abstain.precision, coverage=abstain.coverage)
    except ValueError as error:  # the trained model must still be saved
        return fit._replace(notes=[*fit.notes, str(error)])
    return fit._replace(task=replace(fit.task, abstain_below=least))
