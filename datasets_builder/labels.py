"""Convert the cells of a table to class ids, numbers, or zeros and ones, with null where a label is missing.

A cell of any type is first converted to a word. The number 1, the number 1.0 (pandas stores integers with gaps as
floats) and the text `1` all become the word "1". The truth value true becomes "true".
"""

import functools
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.chunks import relisted
from datasets_builder.findings import MAX_SHOWN, Findings
from datasets_builder.label_lists import (
    ListForm,
    are_lists_of_numbers,
    have_numbers,
    is_list,
    multi_hot_entries,
    names_of_ids,
    with_repeats,
)
from datasets_builder.source import LabelColumn
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.words_multitask import nearest_hint

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
POSITIONS = {"0": 0, "1": 1, "false": 0, "true": 1}  # the cells of a column for one label of a multi-label task


@dataclass(frozen=True)
class Place:
    """The location of a chunk, for messages.

    Args:
        table: The name of the table in messages.
        first_row: The number of the chunk's first row, counted from 0.
        findings: Collects the wrong cells.
    """

    table: str
    first_row: int
    findings: Findings

    def note(self, column: str, cells: pa.Array, wrong: pa.Array, why: str, labels: list[str] | None = None) -> None:
        """Add the wrong cells to the findings, with a suggestion if a label is similar."""
        rows = pc.indices_nonzero(wrong).to_pylist()
        shown = [(row, cells[row].as_py()) for row in rows[:MAX_SHOWN]]
        messages = [
            f"row {self.first_row + row + 1}, column {column!r}: {given!r} is {why}{nearest_hint(given, labels or [])}"
            for row, given in shown
        ]
        if messages:
            self.findings.add(self.table, messages, len(rows))


def read_labels(
    chunk: pa.Table, column: LabelColumn, task: TaskConfig, place: Place, form: ListForm | None = None
) -> pa.Array:
    """Return (rows,) a chunk's labels of a task: int64 ids, float32 numbers, or structs of int8 by label.

    Args:
        chunk: Some rows of a table.
        column: The column of the labels.
        task: The task.
        place: The location of the chunk.
        form: How the column's lists of numbers are written, see `form_of_column`.

    Raises:
        DataError: If the type of a column cannot hold labels.
    """
    if task.kind.is_number:
        return _numbers(chunk, column, task, place)
    if task.kind.several_labels:
        return _positions(chunk, column, task.labels or [], place, form)
    name = column.names[0]
    return _ids(_words(chunk, name, column, place.table), task, name, place)


def occurring_words(chunk: pa.Table, column: LabelColumn, problem_type: str, table: str) -> list[str]:
    """Return the labels in a chunk for a task with classes. If the labels are columns, they keep their order.

    Raises:
        DataError: If the type of a column cannot hold labels.
    """
    if not isinstance(column.column, str):
        return column.names
    name = column.column
    if not PROBLEM_TYPES[problem_type].several_labels:
        return pc.unique(_words(chunk, name, column, table)).drop_null().to_pylist()
    if pa.types.is_struct(chunk[name].type):
        return [field.name for field in chunk[name].type]
    words = pc.unique(_label_lists(chunk, name, column, table).flatten()).drop_null().to_pylist()
    # A mark for a missing label is not a label. Inside a list it is an error, which is reported later with its row.
    return [word for word in words if word not in ("", *column.missing)]


def _words(chunk: pa.Table, name: str, column: LabelColumn, table: str) -> pa.Array:
    """Return each cell as a word, with aliases replaced and null where the label is missing."""
    cells = _as_text(chunk[name].combine_chunks(), f"{table}, column {name!r}")
    missing = pa.array(["", *column.missing], pa.string())
    cells = pc.if_else(pc.is_in(cells, missing), pa.scalar(None, pa.string()), cells)
    return _without_aliases(cells, column)


def _without_aliases(words: pa.Array, column: LabelColumn) -> pa.Array:
    if not column.aliases:
        return words
    found = pc.index_in(words, pa.array(list(column.aliases), pa.string()))
    return pc.coalesce(pa.array(list(column.aliases.values()), pa.string()).take(found), words)


