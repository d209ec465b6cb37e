"""Soft labels and weights of rows.

Shapes: B rows of a batch, N rows of a table, C labels of one task.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor

from datasets_builder.columns import WEIGHT, distribution_column
from datasets_builder.weights import MOST

from ..errors import RowError
from ..kinds_multitask import IGNORE_INDEX
from ..tasks_multitask import TaskConfig
from ..texts_multitask import is_null, plain_rows, plain_value
from ..words_multitask import nearest_hint


def soft_labels_of(rows: Sequence[Mapping[str, Any]], tasks: list[TaskConfig]) -> dict[str, Tensor]:
    """Return the soft labels of each task whose column of distributions the rows have, (B, C), NaN where missing.

    Raises:
        RowError: If a distribution is no dict of numbers, or names other labels than the task.
    """
    columns = {task.name: distribution_column(task.name) for task in tasks if not task.kind.is_number}
    given = rows[0] if rows else {}
    found = {}
    for task in tasks:
        if (name := columns.get(task.name)) is not None and name in given:
            each = [_numbers(plain_value(row.get(name)), task, f"rows[{i}]") for i, row in enumerate(rows)]
            found[task.name] = torch.tensor(each, dtype=torch.float32)
    return found


def most_probable(labels: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """Return the labels with ids, (N,), or zeros and ones, (N, C), instead of soft labels, (N, C). Ties are missing."""
    soft = soft_among(labels, tasks)
    return {
        task.name: _most_probable(soft[task.name], task) if task.name in soft else labels[task.name] for task in tasks
    }


def soft_among(labels: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """Return those of the labels that are soft, (N, C) by task name."""
    soft = {task.name: labels[task.name] for task in tasks if not task.kind.is_number}
    return {name: each for name, each in soft.items() if each.dtype.kind == "f"}


def weights_of(rows: Sequence[Mapping[str, Any]], place: str = "rows") -> Tensor | None:
    """Return the weight of each row, (B,), 1 for null, or `None` if the rows have no column of weights.

    Raises:
        RowError: If a weight is not a number from 0.
    """
    if not rows or WEIGHT not in rows[0]:
        return None
    return torch.tensor([_weight(row.get(WEIGHT), f"{place}[{i}]") for i, row in enumerate(rows)], dtype=torch.float32)


def numbers_by_label(rows: Dataset, column: str, labels: list[str]) -> np.ndarray:
    """Return the number of each label in each row of a column of structs, (N, C), NaN where it is missing."""
    cells = rows.select_columns([column]).with_format("arrow")[:][column].combine_chunks()
    numbers = np.full((len(rows), len(labels)), np.nan)
    if pa.types.is_null(cells.type):
        return numbers
    parts = dict(zip([each.name for each in cells.type], cells.flatten(), strict=True))
    for place, label in enumerate(labels):
        numbers[:, place] = parts[label].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def row_weights_of(rows: Dataset) -> np.ndarray:
    """Return the weight of each row of a table, (N,), 1 for a row without one."""
    if WEIGHT not in rows.column_names:
        return np.ones(len(rows))
    return np.array([1.0 if weight is None else weight for weight in plain_rows(rows)[WEIGHT]])


def _numbers(given: Any, task: TaskConfig, place: str) -> list[float]:
    labels = task.labels or []
    if is_null(given):
        return [math.nan] * len(labels)
    column = distribution_column(task.name)
    if not isinstance(given, Mapping):
        raise RowError(f"column {column!r}: {given!r} is not a dict of the probability of each label", place)
    if strange := [label for label in given if label not in labels]:
        hint = nearest_hint(str(strange[0]), labels)
        raise RowError(f"column {column!r}: {strange[0]!r} is not a label of the task {task.name!r}{hint}", place)
    numbers: list[Any] = [given.get(label) for label in labels]
    if task.kind.one_label and any(is_null(each) for each in numbers) and not all(map(is_null, numbers)):
        raise RowError(f"column {column!r}: {given!r} lacks the probability of a label", place)
    return [math.nan if is_null(each) else float(each) for each in numbers]


def _most_probable(shares: np.ndarray, task: TaskConfig) -> np.ndarray:
    if task.kind.several_labels:
        return np.where(np.isnan(shares) | (shares == 0.5), IGNORE_INDEX, shares > 0.5).astype(np.int64)
    most = shares.max(axis=-1, keepdims=True)  # NaN for a missing label
    return np.where((shares == most).sum(axis=-1) == 1, shares.argmax(axis=-1), IGNORE_INDEX)


def _weight(given: Any, place: str) -> float:
    if is_null(given):
        return 1.0
    if isinstance(given, str) or not 0 <= float(given) <= MOST:
        raise RowError(
            f"column {WEIGHT!r}: {given!r} is not a weight; it must be a number, at least 0 and at most {MOST:g}", place
        )
    return float(given)
