"""Scores that mean what they say: what a recipe's `calibrate` and `abstain` do once training is over."""

from dataclasses import replace
from typing import Any

import numpy as np
from transformers.utils import logging

from modeling_multitask import MultiTaskConfig, TaskConfig
from modeling_multitask.evaluation.calibration import abstention_threshold, answer_scores, calibrated, reliability

from .recipe import AbstainRecipe, Recipe

logger = logging.get_logger(__name__)

Answers = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # logits and labels, by task


def calibrate(recipe: Recipe, config: MultiTaskConfig, answers: dict[str, Answers]) -> dict[str, Any]:
    """Fits temperatures, thresholds and abstention on the validation rows, and puts them into the model's tasks.

    Args:
        recipe: Says what is fitted.
        config: Of the trained model.
        answers: By split.

    Returns:
        By task, what was fitted, and the expected calibration error of each split before and after.
    """
    if "validation" not in answers or not (recipe.calibrate or any(task.abstain for task in recipe.tasks)):
        return {}
    logits, labels = answers["validation"]
    before = config.tasks
    after = [calibrated(task, logits[task.name], labels[task.name], tuple(recipe.calibrate)) for task in before]
    config.tasks = [
        _abstaining(task, words.abstain, logits[task.name], labels[task.name])
        for task, words in zip(after, recipe.tasks, strict=True)
    ]
    return {new.name: _figures(old, new, answers) for old, new in zip(before, config.tasks, strict=True)}


def _abstaining(task: TaskConfig, wanted: AbstainRecipe | None, logits: np.ndarray, labels: np.ndarray) -> TaskConfig:
    if wanted is None:
        return task
    scores, right = answer_scores(task, logits, labels)
    if len(scores) == 0:
        logger.warning(f"task {task.name!r} always answers: no validation row has a label for it")
        return task
    try:
        least = abstention_threshold(scores, right, precision=wanted.precision, coverage=wanted.coverage)
    except ValueError as error:  # training is over, and nothing of it must be lost
        logger.warning(f"task {task.name!r} always answers: {error}")
        return task
    return replace(task, abstain_below=least)


def _figures(before: TaskConfig, after: TaskConfig, answers: dict[str, Answers]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "temperature": after.temperature,
        "thresholds": after.thresholds,
        "abstain_below": after.abstain_below,
    }
    if after.problem_type == "regression":
        return figures
    for split, (logits, labels) in answers.items():
        errors = [reliability(task, logits[task.name], labels[task.name]).error for task in (before, after)]
        figures[split] = {"ece_before": errors[0], "ece_after": errors[1]}
    return figures
