"""Soft labels: a number for each label of a row, from a column for each label or from the votes of several raters.

For a task with one label, the numbers of a row are its distribution: they are at least 0 and add up to 1. For a
multi-label task, each number is a probability of its own.

Shapes: N rows, C labels.
"""

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.columns import distribution_column, votes_column
from datasets_builder.id_advice import advise_decimal
from datasets_builder.label_column import LabelColumn
from datasets_builder.labels import numbers_of_words
from datasets_builder.places import Place, not_among
from datasets_builder.word_arrays import as_words, places_of, without_words
from modeling_multitask.tasks_multitask import TaskConfig

MOST = 1e15  # the largest count of one label


def read_soft_labels(chunk: pa.Table, column: LabelColumn, task: TaskConfig, place: Place) -> pa.Array:
    """Return (N,) structs of float64 by label, null where the label is missing.

    Args:
        chunk: Some rows of a table.
        column: The columns of the numbers.
        task: The task.
        place: The location of the chunk. It collects the wrong cells.

    Raises:
        DataError: If the type of a column cannot hold numbers.
    """
    by_label, labels = column.soft_by_label or {}, task.labels or []
    names = [by_label[label] for label in labels]
    highest = 1.0 if task.kind.several_labels else MOST
    numbers = np.stack([_numbers(chunk, name, column, place, highest) for name in names], axis=1)
    gaps = np.isnan(numbers)
    for row in np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1)).tolist():
        place.note_cell(names[int(np.argmax(gaps[row]))], row, "", "no number, but the row has others of this task")
    if task.kind.several_labels:
        return _structs(numbers, labels)
    for row in np.flatnonzero((numbers == 0).all(axis=1)).tolist():
        place.note_cell(
            names[0], row, 0, "0, as all numbers of the row; if its label is missing, leave all cells empty"
        )
    return _structs(_shares(numbers), labels)


def read_votes(chunk: pa.Table, column: LabelColumn, task: TaskConfig, place: Place) -> np.ndarray:
    """Return (N, C) the number of votes for each label.

    Args:
        chunk: Some rows of a table.
        column: The column of the lists of votes.
        task: The task.
        place: The location of the chunk. It collects the votes that are not labels.
    """
    lists, labels = chunk[column.names[0]].combine_chunks(), task.labels or []
    words, rows = lists.flatten(), pc.list_parent_indices(lists)
    found = places_of(words, labels)
    for i in pc.indices_nonzero(pc.is_null(found)).to_pylist():
        place.note_element(column.names[0], rows[i].as_py(), i, words[i].as_py(), not_among(labels), labels)
    cells = rows.to_numpy() * len(labels) + pc.fill_null(found, 0).to_numpy()
    return np.bincount(cells, minlength=len(lists) * len(labels)).reshape(len(lists), -1).astype(np.float64)


def shares_of_votes(votes: np.ndarray, task: TaskConfig) -> pa.Array:
    """Return (N,) structs of float64 by label from the votes (N, C), null where there are none."""
    return _structs(_shares(votes), task.labels or [])


def votes_columns(votes: dict[str, list[pa.Array | int]], tasks: list[TaskConfig]) -> dict[str, pa.Array]:
    """Return (N,) the column of the shares of the raters for each voted task, by the name of the column.

    Args:
        votes: By task, the shares in each part of the rows, or the number of rows of a part without votes.
        tasks: The tasks.
    """
    columns = {}
    for task in tasks:
        if task.name in votes:
            kind = pa.struct([(label, pa.float64()) for label in task.labels or ()])
            parts = [pa.nulls(each, kind) if isinstance(each, int) else each for each in votes[task.name]]
            columns[votes_column(task.name)] = pa.chunked_array(parts, kind).combine_chunks()
    return columns


def majority_of_votes(votes: np.ndarray, task: TaskConfig) -> pa.Array:
    """Return (N,) the ids of the labels with the most votes (N, C), null for a tie."""
    return _most_probable(shares_of_votes(votes, task), task)


def as_distributions(labels: pa.Array, task: TaskConfig) -> pa.Array:
    """Return (N,) structs of float64 by label: 1 for the labels of a row and 0 for others, null where they are missing.

    Args:
        labels: (N,) ids, or structs of int8 by label.
        task: The task.
    """
    if task.kind.several_labels:
        return labels.cast(pa.struct([(label, pa.float64()) for label in task.labels or ()]))
    columns = [pc.equal(labels, i).cast(pa.int8()).cast(pa.float64()) for i in range(len(task.labels or ()))]
    return pa.StructArray.from_arrays(columns, names=task.labels, mask=labels.is_null())


def with_most_probable(rows: pa.Table, tasks: list[TaskConfig]) -> pa.Table:
    """Return the rows with the most probable label of each task that has distributions, null for a tie.

    A label of a multi-label task is 1 above a probability of 0.5, and 0 below it.
    """
    for task in tasks:
        if distribution_column(task.name) in rows.column_names:
            place = rows.column_names.index(task.name)
            found = _most_probable(rows[distribution_column(task.name)].combine_chunks(), task)
            rows = rows.set_column(place, rows.field(place), found)
    return rows


def _numbers(chunk: pa.Table, name: str, column: LabelColumn, place: Place, highest: float) -> np.ndarray:
    """Return (N,) the numbers of a column, NaN for an empty cell."""
    words = without_words(as_words(chunk[name].combine_chunks(), place.where(name), []), column.missing)
    numbers: np.ndarray = numbers_of_words(words).to_numpy(zero_copy_only=False)
    there = words.is_valid().to_numpy(zero_copy_only=False)
    wrong = there & ~((numbers >= 0) & (numbers <= highest))
    place.note(name, words, pa.array(wrong), f"not a number from 0 to {highest:g}")
    advise_decimal(words, pa.array(wrong), place)
    return np.where(wrong, 1.0, numbers)


def _shares(numbers: np.ndarray) -> np.ndarray:
    """Return numbers (N, C) divided by their sum in each row, NaN for a row of zeros."""
    totals = numbers.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(numbers, totals, out=np.full_like(numbers, np.nan), where=totals > 0)
    return shares


def _structs(numbers: np.ndarray, labels: list[str]) -> pa.StructArray:
    """Return numbers (N, C) as structs, null for a row without numbers."""
    columns = [pa.array(numbers[:, i], pa.float64(), from_pandas=True) for i in range(len(labels))]
    return pa.StructArray.from_arrays(columns, names=labels, mask=pa.array(np.isnan(numbers).all(axis=1)))


def _most_probable(distributions: pa.StructArray, task: TaskConfig) -> pa.Array:
    parts = distributions.flatten()
    if task.kind.several_labels:
        positions = [pc.if_else(pc.equal(part, 0.5), None, pc.greater(part, 0.5).cast(pa.int8())) for part in parts]
        missing = functools.reduce(pc.and_, map(pc.is_null, positions))
        return pa.StructArray.from_arrays(positions, names=task.labels, mask=missing)
    numbers = np.stack([part.to_numpy(zero_copy_only=False) for part in parts], axis=1)
    most = np.max(numbers, axis=1, keepdims=True)
    undecided = np.isnan(numbers).any(axis=1) | ((numbers == most).sum(axis=1) > 1)
    return pa.array(np.argmax(numbers, axis=1), pa.int64(), mask=undecided)