def _as_text(cells: pa.Array, where: str) -> pa.Array:
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    kind = cells.type
    if pa.types.is_float16(kind):  # few Arrow functions support it
        cells, kind = cells.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, kind), cells)
        whole = pc.and_(pc.less(pc.abs(cells), 2.0**53), pc.equal(pc.floor(cells), cells))
        return pc.coalesce(pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string()), cells.cast(pa.string()))
    if is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return cells.cast(pa.string())
    raise DataError(f"{where}: holds {kind}, which cannot be labels of this task")


def _ids(words: pa.Array, task: TaskConfig, name: str, place: Place) -> pa.Array:
    labels = task.labels or []
    ids = pc.index_in(words, pa.array(labels, pa.string()))
    if labels == [f"LABEL_{i}" for i in range(len(labels))]:  # num_labels was given instead of names
        ids = pc.coalesce(ids, pc.index_in(words, pa.array(map(str, range(len(labels))), pa.string())))
    unknown = pc.and_(pc.is_null(ids), pc.is_valid(words))
    place.note(name, words, unknown, _not_among(labels), labels if len(labels) > MAX_SHOWN else None)
    return ids.cast(pa.int64())


def _not_among(labels: list[str]) -> str:
    if len(labels) > MAX_SHOWN:
        return f"not one of the task's {len(labels)} labels"
    return f"not one of {', '.join(map(repr, labels))}"


def _numbers(chunk: pa.Table, column: LabelColumn, task: TaskConfig, place: Place) -> pa.Array:
    name = column.names[0]
    cells = chunk[name].combine_chunks()
    kind = cells.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if pa.types.is_decimal(kind) or (numeric and not column.aliases):
        words, numbers = cells.cast(pa.string()), cells.cast(pa.float64(), safe=False)
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    elif numeric or is_text(kind) or pa.types.is_null(kind) or pa.types.is_dictionary(kind):
        words = _words(chunk, name, column, place.table)
        read = pc.match_substring_regex(words, NUMBER)
        place.note(name, words, pc.fill_null(pc.invert(read), False), "not a number")
        numbers = pc.cast(pc.utf8_trim_whitespace(pc.if_else(read, words, None)), pa.float64())
    else:
        raise DataError(f"{place.table}, column {name!r}: holds {kind}, not numbers")
    missing = pa.array([float(word) for word in column.missing if pc.match_substring_regex(word, NUMBER).as_py()])
    numbers = pc.if_else(pc.is_in(numbers, missing.cast(pa.float64())), pa.scalar(None, pa.float64()), numbers)
    numbers = numbers.cast(pa.float32(), safe=False)
    place.note(name, words, pc.fill_null(pc.invert(pc.is_finite(numbers)), False), "not a finite number in float32")
    if task.transform == "log1p":
        place.note(name, words, pc.fill_null(pc.less(numbers, 0), False), "below 0, which transform: log1p refuses")
    return numbers


def _positions(
    chunk: pa.Table, column: LabelColumn, labels: list[str], place: Place, form: ListForm | None
) -> pa.Array:
    if not isinstance(column.column, str):
        positions = {name: _position(chunk, name, column, place) for name in column.column}
    elif pa.types.is_struct(chunk[column.column].type):
        positions = _of_structs(chunk[column.column].combine_chunks(), column, labels, place)
    elif form == "multi_hot" and are_lists_of_numbers(chunk[column.column].type):
        positions = _of_multi_hot(chunk[column.column].combine_chunks(), column, labels, place)
    else:
        lists = _label_lists(chunk, column.column, column, place.table)
        if form == "ids" and are_lists_of_numbers(chunk[column.column].type):
            cells = chunk[column.column].combine_chunks()
            place.note(column.column, cells, with_repeats(cells), "a list with a number twice, but others are ids")
            # As for a single label, numbers are names if there are such names.
            lists = lists if column.aliases or have_numbers(labels) else names_of_ids(lists, labels)
        return _of_lists(lists, labels, column.column, place)
    columns = [positions.get(label, pa.nulls(len(chunk), pa.int8())) for label in labels]
    missing = functools.reduce(pc.and_, map(pc.is_null, columns))  # a row without any 0 or 1 has no label
    return pa.StructArray.from_arrays(columns, names=labels, mask=missing)


