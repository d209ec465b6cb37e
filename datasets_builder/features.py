"""What the columns of a multi-task table are, and which labels its tasks have.

A label column holds ids of a `ClassLabel` (one of several labels), numbers (a regression), or a struct with one
0 or 1 for each label (multi-label); null is a missing label everywhere.
"""

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, Value

from datasets_builder.columns import SOURCE, TEXT, TEXT_PAIR
from datasets_builder.findings import Findings
from datasets_builder.labels import NUMBER, Place, is_text, occurring_words, read_labels
from datasets_builder.source import LabelColumn, Source
from datasets_builder.tables import Table
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.task_problems_multitask import task_labels_problem, task_list_problem
from modeling_multitask.tasks_multitask import TaskConfig, parse_task
from modeling_multitask.words_multitask import nearest_hint

# What a task says of the tables and a model needs not know; one that is `trained` needs labels in none of them.
TABLE_SETTINGS = ("aliases", "missing", "trained")


@dataclass(frozen=True)
class OpenSource:
    """A source whose tables have been found.

    Args:
        source: With every task's labels named.
        tables: In order.
    """

    source: Source
    tables: list[Table]


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source, as the multi-task table has them.

    Args:
        rows: Those that have a text.
        table: How messages call their table.
        numbers: (rows,) each row's number in its table, counted from 1.
        groups: Each row's group, if the source says one.
        dropped: How many rows had no text.
    """

    rows: pa.Table
    table: str
    numbers: np.ndarray
    groups: list[str] | None
    dropped: int


def table_features(tasks: list[TaskConfig], *, with_pair: bool = False, with_source: bool = False) -> Features:
    """The text, or the pair of texts, then one column for each task, in order, then the source."""
    columns = {TEXT: Value("string")} | ({TEXT_PAIR: Value("string")} if with_pair else {})
    columns |= {task.name: _label_feature(task) for task in tasks}
    return Features(columns | ({SOURCE: Value("int32")} if with_source else {}))


def resolve_tasks(tasks: list[dict[str, Any]], sources: list[OpenSource]) -> list[TaskConfig]:
    """The tasks with their labels: those given, else those that the sources name, else those that occur, sorted.

    Args:
        tasks: Dicts of settings; besides those of a `TaskConfig`, `aliases` and `missing` of all sources, and whether
            it is `trained` already, with the labels that are given, so that no source has to have any.
        sources: Those of the training rows.

    Raises:
        DataError: If a task has labels in no source, the sources disagree, or what occurs cannot be the labels of
            such a task; all of it at once.
        ValueError: If the tasks themselves cannot be.
    """
    if (problem := task_list_problem([task["name"] for task in tasks])) is not None:
        raise ValueError(problem)
    resolved, problems = [], []
    for task in tasks:
        settings = {name: value for name, value in task.items() if name not in TABLE_SETTINGS}
        named_by = [each for each in sources if task["name"] in each.source.label_columns]
        try:
            labels = _labels(settings, named_by) if named_by or not task.get("trained") else None
        except DataError as error:
            problems.append(str(error))
        else:
            resolved.append(parse_task(settings | ({} if labels is None else {"labels": labels})))
    if problems:
        raise DataError("\n".join(problems))
    return resolved


def check_columns_of(source: OpenSource, names: list[str]) -> None:
    """Raises a `DataError` if the source brings labels for none of the tasks of these names, or lacks a column."""
    given = source.source
    for name in given.label_columns:
        if name not in names:
            raise DataError(
                f"{given.name}: labels are given for {name!r}, which is not a task{nearest_hint(name, names)}"
            )
    for table in source.tables:
        table.check_columns(given.columns)
    if not given.label_columns:
        there = ", ".join(map(repr, source.tables[0].columns))
        raise DataError(f"{given.name}: no labels are named, and no column has the name of a task ({there})")


def check_labels_of(source: Source, tasks: list[TaskConfig]) -> None:
    """Raises a `DataError` if the source brings a task's labels in a way that it cannot have."""
    known = {task.name: task for task in tasks}
    for name, column in source.label_columns.items():
        if (problem := _column_problem(column, known[name])) is not None:
            raise DataError(f"{source.name}: {problem}")


