"""The baselines of a run: a constant, and a linear probe of the untrained encoder.

Shapes: N rows of a split, D width of the encoder.
"""

import numpy as np
import torch
from datasets import Dataset

from .. import MultiTaskTrainer, TaskConfig
from ..evaluation.baseline import Baseline, constant, linear_probe
from ..recipes.recipe import MOST_LABELS, MOST_ROWS, MOST_ROWS_OF_A_FROZEN_ENCODER, Recipe
from ..training.label_columns import labels_of_table
from ..training.start_embeddings import embedded_rows, embeddings_of
from .rows import RowsBySplit, with_labels
from .start_encoder import start_encoder, with_own_words


def baselines(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, list[Baseline]]:
    """Return the baselines of each task. There are none if the training rows are streamed or nothing is evaluated.

    Args:
        recipe: The recipe.
        rows: The rows by split.
        trainer: The trainer, with the tasks of the model.
    """
    train, tasks = labelled_train(rows, trainer), trainer.model.config.tasks
    held_out = {name: each for name, each in rows.items() if name != "train" and len(each)}
    if train is None or not held_out:
        return {}
    labels = {name: each.numpy() for name, each in labels_of_table(train, tasks).items()}
    counts = {name: len(each) for name, each in held_out.items()}
    found = {task.name: [constant(task, labels[task.name], counts)] for task in tasks}
    probed, _ = _probed(recipe, train, trainer)
    if probed:
        embedded = embeddings(recipe, {**held_out, "train": train}, tasks, trainer.args.device)
        own = embedded.pop("train")
        for task in probed:
            found[task.name].append(linear_probe(task, labels[task.name], own, embedded))
    return {name: [each for each in given if each is not None] for name, given in found.items()}


def probe_notes(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, str]:
    """Return a note on each task that has no linear probe because of its many labels, by task name."""
    train = labelled_train(rows, trainer)
    _, left_out = ([], []) if train is None else _probed(recipe, train, trainer)
    what = "it is not compared with a linear probe, because it has {:,} labels; `baseline: linear_probe` computes it"
    return {task.name: what.format(len(task.labels or ())) for task in left_out}


def _probed(recipe: Recipe, train: Dataset, trainer: MultiTaskTrainer) -> tuple[list[TaskConfig], list[TaskConfig]]:
    """Return the tasks that get a linear probe, and those that by default have too many labels for it."""
    tasks = trainer.model.config.tasks if len(train) else []
    if recipe.baseline is not None:
        return (tasks, []) if recipe.baseline == "linear_probe" else ([], [])
    if len(train) > (MOST_ROWS if trainer.trains_encoder else MOST_ROWS_OF_A_FROZEN_ENCODER):
        return [], []
    many = [task for task in tasks if len(task.labels or ()) > MOST_LABELS]
    return [task for task in tasks if task not in many], many


def labelled_train(rows: RowsBySplit, trainer: MultiTaskTrainer) -> Dataset | None:
    """Return the training rows with a label, without those that only a teacher has answered; `None` for a stream."""
    train = rows["train"]
    return with_labels(train, trainer.model.config.tasks) if isinstance(train, Dataset) else None


def has_linear_probe(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> bool:
    """Return whether a task has a linear probe, for which all labelled training rows are embedded."""
    train, evaluated = labelled_train(rows, trainer), any(len(each) for name, each in rows.items() if name != "train")
    return evaluated and train is not None and bool(_probed(recipe, train, trainer)[0])


def embeddings(
    recipe: Recipe, rows: dict[str, Dataset], tasks: list[TaskConfig], device: torch.device
) -> dict[str, np.ndarray]:
    """Return the embeddings of the untrained encoder by split, (N, D), with its own pooling, prompt and normalisation.

    `Dataset.map` caches them with the rows, for other runs on the same rows.

    Args:
        recipe: The recipe, with the encoder.
        rows: The rows by split.
        tasks: The tasks of the model.
        device: Where the encoder runs.
    """
    model, tokenizer = start_encoder(with_own_words(recipe), tasks, device)
    return {
        name: embeddings_of(each) for name, each in embedded_rows(rows, model, tokenizer, purpose="Baseline").items()
    }