def _position(chunk: pa.Table, name: str, column: LabelColumn, place: Place) -> pa.Array:
    words = _words(chunk, name, column, place.table)
    found = pc.index_in(pc.utf8_lower(words), pa.array(list(POSITIONS), pa.string()))
    place.note(name, words, pc.and_(pc.is_null(found), pc.is_valid(words)), "neither '0' nor '1'")
    return pa.array(list(POSITIONS.values()), pa.int8()).take(found)


def _of_structs(cells: pa.StructArray, column: LabelColumn, labels: list[str], place: Place) -> dict[str, pa.Array]:
    names = [field.name for field in cells.type]
    if unknown := [name for name in names if name not in labels]:
        raise DataError(
            f"{place.table}, column {column.column!r}: {unknown[0]!r} is {_not_among(labels)}"
            f"{nearest_hint(unknown[0], labels)}"
        )
    # Where the whole struct is null, `flatten` returns null fields. `field` does not.
    fields = pa.table(cells.flatten(), names=names)
    return {name: _position(fields, name, column, place) for name in names}


def _of_multi_hot(lists: pa.Array, column: LabelColumn, labels: list[str], place: Place) -> dict[str, pa.Array]:
    entries, wrong = multi_hot_entries(lists, labels)
    place.note(str(column.column), lists, wrong, f"not a list of zeros and ones for {len(labels)} labels")
    return {label: _position(entries, label, column, place) for label in labels}


def _label_lists(chunk: pa.Table, name: str, column: LabelColumn, table: str) -> pa.ListArray:
    """Return the labels of each row as a list of words, null where they are missing."""
    cells = chunk[name].combine_chunks()
    where = f"{table}, column {name!r}"
    if is_list(cells.type):
        if pa.types.is_nested(cells.type.value_type):
            raise DataError(f"{where}: holds {cells.type}, not lists of labels")
        return relisted(cells, _without_aliases(_as_text(cells.flatten(), where), column))
    if pa.types.is_null(cells.type):
        return pa.nulls(len(cells), pa.list_(pa.string()))
    if column.separator is None:
        raise DataError(
            f"{where}: holds {cells.type}; a multi-label task needs lists, one column for each of its labels, "
            "or a separator: {column: ..., separator: ';'}"
        )
    missing = LabelColumn(name, missing=column.missing)  # aliases apply to single labels, not to the whole cell
    parts = pc.split_pattern(_words(chunk, name, missing, table), column.separator)
    words = _without_aliases(pc.utf8_trim_whitespace(parts.flatten()), column)
    return pa.ListArray.from_arrays(parts.offsets, words, mask=parts.is_null())


def _of_lists(lists: pa.ListArray, labels: list[str], name: str, place: Place) -> pa.Array:
    words, rows = lists.flatten(), pc.list_parent_indices(lists)
    found = pc.index_in(words, pa.array(labels, pa.string()))
    if pc.any(pc.is_null(found)).as_py():
        _note_unknown(words, rows, found, labels, name, place)
    columns = []
    for i in range(len(labels)):
        there = pc.is_in(pa.array(range(len(lists)), rows.type), rows.filter(pc.fill_null(pc.equal(found, i), False)))
        columns.append(pc.if_else(lists.is_null(), None, there.cast(pa.int8())))
    return pa.StructArray.from_arrays(columns, names=labels, mask=lists.is_null())


def _note_unknown(words: pa.Array, rows: pa.Array, found: pa.Array, labels: list[str], name: str, place: Place) -> None:
    unknown = pc.indices_nonzero(pc.is_null(found)).to_pylist()
    messages = [
        f"row {place.first_row + rows[i].as_py() + 1}, column {name!r}: {words[i].as_py()!r} is {_not_among(labels)}"
        f"{nearest_hint(words[i].as_py(), labels)}"
        for i in unknown[:MAX_SHOWN]
    ]
    place.findings.add(place.table, messages, len(unknown))


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