def _column_problem(column: LabelColumn, task: TaskConfig) -> str | None:
    labels, several = task.labels or [], task.kind.several_labels
    if len(set(column.names)) < len(column.names):
        return f"task {task.name!r} has a column twice: {column.names}"
    if not several and not isinstance(column.column, str):
        return f"task {task.name!r} is {task.problem_type}; its labels are in one column"
    if not several and column.separator is not None:
        return f"task {task.name!r} is {task.problem_type}; a separator is for multi-label tasks"
    strange = [] if isinstance(column.column, str) else [name for name in column.names if name not in labels]
    if strange:
        return f"column {strange[0]!r} is none of the labels of {task.name!r}: {labels}"
    return None if several or task.kind.is_number else _alias_problem(column, task)


def _alias_problem(column: LabelColumn, task: TaskConfig) -> str | None:
    labels = task.labels or []
    for word, label in column.aliases.items():
        if label not in labels:
            return f"task {task.name!r}: {word!r} is an alias of {label!r}, not of a label{nearest_hint(label, labels)}"
    return None


def encode_cells(source: OpenSource, tasks: list[TaskConfig], findings: Findings) -> Iterator[Chunk]:
    """The source's rows, chunk by chunk; tasks that the source does not name are missing throughout.

    Args:
        source: The source.
        tasks: The tasks, with their labels.
        findings: Where cells that are not one of their task's labels are noted.

    Raises:
        DataError: If a table cannot be read.
    """
    for table in source.tables:
        yield from encode_table(table, source.source, tasks, findings)


def encode_table(table: Table, source: Source, tasks: list[TaskConfig], findings: Findings) -> Iterator[Chunk]:
    """The rows of one of a source's tables; see `encode_cells`."""
    schema = table_features(tasks, with_pair=len(source.texts) == 2).arrow_schema
    columns = source.label_columns
    row = 0
    for cells in table.read(source.columns):
        place = Place(table.name, row, findings)
        labels = [
            read_labels(cells, columns[task.name], task, place)
            if task.name in columns
            else pa.nulls(len(cells), schema.field(task.name).type)
            for task in tasks
        ]
        texts = [_texts(cells, name, table.name) for name in source.texts]
        rows = pa.table([*texts, *labels], schema=schema)
        kept = functools.reduce(pc.and_, (pc.is_valid(text) for text in texts))
        yield Chunk(
            rows.filter(kept),
            table.name,
            row + 1 + np.flatnonzero(kept.to_numpy(zero_copy_only=False)),
            _words_of(cells[source.group], kept) if source.group else None,
            len(cells) - pc.sum(kept).as_py(),
        )
        row += len(cells)


def _words_of(cells: pa.ChunkedArray, kept: pa.Array) -> list[str]:
    return [str(cell) for cell in cells.filter(kept).to_pylist()]


def _labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str] | None:
    """The labels that a task must be given, unless it has them or needs none."""
    name, problem_type = task["name"], task["problem_type"]
    if problem_type not in PROBLEM_TYPES:
        allowed = ", ".join(PROBLEM_TYPES)
        raise ValueError(f"task {name!r}: problem_type is {problem_type!r}; it must be one of {allowed}")
    if not sources:
        raise DataError(f"task {name!r}: no source of the training rows names a column for it")
    if tells_its_labels(task):
        return None
    labels = _named_labels(task, sources)
    if labels is None and PROBLEM_TYPES[problem_type].ordered:
        raise ValueError(f"task {name!r}: {problem_type} needs its labels in order, the lowest first")
    labels = _occurring_labels(task, sources) if labels is None else labels
    if (problem := task_labels_problem(problem_type, labels, None)) is not None:
        where = ", ".join(f"column {_columns(each, name)} of {each.source.name}" for each in sources)
        raise DataError(f"task {name!r}, from {where}: {problem}")
    return labels


def tells_its_labels(task: dict[str, Any]) -> bool:
    """Whether a task needs no table for its labels: they are given, or it is a regression, which has none."""
    return bool(PROBLEM_TYPES[task["problem_type"]].is_number or task.get("labels") or task.get("num_labels"))


