"""Convert the cells of a table to class ids, numbers, or zeros and ones, with null where a label is missing.

A cell of any type is first converted to a word, see `cell_words`.
"""

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import has_edges
from datasets_builder.id_advice import advise_aliases, advise_decimal
from datasets_builder.label_lists import ListForm, is_list
from datasets_builder.label_positions import read_positions
from datasets_builder.label_sets import label_sets
from datasets_builder.places import Place, not_among
from datasets_builder.single_cells import single_words
from datasets_builder.source import LabelColumn
from datasets_builder.word_arrays import is_text, places_of, without_aliases, words_in_recipe
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.tasks_multitask import TaskConfig

BROKEN = "not a label: it begins or ends with a bracket or quote; if it is one, list it in the task's labels"
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


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
    labels = task.labels or []
    if task.kind.several_labels:
        return read_positions(chunk, column, labels, place, form)
    return _ids(without_aliases(single_words(chunk, column, labels, place), column), labels, column.names[0], place)


def occurring_words(chunk: pa.Table, column: LabelColumn, problem_type: str, place: Place) -> list[str]:
    """Return the labels in a chunk for a task with classes. If the labels are columns, they keep their order.

    Args:
        chunk: Some rows of a table.
        column: The column of the labels.
        problem_type: The problem type of the task.
        place: The location of the chunk. It collects the cells that cannot be labels.

    Raises:
        DataError: If the type of a column cannot hold labels.
    """
    if column.labels is not None:
        return column.labels
    if column.counted:
        votes = chunk[column.names[0]].combine_chunks()
        cells, rows = votes.flatten(), pc.list_parent_indices(votes)
    elif not PROBLEM_TYPES[problem_type].several_labels:
        cells = without_aliases(single_words(chunk, column, [], place), column)
        rows = pa.array(range(len(cells)))
    elif pa.types.is_struct(chunk[column.names[0]].type):
        return [field.name for field in chunk[column.names[0]].type]
    else:
        sets = label_sets(chunk, column, [], place)
        cells, rows = sets.flatten(), pc.list_parent_indices(sets)
    # A mark for a missing label is not a label. Inside a list it is an error, which is reported later with its row.
    marks = {"", *column.missing, *column.none}
    words = [word for word in pc.unique(cells).drop_null().to_pylist() if word not in marks]
    broken = [word for word in words if has_edges(word) and word not in words_in_recipe(column, [])]
    for i in pc.indices_nonzero(pc.is_in(cells, pa.array(broken, pa.string()))).to_pylist():
        place.note_element(column.names[0], rows[i].as_py(), i, cells[i].as_py(), BROKEN)
    return [word for word in words if word not in broken]


def numbers_of_words(words: pa.Array) -> pa.Array:
    """Return (rows,) the numbers of words, float64, null for null and for a word that is no number."""
    read = pc.fill_null(pc.match_substring_regex(words, NUMBER), False)
    return pc.cast(pc.utf8_trim_whitespace(pc.if_else(read, words, None)), pa.float64())


def _ids(words: pa.Array, labels: list[str], name: str, place: Place) -> pa.Array:
    ids = places_of(words, labels)
    numbers = pa.array(map(str, range(len(labels))), pa.string())
    if labels == [f"LABEL_{i}" for i in range(len(labels))]:  # num_labels was given instead of names
        ids = pc.coalesce(ids, pc.index_in(words, numbers))
    unknown = pc.and_(pc.is_null(ids), pc.is_valid(words))
    place.note(name, words, unknown, not_among(labels), labels)
    advise_aliases(pc.unique(words.filter(unknown)).to_pylist(), labels, name, place)
    return ids.cast(pa.int64())


def _numbers(chunk: pa.Table, column: LabelColumn, task: TaskConfig, place: Place) -> pa.Array:
    name = column.names[0]
    cells = chunk[name].combine_chunks()
    kind = cells.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if pa.types.is_decimal(kind) or (numeric and not column.aliases):
        words, numbers = cells.cast(pa.string()), cells.cast(pa.float64(), safe=False)
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    elif numeric or is_list(kind) or is_text(kind) or pa.types.is_null(kind) or pa.types.is_dictionary(kind):
        words = without_aliases(single_words(chunk, column, [], place), column)
        numbers = numbers_of_words(words)
        wrong = pc.and_(pc.is_valid(words), pc.is_null(numbers))
        place.note(name, words, wrong, "not a number")
        advise_decimal(words, wrong, place)
    else:
        raise DataError(f"{place.where(name)}: holds {kind}, not numbers")
    missing = pa.array([float(word) for word in column.missing if pc.match_substring_regex(word, NUMBER).as_py()])
    numbers = pc.if_else(pc.is_in(numbers, missing.cast(pa.float64())), pa.scalar(None, pa.float64()), numbers)
    numbers = numbers.cast(pa.float32(), safe=False)
    place.note(name, words, pc.fill_null(pc.invert(pc.is_finite(numbers)), False), "not a finite number in float32")
    if task.transform == "log1p":
        place.note(name, words, pc.fill_null(pc.less(numbers, 0), False), "below 0, which transform: log1p refuses")
    return numbers
