"""The training targets of tasks with a teacher: its answers, mixed with the labels of the rows.

Shapes: N rows, C labels of a task, or one number.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, IterableDataset, concatenate_datasets
from transformers.utils import logging

from datasets_builder.columns import TEXT_PAIR, distribution_column

from .. import TaskConfig
from ..evaluation.judged import row_texts
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..training.conditions import label_ids, unasked_rows
from ..training.mapped_texts import map_texts
from ..training.soft_targets import numbers_by_label
from .rows import with_labels
from .teacher_sources import TeacherSource
from .teachers import TaskTeacher, open_teachers, targets_of

logger = logging.get_logger(__name__)


@dataclass(frozen=True)
class Taught:
    """The rows to train on, and the targets of tasks with a teacher.

    Args:
        rows: The rows with their own labels.
        columns: The columns of the targets by name, for the same rows.
        counts: The number of rows that a teacher has answered, by task name.
    """

    rows: Any
    columns: dict[str, pa.Array] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def targets(self, rows: Any) -> Any:
        """Return these rows, which may have further columns, with the targets instead of their own labels."""
        return _with_columns(rows, self.columns) if self.columns else rows


def teach(recipe: Recipe, rows: Dataset | IterableDataset, tasks: list[TaskConfig]) -> Taught:
    """Ask the teachers about all training rows, and return the rows that are then trained on.

    A row without a label of a task learns the teacher's answer. In a row with a label, the target is a mix of both. A
    row is trained on if it has a label or an answer, and a weight above 0.

    Args:
        recipe: The recipe.
        rows: The training rows from the dataset builder.
        tasks: All tasks, in order.

    Raises:
        RecipeError: If a teacher cannot be loaded, does not fit its task, or answers no text.
    """
    if not isinstance(rows, Dataset) or not any(task.teacher for task in recipe.tasks):
        return Taught(with_labels(rows, tasks))
    teachers = open_teachers(recipe, tasks, pairs=TEXT_PAIR in rows.column_names)
    with as_recipe_error(recipe, "tasks"):
        answers = targets_of(teachers, lambda source: _of_source(source, rows, _named(teachers, source)))
    answers = _where_asked(rows, tasks, answers)
    columns: dict[str, pa.Array] = {}
    for each in teachers:
        mixed = mixed_targets(own_targets(rows, each.task), answers[each.task.name], each.weight, each.task)
        columns |= _as_column(mixed, rows, each.task)
    numbered = _with_columns(rows, columns | {_NUMBER: pa.array(np.arange(len(rows)))})
    kept = np.array(with_labels(numbered, tasks)[_NUMBER], dtype=np.int64)
    counts = {name: int((~np.isnan(each[kept])).any(axis=1).sum()) for name, each in answers.items()}
    if more := len(kept) - len(with_labels(rows, tasks)):
        logger.warning(f"train: {more:,} rows without any label are trained on, because a teacher answers them")
    _note(teachers, counts, len(kept))
    return Taught(rows.select(kept), {name: each.take(pa.array(kept)) for name, each in columns.items()}, counts)


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


_NUMBER = "number of the row"


def _named(teachers: list[TaskTeacher], source: TeacherSource) -> str:
    return next(each.name for each in teachers if each.source is source)


def _of_source(source: TeacherSource, rows: Dataset, name: str) -> dict[str, np.ndarray]:
    """Return the answers of a source to all rows. Those of a model are cached for other runs."""
    if not source.is_model:
        return source.answers(row_texts(rows))
    keys = list(source.answers(row_texts(rows.select(range(min(1, len(rows)))))))
    mapped = map_texts(rows, source.answers, keys=keys, digest=source.digest(), desc=f"Teacher {name}")
    columns = mapped.with_format("numpy")[:]
    return {key: np.array(columns[key], dtype=np.float64) for key in keys}


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
    parts = [pa.array(each, pa.float64(), from_pandas=True) for each in targets.T]
    column = pa.StructArray.from_arrays(parts, names=task.labels, mask=pa.array(missing))
    return {distribution_column(task.name): column}


def _column(rows: Dataset, name: str) -> pa.Array:
    return rows.select_columns([name]).with_format("arrow")[:][name].combine_chunks()


def _with_columns(rows: Dataset, columns: dict[str, pa.Array]) -> Dataset:
    """Return the rows with these columns, instead of their own ones of the same names."""
    others = rows.remove_columns([name for name in columns if name in rows.column_names])
    return concatenate_datasets([others, Dataset(pa.table(columns))], axis=1)


def _note(teachers: list[TaskTeacher], counts: dict[str, int], rows: int) -> None:
    for each in teachers:
        if (count := counts[each.task.name]) < rows:
            logger.warning(
                f"task {each.task.name!r}: its teacher {each.name} answers {count:,} of {rows:,} training rows"
            )
