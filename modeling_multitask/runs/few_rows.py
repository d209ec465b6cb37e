"""The defaults for few rows of each label. `python -m benchmarks.few_rows` compares them with other methods."""

import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
from accelerate.utils import parse_flag_from_env
from datasets import Dataset, IterableDataset
from transformers.utils import logging

from datasets_builder.columns import SOURCE, TEXT_PAIR
from datasets_builder.label_rows import label_rows

from ..recipes.label_text_rules import PLACEHOLDER
from ..recipes.recipe import Recipe, TaskRecipe
from ..tasks_multitask import HeadConfig, TaskConfig
from ..training.conditions import counted_rows
from ..training.keep_embedding import KeepEmbedding
from ..training.phases import Phase
from ..training.rates import LearningRates
from .label_texts import label_texts

logger = logging.get_logger(__name__)

FEW = 32  # rows of each label, on average
DEFAULTS: dict[str, Any] = {
    "head": HeadConfig(hidden_sizes=[]),
    "phases": [
        Phase(
            objective="contrastive",
            train=("backbone",),
            until="epoch 10",
            learning_rates=LearningRates(backbone=2e-5),
        ),
        Phase(fit_heads=True),
    ],
    "keep_embedding": KeepEmbedding(weight=1),
}
# A recipe with any of these words chooses how to train.
CHOICES = ("average", "conflict", "head", "keep_embedding", "learning_rates", "lora", "phases", "start_from")
OF_TRAINING = ("deepspeed", "fsdp", "learning_rate", "max_steps", "num_train_epochs")
SHARDING = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP")  # set by `accelerate launch`; heads are then not fitted
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[^\x00-\x7f])")  # two letters, or a letter and a mark


def few_row_defaults(recipe: Recipe, rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> Recipe:
    """Return the recipe with the defaults for few rows, if it has few rows and does not choose how to train.

    Args:
        recipe: The recipe.
        rows: The training rows.
        tasks: The tasks with their labels.
    """
    if not isinstance(rows, Dataset) or _chooses(recipe) or any(map(parse_flag_from_env, SHARDING)):
        return recipe
    most = max(rows_per_label(rows, tasks).values())
    if most >= FEW:
        return recipe
    chosen = recipe.tasks
    if not {TEXT_PAIR, SOURCE} & set(rows.column_names):
        chosen = [_with_label_texts(words, task) for words, task in zip(recipe.tasks, tasks, strict=True)]
    named = [repr(words.name) for words, before in zip(chosen, recipe.tasks, strict=True) if words != before]
    logger.warning(
        f"There are on average at most {most:,.0f} training rows of each label, so training begins with a contrastive "
        "phase, keeps the embedding, and fits linear heads before everything trains"
        + (f"; the names of the labels of {', '.join(named)} are training texts" if named else "")
        + ". To train in another way, set `phases`, `head`, `learning_rates` or `label_texts`."
    )
    return replace(recipe, tasks=chosen, **DEFAULTS)


def rows_per_label(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, float]:
    """Return by task the mean number of rows of a label. A number counts as two labels.

    Args:
        rows: The training rows from the dataset builder.
        tasks: The tasks with their labels.
    """
    counted = counted_rows(rows, tasks)
    counts = {name: int(each.sum()) for name, each in counted.items()}
    for task in (each for each in tasks if each.kind.several_labels):
        column = rows.select_columns([task.name]).with_format("arrow")[:][task.name]
        found = label_rows(column.filter(pa.array(counted[task.name])), task)
        counts[task.name] = sum(each.yes for each in found.values())
    return {task.name: counts[task.name] / max(len(task.labels or ()), 2) for task in tasks}


def _with_label_texts(words: TaskRecipe, task: TaskConfig) -> TaskRecipe:
    """Return the task with its labels as texts, if all of them have words and the recipe does not choose."""
    labels = task.labels or []
    named = task.kind.one_label and all(map(_WORD.search, labels))
    named = named and len(set(label_texts(PLACEHOLDER, labels).values())) == len(labels)
    return replace(words, label_texts=PLACEHOLDER) if named and words.label_texts is None else words


def _chooses(recipe: Recipe) -> bool:
    """Return whether the recipe has a word about how to train, or a model or a teacher that was trained before."""
    chosen = any(getattr(recipe, name) is not None for name in CHOICES) or any(
        name in recipe.training for name in OF_TRAINING
    )
    of_tasks = any(task.head is not None or task.teacher is not None for task in recipe.tasks)
    return chosen or of_tasks or recipe.freeze != ["none"] or recipe.balancing != "sum"
