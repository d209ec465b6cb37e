"""What the columns of a multi-task table are, and how the cells of a source become them.

A label column holds ids of a `ClassLabel` (one of several labels), numbers (a regression), or a struct with one
0 or 1 for each label (multi-label); null is a missing label everywhere.
"""

import functools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, Value

from modeling_multitask.configuration_multitask import (
    PROBLEM_TYPES,
    TaskConfig,
    nearest_hint,
    parse_task,
    task_labels_problem,
    task_list_problem,
)

from .columns import SOURCE, TEXT
from .sources import DataError, Source, read_source

MAX_SHOWN = 10  # wrong cells that one message lists


def table_features(tasks: list[TaskConfig], *, with_source: bool = False) -> Features:
    """The text, then one column for each task, in order, then the source."""
    columns = {TEXT: Value("string"), **{task.name: _label_feature(task) for task in tasks}}
    return Features(columns | ({SOURCE: Value("int32")} if with_source else {}))


def resolve_tasks(tasks: list[dict[str, Any]], sources: list[Source]) -> list[TaskConfig]:
    """The tasks with their labels: those they were given, else those that occur in the sources, sorted.

    Raises:
        DataError: If a task has labels in no source, or what occurs cannot be the labels of such a task.
        ValueError: If the tasks themselves cannot be.
    """
    if (problem := task_list_problem([task["name"] for task in tasks])) is not None:
        raise ValueError(problem)
    return [_resolve_task(dict(task), [each for each in sources if task["name"] in each.labels]) for task in tasks]


def check_labels_of(source: Source, tasks: list[TaskConfig]) -> None:
    """Raises a `DataError` if the source brings labels for what is not a task, or not a label of one."""
    known = {task.name: task for task in tasks}
    for name, columns in source.labels.items():
        if name not in known:
            hint = nearest_hint(name, list(known))
            raise DataError(f"{source.path}: labels are given for {name!r}, which is not a task{hint}")
        if known[name].problem_type != "multi_label_classification":
            continue
        if strange := [column for column in columns if column not in (known[name].labels or ())]:
            raise DataError(
                f"{source.path}: column {strange[0]!r} is none of the labels of {name!r}: {known[name].labels}"
            )


def encode_source(source: Source, tasks: list[TaskConfig]) -> Iterator[pa.Table]:
    """The source's rows as chunks of the multi-task table; tasks it does not name are missing throughout.

    Raises:
        DataError: If a cell is not one of its task's labels; the message names the first ones, with their rows.
    """
    schema = table_features(tasks).arrow_schema
    row = 0
    for chunk in read_source(source):
        wrong: list[str] = []
        columns = [_text_column(chunk[source.text])]
        for task in tasks:
            given = source.labels.get(task.name)
            columns.append(
                pa.nulls(len(chunk), schema.field(task.name).type)
                if given is None
                else _label_column(chunk, given, task, row, wrong)
            )
        if wrong:
            raise DataError(_wrong_cells(source, wrong))
        yield pa.table(columns, schema=schema)
        row += len(chunk)


def drop_null_texts(table: pa.Table) -> tuple[pa.Table, int]:
    """The rows that have a text, and how many had none; an empty text is a text."""
    kept = table.filter(pc.is_valid(table[TEXT]))
    return kept, len(table) - len(kept)


def _resolve_task(task: dict[str, Any], sources: list[Source]) -> TaskConfig:
    if task["problem_type"] not in PROBLEM_TYPES:
        given, allowed = task["problem_type"], ", ".join(PROBLEM_TYPES)
        raise ValueError(f"task {task['name']!r}: problem_type is {given!r}; it must be one of {allowed}")
    if not sources:
        raise DataError(f"task {task['name']!r}: no source of the training rows names a column for it")
    if task["problem_type"] == "ordinal_regression" and not (task.get("labels") or task.get("num_labels")):
        raise ValueError(f"task {task['name']!r}: ordinal_regression needs its labels in order, the lowest first")
    if task["problem_type"] != "regression" and not (task.get("labels") or task.get("num_labels")):
        task["labels"] = _occurring_labels(task, sources)
        problem = task_labels_problem(task["problem_type"], task["labels"], None)
        if problem is not None:
            where = ", ".join(f"column {source.labels[task['name']]!r} of {source.path}" for source in sources)
            raise DataError(f"task {task['name']!r}, from {where}: {problem}")
    return parse_task(task)


