"""The columns of a multi-task table.

A label column holds the ids of a `ClassLabel` (single-label), numbers (regression), or a struct with a 0 or 1 for each
label (multi-label). Null always means a missing label. A task with soft labels has a second column with the number of
each label, and its first one has the most probable label.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Features, Value

from datasets_builder.agreement import coincidences
from datasets_builder.cell_words import cell_word
from datasets_builder.columns import LINE, SOURCE, TABLE, TEXT, TEXT_PAIR, WEIGHT, distribution_column, votes_column
from datasets_builder.findings import Findings
from datasets_builder.label_lists import ListForm, form_of_column
from datasets_builder.labels import read_labels
from datasets_builder.places import Place
from datasets_builder.row_places import place_features
from datasets_builder.soft_labels import (
    as_distributions,
    majority_of_votes,
    read_soft_labels,
    read_votes,
    shares_of_votes,
    with_most_probable,
)
from datasets_builder.source import LabelColumn, Source
from datasets_builder.sources import OpenSource
from datasets_builder.tables import Table
from datasets_builder.texts import rows_with_text, table_texts
from datasets_builder.weights import row_weights
from modeling_multitask.errors import DataError
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.words_multitask import nearest_hint

# The columns that a task could be called like, in words. `TaskConfig` refuses the names of the others.
_MEANINGS = {
    TEXT_PAIR: "the second text",
    WEIGHT: "the weight of each row",
    TABLE: "the table of each row",
    LINE: "the line of each row",
}


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source, with the columns of the multi-task table.

    Args:
        rows: The rows that have a text.
        table: The name of their table in messages.
        numbers: (rows,) each row's number in its table, counted from 1.
        lines: (rows,) each row's line in its table, counted from 1.
        groups: Each row's group, if the source has a group column.
        dropped: Number of rows that are left out, by reason.
        weights: (rows,) each row's weight, NaN if the source has none.
        agreement: The coincidences of the votes of each task that has several raters.
        votes: By task, the shares of the raters for each label, (rows,) structs, if their majority is the label.
    """

    rows: pa.Table
    table: str
    numbers: np.ndarray
    lines: np.ndarray
    groups: list[str] | None
    dropped: Counter[str]
    weights: np.ndarray
    agreement: dict[str, np.ndarray]
    votes: dict[str, pa.Array]


def table_features(
    tasks: list[TaskConfig],
    *,
    soft: Collection[str] = (),
    with_pair: bool = False,
    with_weight: bool = False,
    with_source: bool = False,
    tables: list[str] | None = None,
    voted: Collection[str] = (),
) -> Features:
    """Return the features: the text or texts, a column for each task in order, and the other columns.

    Args:
        tasks: The tasks with their labels.
        soft: The names of the tasks with soft labels.
        with_pair: Whether the rows are pairs of texts.
        with_weight: Whether there is a column for the weight of each row.
        with_source: Whether there is a column for the number of each row's source.
        tables: The names of all tables, if there are columns for the place of each row.
        voted: The names of the tasks with columns for the votes of each row.

    Raises:
        DataError: If a task has the name of another column.
    """
    texts = {TEXT: Value("string")} | ({TEXT_PAIR: Value("string")} if with_pair else {})
    labels = {task.name: _label_feature(task) for task in tasks}
    labels |= {distribution_column(task.name): _shares_feature(task) for task in tasks if task.name in soft}
    others = {WEIGHT: Value("float64")} if with_weight else {}
    others |= {SOURCE: Value("int32")} if with_source else {}
    others |= {} if tables is None else place_features(tables)
    votes = {votes_column(task.name): _shares_feature(task) for task in tasks if task.name in voted}
    if taken := [task.name for task in tasks if task.name in votes]:
        raise DataError(f"a task is called {taken[0]!r}, which is the column of the votes of another task; rename it")
    if taken := [task.name for task in tasks if task.name in texts | others]:
        raise DataError(f"a task is called {taken[0]!r}, which is the column of {_MEANINGS[taken[0]]}; rename it")
    return Features(texts | labels | others | votes)


def check_columns_of(source: OpenSource, names: list[str]) -> None:
    """Raise a `DataError` if the source has labels for an unknown task or for no task, or lacks a column."""
    given = source.source
    for name in source.soft:
        if distribution_column(name) in names:
            raise DataError(
                f"a task is called {distribution_column(name)!r}, the column of the soft labels of {name!r}; rename it"
            )
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
    if column.is_soft:
        return _soft_problem(column, task)
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


