"""Calibration after training: a recipe's `calibrate` and `abstain`."""

from dataclasses import replace
from typing import Any

import numpy as np
from transformers.utils import logging

from .. import MultiTaskConfig, TaskConfig
from ..answers_multitask import Decision, may_follow
from ..evaluation.calibration import abstention_threshold, answer_confidences, calibrated, reliability
from ..recipes.recipe import Abstain, Recipe
from ..tasks_multitask import decided_together, parent_task
from ..training.conditions import unasked_arrays
from ..training.metrics import decide_arrays

logger = logging.get_logger(__name__)

Answers = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # logits and labels, by task


def calibrate(recipe: Recipe, config: MultiTaskConfig, answers: dict[str, Answers]) -> dict[str, Any]:
    """Fit temperatures, thresholds and abstention on the validation rows, and set them in the model's configuration.

    Args:
        recipe: The recipe, with `calibrate` and each task's `abstain`.
        config: The configuration of the trained model. Its tasks are changed in place.
        answers: Logits and labels by split.

    Returns:
        The fitted values by task, with the expected calibration error of each split before and after.
    """
    if "validation" not in answers or not (recipe.calibrate or any(task.abstain for task in recipe.tasks)):
        return {}
    logits, labels = answers["validation"]
    before = config.tasks
    together = decided_together(before)  # tasks decided by their joint probability have no thresholds
    after = []
    for task, words in zip(before, recipe.tasks, strict=True):
        methods = [each for each in recipe.calibrate if each != "thresholds" or task.name not in together]
        fitted_task = calibrated(task, _as_decided(task, before, logits, labels), labels[task.name], methods)
        after.append(replace(fitted_task, abstain_by=words.abstain.by) if words.abstain else fitted_task)
    decisions, unasked = decide_arrays(logits, after), unasked_arrays(labels, after)
    config.tasks = [
        _abstaining(task, words.abstain, decisions[task.name], labels[task.name], unasked[task.name])
        for task, words in zip(after, recipe.tasks, strict=True)
    ]
    fitted: dict[str, dict[str, Any]] = {
        task.name: {name: getattr(task, name) for name in ("temperature", "thresholds", "abstain_below", "abstain_by")}
        for task in config.tasks
    }
    for split, (logits, labels) in answers.items():
        old, new, unasked = decide_arrays(logits, before), decide_arrays(logits, after), unasked_arrays(labels, after)
        for task in config.tasks:
            if not task.kind.is_number:
                known = labels[task.name], unasked[task.name]
                errors = [reliability(task, each[task.name], *known).error for each in (old, new)]
                fitted[task.name][split] = {"ece_before": errors[0], "ece_after": errors[1]}
    return fitted


def _as_decided(
    task: TaskConfig, tasks: list[TaskConfig], logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> np.ndarray:
    """Return the logits (N, C) for a decision between the siblings of the true label. Other labels get -inf.

    Without parents, all labels are siblings.
    """
    if task.given is None or task.given.parents is None:
        return logits[task.name]
    parent = parent_task(task, tasks)
    siblings = may_follow(task, parent).numpy()  # (P, C)
    parent_of = siblings.argmax(axis=0)  # (C,)
    return np.where(siblings[parent_of[np.maximum(labels[task.name], 0)]], logits[task.name], -np.inf)


def _abstaining(
    task: TaskConfig, abstain: Abstain | None, decision: Decision, labels: np.ndarray, unasked: np.ndarray
) -> TaskConfig:
    if abstain is None:
        return task
    confidences, right = answer_confidences(task, decision, labels, unasked)
    if len(confidences) == 0:
        logger.warning(f"task {task.name!r} never abstains: no validation row has a label for it")
        return task
    try:
        least = abstention_threshold(confidences, right, precision=abstain.precision, coverage=abstain.coverage)
    except ValueError as error:  # the trained model must still be saved
        logger.warning(f"task {task.name!r} never abstains: {error}")
        return task
    return replace(task, abstain_below=least)
