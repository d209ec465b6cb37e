"""The rows of a recipe: one data set from its tables, the tasks with their labels and weights, and token ids."""

from collections.abc import Collection
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset, IterableDataset, concatenate_datasets
from datasets import config as datasets_config
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder import DataError, MultiTaskBuilder
from datasets_builder.builder import with_splits_on_hub
from datasets_builder.columns import TEXT, TEXT_PAIR, WEIGHT, distribution_column
from datasets_builder.label_rows import label_rows, never_seen, with_shares, without_labels
from datasets_builder.settings import SPLITS, held_out_splits

from .. import MultiTaskConfig, MultiTaskModel, TaskConfig
from ..files import check_writable
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe, TaskRecipe
from ..recipes.record import plain_words
from ..recipes.teacher_rules import learns_without_labels
from ..tasks_multitask import GivenConfig
from ..training.class_weights import BALANCED, with_resolved_weights
from ..training.conditions import counted_rows, with_condition
from ..training.growing import inherited_condition, inherited_tasks
from ..training.soft_targets import row_weights_of
from ..training.tokens import IS_LONG, row_tokens

logger = logging.get_logger(__name__)

WAITING = ("abstain", "given", "label_texts", "teacher")  # the words of a task that the builder does not need
SHUFFLED_ROWS = 10_000  # the size of the shuffle buffer for streamed rows

RowsBySplit = dict[str, Dataset | IterableDataset]  # only training rows may be streamed


def build_dataset(recipe: Recipe, trained: MultiTaskModel | None = None) -> tuple[RowsBySplit, list[TaskConfig]]:
    """Return the recipe's tables as one data set, and its tasks with their labels and weights.

    Raises:
        RecipeError: If a task contradicts the trained model, or its weights cannot be balanced.
        DataError: If a table is invalid.
    """
    return build_rows(recipe, open_sources(recipe, trained), trained)


def with_known_splits(recipe: Recipe) -> Recipe:
    """Return the recipe with the sources of all splits: a data set on the Hub may bring validation and test rows.

    Raises:
        DataError: If the data set is not found.
    """
    given = {name: getattr(recipe.data, name) for name in SPLITS}
    sources: dict[str, Any] = with_splits_on_hub(given, asdict(recipe.data.split))
    return replace(recipe, data=replace(recipe.data, **sources))


def open_sources(recipe: Recipe, trained: MultiTaskModel | None = None) -> MultiTaskBuilder:
    """Return the builder of the recipe's tables, with the labels of the trained model.

    Its rows are not built yet, but its splits and labels are known.

    Raises:
        RecipeError: If a task contradicts the trained model.
        DataError: If a table is invalid.
    """
    settings = [without_what_waits(task) for task in recipe.tasks]
    taught = {task.name for task in recipe.tasks if learns_without_labels(plain_words(task))}
    settings = [{**task, "trained": True} if task["name"] in taught else task for task in settings]
    if trained is not None:
        with as_recipe_error(recipe, "start_from"):
            settings = inherited_tasks(settings, trained.config.tasks, recipe.rename_labels)
        there = {task.name for task in trained.config.tasks}
        settings = [{**task, "trained": True} if task["name"] in there else task for task in settings]
    return build_builder(recipe, settings)


def build_rows(
    recipe: Recipe, builder: MultiTaskBuilder, trained: MultiTaskModel | None = None
) -> tuple[RowsBySplit, list[TaskConfig]]:
    """Return the rows of the recipe's builder by split, and its tasks with their labels and weights.

    Raises:
        RecipeError: If a condition contradicts the rows, or weights cannot be balanced.
        DataError: If a table is invalid.
    """
    builder.download_and_prepare()
    dataset: RowsBySplit = dict(builder.as_dataset()) if builder.prepared_splits else {}
    if recipe.data.streaming:
        dataset["train"] = builder.as_streaming_dataset("train").shuffle(recipe.seed, buffer_size=SHUFFLED_ROWS)
    with as_recipe_error(recipe, "tasks"):
        tasks = _with_what_waited(builder, recipe, dataset, _conditions(recipe, trained))
    if isinstance(train := dataset["train"], Dataset):
        for warning in label_warnings(train, tasks, taught_tasks(recipe)):
            logger.warning(warning)
    if "validation" in dataset and not any(labelled_rows(dataset["validation"], tasks).values()):
        logger.warning("validation: no row has a label; the last weights are kept, and nothing is calibrated")
    return dataset, tasks


