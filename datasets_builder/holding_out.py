"""Hold out rows of the training sources for validation and test: shares of them, or one of several folds.

Shapes: N rows.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.encoded import EncodedRows
from datasets_builder.folds import split_folds, units_of
from datasets_builder.settings import held_out_shares
from datasets_builder.splits import split_rows, strata_of
from modeling_multitask.tasks_multitask import TaskConfig


def hold_out(rows: EncodedRows, tasks: list[TaskConfig], split: dict[str, Any]) -> dict[str, EncodedRows]:
    """Return the training rows and the rows that are held out, by split.

    Args:
        rows: All rows of the training sources.
        tasks: The tasks with their labels.
        split: The shares of the rows, or the `folds` and the `fold` to hold out. With `folds` and without a `fold`, the
            folds are only checked.

    Raises:
        DataError: If there are too few rows.
    """
    seed = split.get("seed", 0)
    parts = {"train": rows}
    if folds := split.get("folds"):
        inside = _folds(rows, tasks, folds, seed) == split.get("fold")
        if inside.any():
            parts = {"train": rows.select(np.flatnonzero(~inside)), "test": rows.select(np.flatnonzero(inside))}
    if shares := held_out_shares(split):
        train = parts["train"]
        labels = _ids(train.labels, tasks)
        places = split_rows(strata_of(labels, len(train)), shares, seed, train.groups, labels)
        parts |= {name: train.select(each) for name, each in places.items()}
    return parts


def _folds(rows: EncodedRows, tasks: list[TaskConfig], folds: int, seed: int) -> np.ndarray:
    labels = _ids(rows.labels, tasks)
    names = [each for task in tasks for each in _names_of_ids(task)]
    units = units_of(rows.keys, rows.groups)
    return split_folds(strata_of(labels, len(rows)), folds, seed, units, labels, names)


def _ids(labels: pa.Table, tasks: list[TaskConfig]) -> list[np.ndarray]:
    """Return the columns to stratify by: each task's ids, with one column for each label of a multi-label task.

    A regression is stratified by whether its number is there.
    """
    columns: list[pa.Array] = []
    for task in tasks:
        column = labels[task.name].combine_chunks()
        if task.kind.is_number:
            column = pc.if_else(column.is_valid(), 0, None)
        columns += column.flatten() if pa.types.is_struct(column.type) else [column]
    return [pc.fill_null(each.cast(pa.int64()), -1).to_numpy(zero_copy_only=False) for each in columns]


def _names_of_ids(task: TaskConfig) -> list[list[str]]:
    """Return for each column of `_ids` the names of its ids, for messages."""
    if task.kind.is_number:
        return [[f"task {task.name!r}"]]
    if task.kind.several_labels:
        return [[f"task {task.name!r}, {each!r} is {side}" for side in ("no", "yes")] for each in task.labels or ()]
    return [[f"task {task.name!r}, label {each!r}" for each in task.labels or ()]]