def _occurring_labels(task: dict[str, Any], sources: list[Source]) -> list[str]:
    if task["problem_type"] == "multi_label_classification":
        return list(dict.fromkeys(name for source in sources for name in source.labels[task["name"]]))
    occurring: set[str] = set()
    for source in sources:
        for chunk in read_source(source):
            occurring.update(pc.unique(chunk[source.labels[task["name"]]]).to_pylist())
    return sorted(occurring - {""})


def _label_feature(task: TaskConfig) -> Any:
    if task.problem_type == "regression":
        return Value("float32")
    if task.problem_type == "multi_label_classification":
        return {label: Value("int8") for label in task.labels or ()}
    return ClassLabel(names=task.labels)


def _text_column(cells: pa.ChunkedArray) -> pa.Array:
    return cells.combine_chunks().cast(pa.string())


def _label_column(chunk: pa.Table, given: Any, task: TaskConfig, row: int, wrong: list[str]) -> pa.Array:
    if task.problem_type == "multi_label_classification":
        return _positions(chunk, given, task.labels or [], row, wrong)
    if task.problem_type == "regression":
        return _numbers(chunk[given], row, given, wrong)
    return _class_ids(chunk[given], task.labels or [], row, given, wrong)


def _positions(chunk: pa.Table, given: list[str], labels: list[str], row: int, wrong: list[str]) -> pa.Array:
    columns = [
        _class_ids(chunk[label], ["0", "1"], row, label, wrong).cast(pa.int8())
        if label in given
        else pa.nulls(len(chunk), pa.int8())
        for label in labels
    ]
    missing = functools.reduce(pc.and_, map(pc.is_null, columns))  # a row without any position has no label
    return pa.StructArray.from_arrays(columns, names=labels, mask=missing)


def _class_ids(cells: pa.ChunkedArray, labels: list[str], row: int, column: str, wrong: list[str]) -> pa.Array:
    cells = _empty_as_null(cells)
    ids = pc.index_in(cells, value_set=pa.array(labels, pa.string())).cast(pa.int64())
    unknown = pc.and_(pc.is_null(ids), pc.is_valid(cells))
    _note_wrong(cells, unknown, row, column, f"not one of {', '.join(map(repr, labels))}", wrong)
    return ids


def _numbers(cells: pa.ChunkedArray, row: int, column: str, wrong: list[str]) -> pa.Array:
    cells = _empty_as_null(cells)
    numeric = pc.match_substring_regex(cells, r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
    numbers = pc.cast(pc.utf8_trim_whitespace(pc.if_else(numeric, cells, None)), pa.float64()).cast(pa.float32())
    usable = pc.fill_null(pc.and_kleene(numeric, pc.fill_null(pc.is_finite(numbers), True)), True)
    _note_wrong(cells, pc.invert(usable), row, column, "not a number", wrong)
    return numbers


def _empty_as_null(cells: pa.ChunkedArray) -> pa.Array:
    array = cells.combine_chunks().cast(pa.string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _note_wrong(cells: pa.Array, mask: pa.Array, row: int, column: str, why: str, wrong: list[str]) -> None:
    wrong += [
        f"row {row + i + 1}, column {column!r}: {cells[i].as_py()!r} is {why}"
        for i in pc.indices_nonzero(mask).to_pylist()
    ]


def _wrong_cells(source: Source, wrong: list[str]) -> str:
    shown = "".join(f"\n  {each}" for each in wrong[:MAX_SHOWN])
    more = f"\n  and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
    return f"{source.path} has labels that cannot be used (row 1 is the first below the header):{shown}{more}"
