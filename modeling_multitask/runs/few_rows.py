"""The defaults for few rows of each label, to which a deep head and an encoder that trains would fit too closely.

`python -m benchmarks.few_rows` compares them with other methods.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset, IterableDataset
from transformers.utils import logging

from ..recipes.recipe import Recipe
from ..tasks_multitask import HeadConfig, TaskConfig
from ..training.conditions import counted_rows
from ..training.label_columns import labels_of_table
from ..training.phases import Phase
from ..training.rates import LearningRates

logger = logging.get_logger(__name__)

FEW = 32  # rows of each label, on average
# The epoch has a rate that changes nothing, because the fitted heads are the result.
_FITTED = Phase(train=("heads",), fit_heads=True, until="epoch 1", learning_rates=LearningRates(heads=1e-6, backbone=0))
DEFAULTS: dict[str, Any] = {"head": HeadConfig(hidden_sizes=[]), "phases": [_FITTED]}
# A recipe with any of these words chooses how to train.
CHOICES = ("average", "conflict", "head", "keep_embedding", "learning_rates", "lora", "phases", "start_from")
LENGTHS = ("learning_rate", "max_steps", "num_train_epochs")  # of `training`


def few_row_defaults(recipe: Recipe, rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> Recipe:
    """Return the recipe with the defaults for few rows, if it has few rows and does not choose how to train.

    Args:
        recipe: The recipe.
        rows: The training rows with a label.
        tasks: The tasks with their labels.
    """
    if not isinstance(rows, Dataset) or _chooses(recipe):
        return recipe
    most = max(rows_per_label(rows, tasks).values())
    if most >= FEW:
        return recipe
    logger.warning(
        f"There are at most {most:,.0f} training rows of each label, so the encoder stays frozen, and linear heads are "
        "fitted to its embeddings. To train in another way, set phases, freeze, learning_rates, head or lora."
    )
    return replace(recipe, **DEFAULTS)


def rows_per_label(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, float]:
    """Return by task the mean number of rows of a label. A number counts as two labels.

    Args:
        rows: The training rows.
        tasks: The tasks with their labels.
    """
    counted, several = counted_rows(rows, tasks), [task for task in tasks if task.kind.several_labels]
    given = {name: (each == 1).sum() for name, each in labels_of_table(rows, several).items()} if several else {}
    return {
        task.name: int(given.get(task.name, np.sum(counted[task.name]))) / max(len(task.labels or ()), 2)
        for task in tasks
    }


def _chooses(recipe: Recipe) -> bool:
    """Return whether the recipe has a word about how to train, or a model or a teacher that was trained before."""
    chosen = any(getattr(recipe, name) is not None for name in CHOICES) or any(
        name in recipe.training for name in LENGTHS
    )
    of_tasks = any(task.head is not None or task.teacher is not None for task in recipe.tasks)
    return chosen or of_tasks or recipe.freeze != ["none"] or recipe.balancing != "sum"