def _columns(source: OpenSource, task: str) -> str:
    return " and ".join(map(repr, source.source.label_columns[task].names))


def _named_labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str] | None:
    """The names that a `ClassLabel` gives, if a source has one; what other sources hold must be among them."""
    named: list[tuple[str, list[str]]] = []
    for each in sources:
        column = each.source.label_columns[task["name"]]
        for table in each.tables:
            names = table.class_names(column.column) if isinstance(column.column, str) else None
            if names is not None:
                named.append((table.name, [column.aliases.get(name, name) for name in names]))
    if not named:
        return None
    first = named[0][1]
    if any(names != first for _, names in named):
        lists = "; ".join(f"{table} names {', '.join(map(repr, names))}" for table, names in named)
        raise DataError(
            f"task {task['name']!r}: the sources name its labels differently; list them in the task ({lists})"
        )
    return list(dict.fromkeys(first))


def _occurring_labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str]:
    where: dict[str, str] = {}  # in which table each label was seen first
    for each in sources:
        column = each.source.label_columns[task["name"]]
        for table in each.tables:
            for chunk in table.read(column.names):
                for word in occurring_words(chunk, column, task["problem_type"], table.name):
                    where.setdefault(word, table.name)
    _check_spellings(task["name"], where)
    _check_whole(task["name"], where)
    if PROBLEM_TYPES[task["problem_type"]].several_labels:
        if not isinstance(column.column, str):
            return list(where)  # the columns, in the order in which they are named
        _check_no_positions(task["name"], where)
    return sorted(where, key=_sort_key(list(where)))


def _check_spellings(task: str, where: dict[str, str]) -> None:
    alike = defaultdict(list)
    for word in sorted(where):
        alike[_folded(word)].append(word)
    if several := [words for words in alike.values() if len(words) > 1]:
        pairs = "; ".join(" and ".join(f"{word!r} ({where[word]})" for word in words) for words in several)
        raise DataError(
            f"task {task!r}: these look like one label in several spellings: {pairs}; give the task aliases "
            "({spelling: label}), or list its labels"
        )


def _folded(word: str) -> str:
    """The same for words that differ in what one does not see: case, spaces, how letters or a number are written."""
    if re.fullmatch(r"\s*[+-]?\d{16,}\s*", word):  # more than a float tells apart
        return word.strip()
    if re.fullmatch(NUMBER, word):
        return str(float(word))
    visible = (letter for letter in unicodedata.normalize("NFKC", word) if unicodedata.category(letter) != "Cf")
    return " ".join("".join(visible).split()).casefold()


def _check_no_positions(task: str, where: dict[str, str]) -> None:
    if where and where.keys() <= {"0", "1"}:
        table = next(iter(where.values()))
        raise DataError(
            f"task {task!r}: the lists of {table} hold nothing but 0 and 1; if these say of each label whether it "
            "holds, give one column for each label, else list the labels"
        )


def _check_whole(task: str, where: dict[str, str]) -> None:
    numbers = [word for word in where if re.fullmatch(NUMBER, word) or word in ("inf", "-inf")]
    fractions = [word for word in numbers if not float(word).is_integer()]
    if fractions and len(numbers) == len(where):
        raise DataError(
            f"task {task!r}: its labels are numbers with fractions, such as {fractions[0]!r} ({where[fractions[0]]}); "
            "if it is a regression, say so by its problem_type, else list its labels"
        )


def _are_numbers(words: list[str]) -> bool:
    return all(re.fullmatch(NUMBER, word) for word in words)


def _sort_key(words: list[str]) -> Any:
    """Numbers are sorted as numbers."""
    return float if _are_numbers(words) else str


def _label_feature(task: TaskConfig) -> Any:
    if task.kind.is_number:
        return Value("float32")
    if task.kind.several_labels:
        return {label: Value("int8") for label in task.labels or ()}
    return ClassLabel(names=task.labels)


def _texts(chunk: pa.Table, name: str, table: str) -> pa.Array:
    cells = chunk[name].combine_chunks()
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if not (is_text(cells.type) or pa.types.is_null(cells.type)):
        raise DataError(f"{table}, column {name!r}: holds {cells.type}, not texts")
    return cells.cast(pa.string())
