"""The labels of a whole table of `datasets`, read column by column.

Shapes: N rows, C labels of one task.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from torch import Tensor

from datasets_builder.columns import WEIGHT, distribution_column
from datasets_builder.label_lists import ListForm

from ..kinds_multitask import IGNORE_INDEX
from ..tasks_multitask import TaskConfig
from .collator import joined_targets, labels_of, without_unasked
from .soft_targets import soft_labels_of, weights_of


def labels_of_table(
    rows: Dataset, tasks: list[TaskConfig], list_forms: Mapping[str, ListForm] | None = None, *, place: str = "rows"
) -> dict[str, Tensor]:
    """Return the labels of a table by task name, as `labels_of` does, without a dict of all labels for each row.

    Args:
        rows: The table. A task without a column has no label.
        tasks: The model's tasks, in order.
        list_forms: How lists of numbers are written, by task name. By default the rows decide.
        place: The name of the rows, for messages.

    Raises:
        RowError: If a label is not valid for its task.
        ValueError: If lists of numbers may be ids or zeros and ones.
    """
    there = [task for task in tasks if task.name in rows.column_names]
    built: dict[str, Tensor] = {}
    if rows.format["type"] is None:  # a function of `with_transform` makes other rows
        several = [task for task in there if task.kind.several_labels]
        columns = {task.name: rows.select_columns([task.name]).with_format("arrow")[:][task.name] for task in several}
        entries = {task.name: _entries(columns[task.name].combine_chunks(), task) for task in several}
        built = {name: each for name, each in entries.items() if each is not None}
    others = [task for task in tasks if task.name not in built]
    names = [task.name for task in others if task in there]
    given = _columns(rows, names)
    read = built | labels_of(given, others, list_forms, place=place)
    return without_unasked({task.name: read[task.name] for task in tasks}, tasks)


def soft_labels_of_table(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, Tensor]:
    """Return the soft labels of a table by task name, (N, C), as `soft_labels_of` does for rows."""
    return soft_labels_of(_columns(rows, [distribution_column(task.name) for task in tasks]), tasks)


def targets_of_table(
    rows: Dataset, tasks: list[TaskConfig], list_forms: Mapping[str, ListForm] | None = None
) -> dict[str, Any]:
    """Return the `labels` of a table by task name, soft where it has them, and the `sample_weight`, if it has one.

    Args:
        rows: The table.
        tasks: The model's tasks, in order.
        list_forms: How lists of numbers are written, by task name. By default the rows decide.

    Raises:
        RowError: If a label or a weight is not valid.
        ValueError: If lists of numbers may be ids or zeros and ones.
    """
    labels = labels_of_table(rows, tasks, list_forms)
    return joined_targets(labels, soft_labels_of_table(rows, tasks), weights_of(_columns(rows, [WEIGHT])), tasks)


def _columns(rows: Dataset, names: list[str]) -> list[dict[str, Any]]:
    """Return the rows with those of these columns that the table has."""
    there = [name for name in names if name in rows.column_names]
    return list(rows.select_columns(there)) if there else [{}] * len(rows)


def _entries(cells: pa.Array, task: TaskConfig) -> Tensor | None:
    """Return the labels of a column that the dataset builder has written, (N, C), or `None` for another column."""
    if not pa.types.is_struct(cells.type):
        return None
    if [(each.name, each.type) for each in cells.type] != [(label, pa.int8()) for label in task.labels or ()]:
        return None
    entries = np.empty((len(cells), len(task.labels or ())), dtype=int)
    for place, column in enumerate(cells.flatten()):
        entries[:, place] = pc.fill_null(column, IGNORE_INDEX).to_numpy(zero_copy_only=False)
    return torch.from_numpy(entries) if np.isin(entries, (0, 1, IGNORE_INDEX)).all() else None
