"""The columns of a multi-task table.

A label column holds the ids of a `ClassLabel` (single-label), numbers (regression), or a struct with a 0 or 1 for each
label (multi-label). Null always means a missing label.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Features, Value

from datasets_builder.cell_words import cell_word
from datasets_builder.columns import SOURCE, TEXT, TEXT_PAIR, WEIGHT
from datasets_builder.findings import Findings
from datasets_builder.label_lists import ListForm, form_of_column
from datasets_builder.labels import read_labels
from datasets_builder.places import Place
from datasets_builder.source import LabelColumn, Source
from datasets_builder.sources import OpenSource
from datasets_builder.tables import Table
from datasets_builder.texts import rows_with_text, table_texts
from datasets_builder.weights import row_weights
from modeling_multitask.errors import DataError
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.words_multitask import nearest_hint


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source, with the columns of the multi-task table.

    Args:
        rows: The rows that have a text.
        table: The name of their table in messages.
        numbers: (rows,) each row's number in its table, counted from 1.
        groups: Each row's group, if the source has a group column.
        dropped: Number of rows that are left out, by reason.
        weights: (rows,) each row's weight, NaN if the source has none.
    """

    rows: pa.Table
    table: str
    numbers: np.ndarray
    groups: list[str] | None
    dropped: Counter[str]
    weights: np.ndarray


def table_features(
    tasks: list[TaskConfig], *, with_pair: bool = False, with_weight: bool = False, with_source: bool = False
) -> Features:
    """Return the features: the text or texts, a column for each task in order, the weight and the source."""
    columns = {TEXT: Value("string")} | ({TEXT_PAIR: Value("string")} if with_pair else {})
    columns |= {task.name: _label_feature(task) for task in tasks}
    columns |= {WEIGHT: Value("float64")} if with_weight else {}
    return Features(columns | ({SOURCE: Value("int32")} if with_source else {}))


def check_columns_of(source: OpenSource, names: list[str]) -> None:
    """Raise a `DataError` if the source has labels for an unknown task or for no task, or lacks a column.

    A task must not have the name of a text column either.
    """
    given = source.source
    if len(given.texts) == 2 and TEXT_PAIR in names:
        raise DataError(f"a task is called {TEXT_PAIR!r}, which is the column of the second text; rename it")
    for name in given.label_columns:
        if name not in names:
            raise DataError(
                f"{given.name}: labels are given for {name!r}, which is not a task{nearest_hint(name, names)}"
            )
    for table in source.tables:
        table.check_columns(given.read_columns)
    if not given.label_columns:
        there = ", ".join(map(repr, source.tables[0].columns))
        raise DataError(
            f"{given.name}: source.labels is not given, and no column has the name of a task; its columns are {there}; "
            "set source.labels to the column of each task"
        )


def check_labels_of(source: Source, tasks: list[TaskConfig]) -> None:
    """Raise a `DataError` if the settings of a label column do not fit its task."""
    known = {task.name: task for task in tasks}
    for name, column in source.label_columns.items():
        if (problem := _column_problem(column, known[name])) is not None:
            raise DataError(f"{source.name}: {problem}")


def _column_problem(column: LabelColumn, task: TaskConfig) -> str | None:
    labels, several = task.labels or [], task.kind.several_labels
    if len(set(column.names)) < len(column.names):
        return f"task {task.name!r} has the same column twice: {column.names}"
    if not several and column.by_label is not None:
        return f"task {task.name!r} is {task.problem_type}; its labels must be in one column"
    if not several and column.separator is not None:
        what = "a separator is only for multi-label tasks; remove it, or add the `level` that is the label"
        return f"task {task.name!r} is {task.problem_type}; {what}"
    strange = [label for label in column.by_label or {} if label not in labels]
    if strange:
        return f"column {strange[0]!r} is not one of the labels of {task.name!r}: {labels}"
    if not several and (column.none or column.blank == "none"):
        word = "none" if column.none else "blank"
        return f"task {task.name!r} is {task.problem_type}; {word} is for the empty set of multi-label tasks; remove it"
    return None if several or task.kind.is_number else _alias_problem(column, task)


def _alias_problem(column: LabelColumn, task: TaskConfig) -> str | None:
    labels = task.labels or []
    words = {*labels, *map(cell_word, labels)}
    for word, label in column.aliases.items():
        if label not in words:
            return f"task {task.name!r}: {word!r} is an alias of {label!r}, not of a label{nearest_hint(label, labels)}"
    return None


def encode_cells(source: OpenSource, tasks: list[TaskConfig], findings: Findings) -> Iterator[Chunk]:
    """Yield the source's rows in chunks. Tasks that the source does not name have no labels in them.

    Args:
        source: The source.
        tasks: The tasks with their labels.
        findings: Collects the cells that are not one of their task's labels.

    Raises:
        DataError: If a table cannot be read.
    """
    for table in source.tables:
        yield from encode_table(table, source.source, tasks, findings)


def encode_table(table: Table, source: Source, tasks: list[TaskConfig], findings: Findings) -> Iterator[Chunk]:
    """Yield the rows of one of a source's tables, as `encode_cells` does."""
    schema = table_features(tasks, with_pair=len(source.texts) == 2).arrow_schema
    columns = source.label_columns
    forms = {task.name: _list_form(table, columns[task.name], task) for task in tasks if task.name in columns}
    for cells, numbers, _ in table.read_rows(source.read_columns):
        place = Place(table.name, 0, findings, numbers)
        labels = [
            read_labels(cells, columns[task.name], task, place, forms[task.name])
            if task.name in columns
            else pa.nulls(len(cells), schema.field(task.name).type)
            for task in tasks
        ]
        texts = [table_texts(cells, name, table.name) for name in source.texts]
        rows = pa.table([*texts, *labels], schema=schema)
        kept, dropped = rows_with_text(texts, source.missing_text)
        places = kept.to_numpy(zero_copy_only=False)
        weights = row_weights(cells, source.weight, place) if source.weight else np.full(len(cells), np.nan)
        yield Chunk(
            rows.filter(kept),
            table.name,
            numbers[places],
            _words_of(cells[source.group], kept) if source.group else None,
            dropped,
            weights[places],
        )


def _list_form(table: Table, column: LabelColumn, task: TaskConfig) -> ListForm | None:
    if not task.kind.several_labels or column.by_label is not None:
        return None
    return form_of_column(table, column.names[0], task.labels or [], [*map(str, (*column.missing, *column.none))])


def _words_of(cells: pa.ChunkedArray, kept: pa.Array) -> list[str]:
    return [str(cell) for cell in cells.filter(kept).to_pylist()]


def _label_feature(task: TaskConfig) -> Any:
    if task.kind.is_number:
        return Value("float32")
    if task.kind.several_labels:
        return {label: Value("int8") for label in task.labels or ()}
    return ClassLabel(names=task.labels)
