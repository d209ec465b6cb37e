"""The judgement on each task of a run: its baselines, and what to know before using it."""

from typing import Any

from datasets import Dataset
from transformers.utils import logging

from datasets_builder.label_rows import label_rows, without_rows

from .. import MultiTaskTrainer, TaskConfig
from ..evaluation.baseline import Baseline
from ..evaluation.intervals import FEWEST_ROWS
from ..evaluation.judgement import Judgement, judgement
from ..recipes.recipe import Recipe
from ..training.metrics import decide_arrays
from ..wording import with_a_label
from .baselines import baselines, probe_notes
from .calibration import Answers
from .rows import RowsBySplit, labelled_rows

logger = logging.get_logger(__name__)

LARGE_SHARE = 0.8  # of the sum of the first losses

Judgements = dict[str, dict[str, Judgement]]  # by split and task


def judge_tasks(
    recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer, answers: dict[str, Answers]
) -> Judgements:
    """Return the judgement on each task and evaluated split.

    Args:
        recipe: The recipe.
        rows: The rows by split.
        trainer: The trainer after training.
        answers: The logits and labels by split.
    """
    tasks = trainer.model.config.tasks
    found, notes = _baselines(recipe, rows, trainer), _notes(recipe, rows, trainer)
    judgements: Judgements = {}
    for split, (logits, labels) in answers.items():
        decisions = decide_arrays(logits, tasks)
        judgements[split] = {
            task.name: judgement(
                task, decisions[task.name], labels[task.name], found.get(task.name, []), split, notes=notes[task.name]
            )
            for task in tasks
        }
    return judgements


def with_judgements(results: dict[str, dict[str, Any]], judgements: Judgements) -> dict[str, dict[str, Any]]:
    """Return the results of a run with the baselines and the verdict of each task."""
    return {
        split: {
            name: {**value, **judgements[split][name].as_json()} if name in judgements[split] else value
            for name, value in metrics.items()
        }
        for split, metrics in results.items()
    }


def loss_shares(log: list[dict[str, float]], weights: dict[str, float]) -> dict[str, float]:
    """Return the share of each task in the sum of the weighted losses at the start of training.

    Args:
        log: The log of the Trainer. The first entry with the losses of the tasks counts.
        weights: The weights of the tasks.
    """
    entry = next((each for each in log if "loss" in each), {})
    losses = {name: weight * entry.get(f"{name}_loss", 0.0) for name, weight in weights.items()}
    total = sum(losses.values())
    return {name: loss / total for name, loss in losses.items()} if total > 0 else {}


def _baselines(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, list[Baseline]]:
    try:
        return baselines(recipe, rows, trainer)
    except Exception as error:  # the model is trained and not saved yet
        logger.warning(f"There are no baselines: {error}")
        return {}


def _notes(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, list[str]]:
    """Return the notes on each task that hold for all splits."""
    tasks, own = trainer.model.config.tasks, trainer.args.schedule[0].weights
    weights = {task.name: own.get(task.name, task.weight) for task in tasks}
    weights = {name: weight for name, weight in weights.items() if weight}  # the first phase may leave tasks out
    shares = loss_shares(trainer.state.log_history, weights) if trainer.args.balancing == "sum" else {}
    counts = labelled_rows(rows["validation"], tasks) if "validation" in rows else {}
    unprobed = probe_notes(recipe, rows, trainer)
    return {
        task.name: [
            *_rowless_labels(rows, task),
            *_few_to_choose_by(counts.get(task.name) or 0),
            *_large_share(shares, task.name),
            *([unprobed[task.name]] if task.name in unprobed else []),
        ]
        for task in tasks
    }


def _few_to_choose_by(count: int) -> list[str]:
    """Return a note on a task that has a say in the choice of the checkpoint with hardly any validation rows."""
    if not 0 < count < FEWEST_ROWS:
        return []
    return [f"only {with_a_label(count)}, but it counts fully in the score that chooses the checkpoint"]


def _large_share(shares: dict[str, float], task: str) -> list[str]:
    if len(shares) < 2 or shares.get(task, 0.0) <= LARGE_SHARE:
        return []
    return [f"its loss was {shares[task]:.0%} of the sum at the start, so the other tasks learn slowly; see `weight`"]


def _rowless_labels(rows: RowsBySplit, task: TaskConfig) -> list[str]:
    """Return a note for each split that has no row of some labels."""
    if task.kind.is_number:
        return []
    known = {name: each.select_columns([task.name]) for name, each in rows.items() if isinstance(each, Dataset)}
    columns = {name: each.with_format("arrow")[:][task.name] for name, each in known.items()}
    found = {name: without_rows(label_rows(column, task)) for name, column in columns.items()}
    named = {"train": "training"}
    return [f"labels without a {named.get(name, name)} row: {labels}" for name, labels in found.items() if labels]
