"""The cells of a task with one label for each row: a word, or a list of one."""

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_lists import parse_list
from datasets_builder.label_lists import is_list
from datasets_builder.places import Place
from datasets_builder.source import LabelColumn
from datasets_builder.word_arrays import (
    as_words,
    begin_with_bracket,
    decoded,
    without_words,
    words_in_recipe,
    words_of_texts,
)
from modeling_multitask.errors import DataError

SEVERAL = "a list of several labels, but this task has one label for each row"


def single_words(chunk: pa.Table, column: LabelColumn, labels: list[str], place: Place) -> pa.Array:
    """Return each cell as a word, with null where the label is missing, before aliases are replaced.

    Args:
        chunk: Some rows of a table.
        column: The column of the labels.
        labels: The labels of the task, if known.
        place: The location of the chunk.

    Raises:
        DataError: If the type of the column cannot hold labels.
    """
    name = column.names[0]
    cells = decoded(chunk[name].combine_chunks())
    if is_list(cells.type):
        cells = _of_lists(cells, name, place)
    words = _without_lists(as_words(cells, place.where(name), labels), column, labels, place)
    return without_words(words, column.missing)


def _of_lists(cells: pa.Array, name: str, place: Place) -> pa.Array:
    """Return the only element of each list, and null for an empty one."""
    if pa.types.is_nested(cells.type.value_type):
        raise DataError(f"{place.where(name)}: holds {cells.type}, which cannot be labels of this task")
    lengths = pc.fill_null(pc.list_value_length(cells), 0)
    place.note(name, cells, pc.greater(lengths, 1), SEVERAL)
    starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    return cells.flatten().take(pc.if_else(pc.equal(lengths, 1), starts, None))


def _without_lists(words: pa.Array, column: LabelColumn, labels: list[str], place: Place) -> pa.Array:
    """Return the words with the only element of each list that is written as text."""
    name = column.names[0]
    listed = pc.and_not(
        begin_with_bracket(words), pc.is_in(words, pa.array(words_in_recipe(column, labels), pa.string()))
    )
    if not pc.any(listed).as_py():
        return words
    found = []
    for row in pc.indices_nonzero(listed).to_pylist():
        text = words[row].as_py()
        try:
            elements = parse_list(text)
        except ValueError as error:
            place.note_cell(name, row, text, f"not a list ({error}), and no label begins with a bracket")
            elements = []
        if len(elements) > 1:
            place.note_cell(name, row, text, SEVERAL)
        found.append((elements[0] or None) if len(elements) == 1 else None)
    return pc.replace_with_mask(words, listed, words_of_texts(pa.array(found, pa.string()), labels))