def with_labels(rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> Dataset | IterableDataset:
    """Return the rows with a label of any task and a weight above 0. Those of a stream are skipped when they are read.

    Args:
        rows: The training rows from the dataset builder.
        tasks: All tasks.
    """
    if not isinstance(rows, Dataset):
        return rows.filter(partial(_is_trained, columns=_label_columns(rows, tasks)))
    skipped = unlabelled_rows(rows, tasks) | (row_weights_of(rows) == 0)
    return rows.select(np.flatnonzero(~skipped)) if skipped.any() else rows


def unlabelled_rows(rows: Dataset, tasks: list[TaskConfig]) -> np.ndarray:
    """Return the rows without a label of any task, (N,)."""
    table = rows.select_columns(_label_columns(rows, tasks)).with_format("arrow")[:]
    return without_labels(table, [task.name for task in tasks])


def _label_columns(rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> list[str]:
    names = [task.name for task in tasks]
    return [name for name in (*names, *map(distribution_column, names)) if name in (rows.column_names or names)]


def _is_trained(row: dict[str, Any], columns: list[str]) -> bool:
    """Return whether a streamed row has a label and a weight above 0, with a note on the first one that has none."""
    if there := row.get(WEIGHT) != 0 and any(row[name] is not None for name in columns):
        return there
    logger.warning_once(
        "train: rows without any label, or of weight 0, are skipped in training; streamed rows are not counted"
    )
    return there


def build_builder(recipe: Recipe, tasks: list[dict[str, Any]]) -> MultiTaskBuilder:
    """Return the builder of the recipe's tables.

    Args:
        recipe: The recipe, with the sources and splits.
        tasks: The settings of each task.

    Raises:
        RecipeError: If the tasks are invalid.
        DataError: If a table is invalid.
        OSError: If the cache of data sets cannot be written.
    """
    data, hide = recipe.data, recipe.data.hide_labels
    advice = "set HF_DATASETS_CACHE or HF_HOME to another folder"
    check_writable(Path(datasets_config.HF_DATASETS_CACHE), "the cache of data sets", advice)
    with as_recipe_error(recipe, "tasks", but=DataError):
        return MultiTaskBuilder(
            tasks=tasks,
            train=data.train,
            validation=data.validation,
            test=data.test,
            split={**asdict(data.split), "seed": recipe.seed if data.split.seed is None else data.split.seed},
            hide_labels=hide and {"fraction": hide.fraction, "seed": recipe.seed if hide.seed is None else hide.seed},
            missing_text=data.missing_text,
            contradictions=data.contradictions,
            leaks=data.leaks,
            streaming=data.streaming,
            with_source=recipe.sampling.by_source,
            with_place=True,
        )


def tokenize_rows(dataset: RowsBySplit, tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig) -> RowsBySplit:
    """Add the token ids of each text or pair of texts, and warn about texts that are too long for the model."""

    def tokens(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return row_tokens(tokenizer, config, rows[TEXT], rows.get(TEXT_PAIR))

    tokenized: RowsBySplit = {}
    for name, rows in dataset.items():
        if not isinstance(rows, Dataset):
            tokenized[name] = rows.map(tokens, batched=True)
            continue
        # Without the labels, because `map` would decode and write thousands of them for each row.
        texts = rows.select_columns([column for column in (TEXT, TEXT_PAIR) if column in rows.column_names])
        found = texts.map(tokens, batched=True, remove_columns=texts.column_names, desc="Tokenising")
        if IS_LONG in found.column_names:
            _warn_of_long_texts(name, found, config)
            found = found.remove_columns([IS_LONG])
        tokenized[name] = concatenate_datasets([rows, found], axis=1)
    return tokenized


def labelled_rows(rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> dict[str, int | None]:
    """Return the number of rows with a label that counts, by task. It is `None` for streamed rows."""
    if not isinstance(rows, Dataset):
        return dict.fromkeys(task.name for task in tasks)
    return {name: int(counted.sum()) for name, counted in counted_rows(rows, tasks).items()}


def taught_tasks(recipe: Recipe) -> set[str]:
    """Return the names of the tasks that have a teacher."""
    return {task.name for task in recipe.tasks if task.teacher}


def label_warnings(rows: Dataset, tasks: list[TaskConfig], taught: Collection[str] = ()) -> list[str]:
    """Return a warning for each task with labels that these training rows do not teach. Tasks without rows have none.

    Args:
        rows: The training rows from the dataset builder.
        tasks: All tasks, in order.
        taught: The names of tasks with a teacher, which may teach all labels. They have no warning.
    """
    counted = counted_rows(rows, tasks)
    warnings = []
    warned = [task for task in tasks if not task.kind.is_number and task.name not in taught]
    for task in (each for each in warned if counted[each.name].any()):
        names = [name for name in (task.name, distribution_column(task.name)) if name in rows.column_names]
        table = rows.select_columns(names).with_format("arrow")[:].filter(pa.array(counted[task.name]))
        labels, *shares = table.columns
        seen = label_rows(labels, task)
        warnings.append(never_seen(with_shares(seen, shares[0]) if shares else seen, task))
    return [warning for warning in warnings if warning is not None]


def without_what_waits(task: TaskRecipe) -> dict[str, Any]:
    """Return the settings of a task, without those that need the labels, the rows or the trained model."""
    given = {name: getattr(task, name) for name in ("class_weights", "pos_weight")}
    settings = {name: value for name, value in plain_words(task).items() if name not in WAITING}
    return settings | {
        name: None if each == BALANCED or isinstance(each, dict) else each for name, each in given.items()
    }


def _conditions(recipe: Recipe, trained: MultiTaskModel | None) -> dict[str, GivenConfig | None]:
    """Return the condition of each task, from the recipe or else from the trained model."""
    kept = [task.name for task in recipe.tasks]
    conditions = {}
    for task in recipe.tasks:
        given = task.given
        if trained is not None and not ("given" in task.written and given is None):
            given = inherited_condition(task.name, given, trained.config.tasks, kept, recipe.rename_labels)
        conditions[task.name] = given
    return conditions


def _with_what_waited(
    builder: MultiTaskBuilder, recipe: Recipe, dataset: RowsBySplit, conditions: dict[str, GivenConfig | None]
) -> list[TaskConfig]:
    """Return the builder's tasks with the weights and conditions that need the training rows."""
    tasks, rows = builder.tasks, dataset["train"]
    known = {task.name: task for task in tasks}
    seen = rows if isinstance(rows, Dataset) else None
    held_out = [dataset[name] for name in held_out_splits(builder.config.split or {})]
    whole = None if seen is None else concatenate_datasets([seen, *held_out])  # the training rows before the split
    conditional = [
        task
        if (given := conditions[task.name]) is None
        else with_condition(task, known[given.task], seen, given, whole)
        for task in tasks
    ]
    counted = {} if seen is None else counted_rows(seen, conditional)
    return [
        with_resolved_weights(
            task,
            rows if seen is None or task.given is None else seen.select(np.flatnonzero(counted[task.name])),
            class_weights=words.class_weights,
            pos_weight=words.pos_weight,
        )
        for task, words in zip(conditional, recipe.tasks, strict=True)
    ]


def _warn_of_long_texts(split: str, rows: Dataset, config: MultiTaskConfig) -> None:
    if long := sum(rows[IS_LONG]):
        what = {"truncate": "they are truncated", "windows": "they are read in windows"}[config.long_texts]
        logger.warning(f"{split}: {long:,} of {len(rows):,} texts have more than {config.max_length} tokens; {what}")
