"""The labels of a multi-label task as a 0 or 1 for each label, with null where it is missing."""

import functools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.id_advice import advise_aliases
from datasets_builder.label_lists import (
    ListForm,
    are_lists_of_numbers,
    have_numbers,
    multi_hot_entries,
    names_of_ids,
    with_repeats,
)
from datasets_builder.label_sets import label_sets
from datasets_builder.places import Place, not_among
from datasets_builder.source import LabelColumn
from datasets_builder.word_arrays import as_words, is_text, places_of, without_aliases, without_words
from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import nearest_hint

OTHER_WORDS = "add to the task: aliases, such as {yes: 1, no: 0}, or missing, such as [-1]"
POSITIONS = {"0": 0, "1": 1, "false": 0, "true": 1}  # the cells of a column for one label of a multi-label task
# The types of cells that `dictionary_encode` supports and whose cells can be labels.
_ENCODED = (pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_boolean, pa.types.is_string)


def read_positions(
    chunk: pa.Table, column: LabelColumn, labels: list[str], place: Place, form: ListForm | None
) -> pa.Array:
    """Return (rows,) structs of int8 by label, null where the whole set is missing.

    Args:
        chunk: Some rows of a table.
        column: The column of the labels, or the columns.
        labels: The labels of the task.
        place: The location of the chunk.
        form: How the column's lists of numbers are written, see `form_of_column`.

    Raises:
        DataError: If the type of a column cannot hold labels.
    """
    name = column.names[0]
    if column.by_label is not None:
        positions = {label: _position(chunk, each, column, place) for label, each in column.by_label.items()}
    elif pa.types.is_struct(chunk[name].type):
        positions = _of_structs(chunk[name].combine_chunks(), column, labels, place)
    elif form == "multi_hot" and are_lists_of_numbers(chunk[name].type):
        positions = _of_multi_hot(chunk[name].combine_chunks(), column, labels, place)
    elif form == "multi_hot" and is_text(chunk[name].type):
        written = label_sets(chunk, replace(column, aliases={}), labels, place)
        positions = _of_multi_hot(written, column, labels, place)
    else:
        lists = label_sets(chunk, column, labels, place)
        if form == "ids":
            numbers = are_lists_of_numbers(chunk[name].type)
            cells = chunk[name].combine_chunks() if numbers else lists
            place.note(name, cells, with_repeats(cells), "a list with a number twice, but others are ids")
            # As for a single label, numbers are names if there are such names.
            lists = lists if column.aliases or have_numbers(labels) else names_of_ids(lists, labels)
        return _of_sets(lists, labels, name, place)
    columns = [positions.get(label, pa.nulls(len(chunk), pa.int8())) for label in labels]
    missing = functools.reduce(pc.and_, map(pc.is_null, columns))  # a row without any 0 or 1 has no label
    return pa.StructArray.from_arrays(columns, names=labels, mask=missing)


def position_words(chunk: pa.Table, name: str, column: LabelColumn, place: Place) -> pa.Array:
    """Return the words of a column for one label, with 0 for the empty set, before aliases are replaced."""
    words = as_words(chunk[name].combine_chunks(), place.where(name), [])
    if column.blank == "none":
        words = pc.fill_null(words, "0")
    words = pc.if_else(pc.is_in(words, pa.array(column.none, pa.string())), "0", words)
    return without_words(words, column.missing)


def _position(chunk: pa.Table, name: str, column: LabelColumn, place: Place) -> pa.Array:
    cells = chunk[name].combine_chunks()
    if any(is_kind(cells.type) for is_kind in _ENCODED):  # each different cell is read once: most are 0 or 1
        different = cells.dictionary_encode(null_encoding="encode")
        words = _words(pa.table([different.dictionary], names=[name]), name, column, place)
        found = _zeros_and_ones(words)
        if found.null_count == words.null_count:
            return found.take(different.indices)
    words = _words(chunk, name, column, place)
    found = _zeros_and_ones(words)
    wrong = pc.and_(pc.is_null(found), pc.is_valid(words))
    place.note(name, words, wrong, "neither '0' nor '1'")
    if pc.any(wrong).as_py():
        place.findings.advise(place.table, f"if these words mean 0, 1 or a missing label, {OTHER_WORDS}")
    return found


def _words(chunk: pa.Table, name: str, column: LabelColumn, place: Place) -> pa.Array:
    return without_aliases(position_words(chunk, name, column, place), column)


def _zeros_and_ones(words: pa.Array) -> pa.Array:
    return pa.array(list(POSITIONS.values()), pa.int8()).take(places_of(pc.utf8_lower(words), list(POSITIONS)))


def _of_structs(cells: pa.StructArray, column: LabelColumn, labels: list[str], place: Place) -> dict[str, pa.Array]:
    names = [field.name for field in cells.type]
    if unknown := [name for name in names if name not in labels]:
        hint = nearest_hint(unknown[0], labels)
        raise DataError(f"{place.where(column.names[0])}: {unknown[0]!r} is {not_among(labels)}{hint}")
    # Where the whole struct is null, `flatten` returns null fields. `field` does not.
    fields = pa.table(cells.flatten(), names=names)
    return {name: _position(fields, name, column, place) for name in names}


def _of_multi_hot(lists: pa.Array, column: LabelColumn, labels: list[str], place: Place) -> dict[str, pa.Array]:
    entries, wrong = multi_hot_entries(lists, labels)
    place.note(column.names[0], lists, wrong, f"not a list of zeros and ones for {len(labels)} labels")
    return {label: _position(entries, label, column, place) for label in labels}


def _of_sets(lists: pa.ListArray, labels: list[str], name: str, place: Place) -> pa.Array:
    words, rows = lists.flatten(), pc.list_parent_indices(lists)
    found = places_of(words, labels)
    for i in pc.indices_nonzero(pc.is_null(found)).to_pylist():
        place.note_cell(name, rows[i].as_py(), words[i].as_py(), not_among(labels), labels)
    advise_aliases(pc.unique(words.filter(pc.is_null(found))).to_pylist(), labels, name, place)
    known = pc.is_valid(found)
    yes = np.zeros((len(labels), len(lists)), np.int8)  # (C, rows)
    yes[found.filter(known).to_numpy(), rows.filter(known).to_numpy()] = 1
    missing = lists.is_null()
    mask = missing.to_numpy(zero_copy_only=False) if lists.null_count else None
    return pa.StructArray.from_arrays([pa.array(each, mask=mask) for each in yes], names=labels, mask=missing)
