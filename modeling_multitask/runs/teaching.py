"""The training targets of tasks with a teacher: its answers, mixed with the labels of the rows.

Shapes: N rows, C labels of a task, or one number.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, concatenate_datasets
from transformers.utils import logging

from datasets_builder.columns import TEXT, distribution_column

from .. import TaskConfig
from ..evaluation.judged import row_texts
from ..inference.shards import Process
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..texts_multitask import Text
from ..training.conditions import label_ids, unasked_rows
from ..training.soft_targets import numbers_by_label, row_weights_of
from .cached_source import ask_together
from .rows import unlabelled_rows
from .teacher_sources import TableSource
from .teachers import TaskTeacher, ask, sources_of

logger = logging.get_logger(__name__)


BLOCK = 1_000  # rows whose targets are in memory together


@dataclass(frozen=True)
class Taught:
    """The rows to train on.

    Args:
        rows: The rows with their own labels.
        targets: The same rows with the targets of tasks with a teacher instead of their own labels.
        counts: The number of rows that a teacher has answered, by task name.
    """

    rows: Dataset
    targets: Dataset
    counts: dict[str, int]


def teach(
    recipe: Recipe,
    rows: Dataset,
    tasks: list[TaskConfig],
    teachers: list[TaskTeacher],
    *,
    process: Process,
    held_out: Sequence[Text] = (),
    show_progress: bool = False,
) -> Taught:
    """Ask the teachers about all training rows, and return the rows that are then trained on.

    A row without a label of a task learns the teacher's answer. In a row with a label, the target is a mix of both. A
    row is trained on if it has a label or an answer, and a weight above 0.

    Args:
        recipe: The recipe.
        rows: The training rows from the dataset builder, maybe with further columns.
        tasks: All tasks, in order.
        teachers: The teachers, opened with these tasks.
        process: This process.
        held_out: Texts of other splits. Models answer them as well, because the report needs these answers.
        show_progress: Whether to show a progress bar.

    Raises:
        RecipeError: If a teacher answers no text.
    """
    texts = row_texts(rows)
    with as_recipe_error(recipe, "tasks"):
        for source, name, keys in sources_of(teachers):
            if isinstance(source, TableSource):
                source.check(texts)
            else:
                every = [*texts, *held_out]
                ask_together(source, keys, every, name=name, process=process, show_progress=show_progress)
    columns, answered = _targets(rows, tasks, teachers)
    unlabelled = unlabelled_rows(rows, tasks)
    kept = np.flatnonzero((~unlabelled | np.any(list(answered.values()), axis=0)) & (row_weights_of(rows) > 0))
    if more := int(unlabelled[kept].sum()):
        logger.warning(f"train: {more:,} rows without any label are trained on, because a teacher answers them")
    counts = {name: int(each[kept].sum()) for name, each in answered.items()}
    _note(teachers, counts, len(kept))
    others = rows.remove_columns([name for name in columns.column_names if name in rows.column_names])
    return Taught(rows.select(kept), concatenate_datasets([others, columns], axis=1).select(kept), counts)


def own_targets(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """Return the labels of the rows as probabilities, (N, C), or as numbers, (N, 1), NaN where they are missing."""
    soft, labels = distribution_column(task.name), task.labels or []
    if task.kind.is_number:
        return _column(rows, task.name).to_numpy(zero_copy_only=False).astype(np.float64)[:, None]
    if soft in rows.column_names or task.kind.several_labels:
        return numbers_by_label(rows, soft if soft in rows.column_names else task.name, labels)
    ids = label_ids(rows, task)
    return np.where((ids < 0)[:, None], np.nan, np.eye(len(labels))[ids])


def mixed_targets(own: np.ndarray, taught: np.ndarray, weight: float, task: TaskConfig) -> np.ndarray:
    """Return the target of each row: the teacher's answer, or a mix if the row has a label, or the label alone.

    The loss of the mix is the mix of both losses, except for a constant (Hinton et al. 2015). Numbers are therefore
    mixed on the scale of the loss.

    Args:
        own: The labels, (N, C), NaN where they are missing.
        taught: The teacher's answers, (N, C), NaN where they are missing.
        weight: The share of the teacher.
        task: The task.
    """
    logs = task.transform == "log1p"
    if logs:
        own, taught = np.log1p(own), np.log1p(taught.clip(min=0))
    mixed = np.where(np.isnan(own), taught, np.where(np.isnan(taught), own, (1 - weight) * own + weight * taught))
    return np.expm1(mixed) if logs else mixed


def _targets(
    rows: Dataset, tasks: list[TaskConfig], teachers: list[TaskTeacher]
) -> tuple[Dataset, dict[str, np.ndarray]]:
    """Return the columns of targets, on disk, and which rows a teacher has answered, (N,) by task name."""
    answered = {each.task.name: np.zeros(len(rows), dtype=bool) for each in teachers}

    def of_block(_: pa.Table, numbers: list[int]) -> pa.Table:
        block = rows.select(range(numbers[0], numbers[-1] + 1))
        answers = _where_asked(block, tasks, ask(teachers, row_texts(block)))
        columns: dict[str, pa.Array] = {}
        for each in teachers:
            given = answers[each.task.name]
            answered[each.task.name][numbers] = ~np.isnan(given).any(axis=1)
            columns |= _as_column(
                mixed_targets(own_targets(block, each.task), given, each.weight, each.task), block, each.task
            )
        return pa.table(columns)

    name = repr([rows._fingerprint, *((each.task.name, each.name, each.weight) for each in teachers)])
    columns = (
        rows.select_columns([TEXT])
        .with_format("arrow")
        .map(
            of_block,
            batched=True,
            batch_size=BLOCK,
            with_indices=True,
            remove_columns=[TEXT],
            load_from_cache_file=False,  # the answers are cached
            new_fingerprint=hashlib.blake2b(name.encode(), digest_size=8).hexdigest(),  # only names the file
            desc="Targets",
        )
    )
    return columns.with_format(None), answered


def _where_asked(rows: Dataset, tasks: list[TaskConfig], answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the answers without those to a task that is not asked, by the label of another task or its teacher."""
    ids = {task.name: torch.from_numpy(label_ids(rows, task)) for task in tasks}
    for task in tasks:
        if task.kind.one_label and task.name in answers:
            given = answers[task.name]
            best = np.where(np.isnan(given).any(axis=1), -1, np.nan_to_num(given).argmax(axis=1))
            ids[task.name] = torch.where(ids[task.name] >= 0, ids[task.name], torch.from_numpy(best))
    unasked = unasked_rows(ids, tasks)
    return {name: np.where(unasked[name].numpy()[:, None], np.nan, each) for name, each in answers.items()}


def _as_column(targets: np.ndarray, rows: Dataset, task: TaskConfig) -> dict[str, pa.Array]:
    """Return the column of a task's targets: of numbers, or of soft labels."""
    if task.kind.is_number:
        return {task.name: pa.array(targets[:, 0], from_pandas=True).cast(_column(rows, task.name).type)}
    missing = np.isnan(targets).all(axis=1)
    if task.kind.one_label:
        targets = targets / targets.sum(axis=1, keepdims=True)  # single precision of a model
    parts = [pa.array(each, pa.float32(), from_pandas=True) for each in targets.T]
    column = pa.StructArray.from_arrays(parts, names=task.labels, mask=pa.array(missing))
    return {distribution_column(task.name): column}


def _column(rows: Dataset, name: str) -> pa.Array:
    return rows.select_columns([name]).with_format("arrow")[:][name].combine_chunks()


def _note(teachers: list[TaskTeacher], counts: dict[str, int], rows: int) -> None:
    for each in teachers:
        if (count := counts[each.task.name]) < rows:
            logger.warning(
                f"task {each.task.name!r}: its teacher {each.name} answers {count:,} of {rows:,} training rows"
            )