def _soft_problem(column: LabelColumn, task: TaskConfig) -> str | None:
    if task.kind.is_number:
        return f"task {task.name!r} is {task.problem_type}; soft labels are for tasks with labels; name its column"
    if (by_label := column.soft_by_label) is None:
        return None
    labels = task.labels or []
    if strange := [label for label in by_label if label not in labels]:
        return f"soft names {strange[0]!r}, which is not a label of {task.name!r}{nearest_hint(strange[0], labels)}"
    if lacking := [label for label in labels if label not in by_label]:
        return f"soft lacks the label {lacking[0]!r} of {task.name!r}; it must name the column of every label"
    return None


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
        yield from encode_table(table, source, tasks, findings)


def encode_table(table: Table, opened: OpenSource, tasks: list[TaskConfig], findings: Findings) -> Iterator[Chunk]:
    """Yield the rows of one of a source's tables, as `encode_cells` does."""
    source = opened.source
    schema = table_features(tasks, soft=opened.soft, with_pair=len(source.texts) == 2).arrow_schema
    columns = source.label_columns
    forms = {task.name: _list_form(table, columns[task.name], task) for task in tasks if task.name in columns}
    if table.advice:
        findings.advise(table.name, table.advice)
    for cells, numbers, lines, rows_of_votes in table.read_rows(source.read_columns):
        place = Place(table.name, findings, numbers, rows_of_votes)
        votes = {
            task.name: read_votes(cells, columns[task.name], task, place)
            for task in tasks
            if task.name in columns and columns[task.name].counted
        }
        labels, distributions = _read(cells, opened, tasks, place, forms, votes, schema)
        texts = [table_texts(cells, name, table.name) for name in source.texts]
        rows = with_most_probable(pa.table([*texts, *labels, *distributions], schema=schema), tasks)
        kept, dropped = rows_with_text(texts, source.missing_text)
        places = kept.to_numpy(zero_copy_only=False)
        weights = row_weights(cells, source.weight, place) if source.weight else np.full(len(cells), np.nan)
        yield Chunk(
            rows.filter(kept),
            table.name,
            numbers[places],
            lines[places],
            _words_of(cells[source.group], kept) if source.group else None,
            dropped,
            weights[places],
            {name: coincidences(each[places]) for name, each in votes.items()},
            {
                task.name: shares_of_votes(votes[task.name][places], task)
                for task in tasks
                if task.name in votes and not columns[task.name].is_soft
            },
        )


def _read(
    cells: pa.Table,
    opened: OpenSource,
    tasks: list[TaskConfig],
    place: Place,
    forms: dict[str, ListForm | None],
    votes: dict[str, np.ndarray],
    schema: pa.Schema,
) -> tuple[list[pa.Array], list[pa.Array]]:
    """Return the labels of each task, and the distributions of those with soft labels. Soft ones have no labels yet."""
    columns = opened.source.label_columns
    labels, distributions = [], []
    for task in tasks:
        column, counted = columns.get(task.name), votes.get(task.name)
        own, soft = pa.nulls(len(cells), schema.field(task.name).type), None
        if column is None:
            pass
        elif counted is not None and column.is_soft:
            soft = shares_of_votes(counted, task)
        elif counted is not None:
            own = majority_of_votes(counted, task)
        elif column.is_soft:
            soft = read_soft_labels(cells, column, task, place)
        else:
            own = read_labels(cells, column, task, place, forms[task.name])
        labels.append(own)
        if task.name in opened.soft:
            distributions.append(as_distributions(own, task) if soft is None else soft)
    return labels, distributions


def _list_form(table: Table, column: LabelColumn, task: TaskConfig) -> ListForm | None:
    if not task.kind.several_labels or column.by_label is not None or column.is_soft or column.counted:
        return None
    return form_of_column(table, column.names[0], task.labels or [], [*map(str, (*column.missing, *column.none))])


def _words_of(cells: pa.ChunkedArray, kept: pa.Array) -> list[str]:
    return [str(cell) for cell in cells.filter(kept).to_pylist()]


def _shares_feature(task: TaskConfig) -> dict[str, Value]:
    return {label: Value("float64") for label in task.labels or ()}


def _label_feature(task: TaskConfig) -> Any:
    if task.kind.is_number:
        return Value("float32")
    if task.kind.several_labels:
        return {label: Value("int8") for label in task.labels or ()}
    return ClassLabel(names=task.labels)
