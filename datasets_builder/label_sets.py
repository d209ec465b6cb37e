"""The sets of labels in the cells of a multi-label column: lists, lists written as text, and separated labels.

Shapes: N rows of a chunk, M labels in all their cells.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_lists import parse_list
from datasets_builder.label_lists import is_list
from datasets_builder.places import Place
from datasets_builder.source import LabelColumn
from datasets_builder.word_arrays import (
    as_text,
    as_words,
    begin_with_bracket,
    decoded,
    without_aliases,
    words_in_recipe,
    words_of_texts,
)
from modeling_multitask.errors import DataError


class _Sets(NamedTuple):
    """The labels of N rows: (M,) each label's row, (M,) the labels, and the masks (N,) of blank and missing rows."""

    rows: np.ndarray
    words: pa.Array
    blank: np.ndarray
    missing: np.ndarray


def label_sets(chunk: pa.Table, column: LabelColumn, labels: list[str], place: Place) -> pa.ListArray:
    """Return the labels of each row as a list of words, null where they are missing.

    Args:
        chunk: Some rows of a table.
        column: The column of the labels.
        labels: The labels of the task, if known.
        place: The location of the chunk.

    Raises:
        DataError: If the type of the column cannot hold several labels.
    """
    name = column.names[0]
    cells = decoded(chunk[name].combine_chunks())
    if is_list(cells.type):
        found = _of_lists(cells, column, labels, place)
    else:
        found = _of_texts(as_words(cells, place.where(name), labels), column, labels, place)
    found = _without_marks(found, column)
    missing = found.missing if column.blank == "none" else found.missing | found.blank
    order = np.argsort(found.rows, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(found.rows, minlength=len(cells)))]).astype(np.int32)
    words = without_aliases(found.words, column).take(order)
    return pa.ListArray.from_arrays(pa.array(offsets), words, mask=pa.array(missing))


def _of_lists(cells: pa.Array, column: LabelColumn, labels: list[str], place: Place) -> _Sets:
    where = place.where(column.names[0])
    if pa.types.is_nested(cells.type.value_type):
        raise DataError(f"{where}: holds {cells.type}, not lists of labels")
    lengths = pc.fill_null(pc.list_value_length(cells), 0).to_numpy(zero_copy_only=False)
    words = words_of_texts(as_text(cells.flatten(), where), labels)
    blank = cells.is_null().to_numpy(zero_copy_only=False)
    return _Sets(np.repeat(np.arange(len(cells)), lengths), words, blank, np.zeros(len(cells), bool))


def _of_texts(texts: pa.Array, column: LabelColumn, labels: list[str], place: Place) -> _Sets:
    name, declared = column.names[0], words_in_recipe(column, labels)
    blank = texts.is_null()
    missing, none = pc.is_in(texts, _strings(column.missing)), pc.is_in(texts, _strings(column.none))
    listed = pc.and_not(begin_with_bracket(texts), pc.is_in(texts, _strings(declared)))
    marked = pc.or_(blank, pc.or_(missing, none))
    plain = pc.invert(pc.or_(listed, marked))
    if column.separator is None and pc.any(plain).as_py():
        raise DataError(
            f"{place.where(name)}: holds {texts.type}; a multi-label task needs lists, one column for each of its "
            f"labels, or a separator: {{column: ..., separator: ';'}} (row {place.number(_first(plain))} is "
            f"{texts[_first(plain)].as_py()!r})"
        )
    rows, words = split_texts(pc.if_else(plain, texts, None), column.separator or ";")
    empty = np.isin(np.arange(len(texts)), rows, invert=True) & plain.to_numpy(zero_copy_only=False)
    read = _Sets(rows, words, blank.to_numpy(zero_copy_only=False) | empty, missing.to_numpy(zero_copy_only=False))
    read = _with_lists(read, texts, pc.and_not(listed, marked), column, declared, place)
    return read._replace(words=words_of_texts(read.words, labels))


def _with_lists(
    read: _Sets, texts: pa.Array, listed: pa.Array, column: LabelColumn, declared: list[str], place: Place
) -> _Sets:
    """Add the rows whose cell is a list that is written as text."""
    rows, words = [read.rows], [read.words]
    missing = read.missing.copy()
    for row in pc.indices_nonzero(listed).to_pylist():
        text = texts[row].as_py()
        try:
            labels = parse_list(text)
        except ValueError as error:
            labels = split_texts(pa.array([text]), column.separator)[1].to_pylist() if column.separator else []
            if not labels or not set(labels) <= set(declared):
                place.note_cell(column.names[0], row, text, f"not a list ({error}), and no label begins with a bracket")
                missing[row], labels = True, []
        rows.append(np.full(len(labels), row))
        words.append(pa.array(labels, pa.string()))
    return _Sets(np.concatenate(rows).astype(np.int64), pa.concat_arrays(words), read.blank, missing)


def _without_marks(read: _Sets, column: LabelColumn) -> _Sets:
    """Return the rows without the only label of a row that is a word for a missing label or for no label."""
    alone = np.bincount(read.rows, minlength=len(read.blank))[read.rows] == 1
    missing = alone & pc.is_in(read.words, _strings(column.missing)).to_numpy(zero_copy_only=False)
    none = alone & pc.is_in(read.words, _strings(column.none)).to_numpy(zero_copy_only=False)
    marked = read.missing.copy()
    marked[read.rows[missing]] = True
    kept = ~(missing | none)
    return _Sets(read.rows[kept], read.words.filter(pa.array(kept)), read.blank, marked)


def split_texts(texts: pa.Array, separator: str) -> tuple[np.ndarray, pa.Array]:
    """Return the row of each part and the parts, without white space around them and without empty ones.

    Spaces alone are one separator with any other white space. A tab or a line break is a separator by itself.
    """
    core = separator.strip() or separator.strip(" ")
    parts = pc.split_pattern(texts, core) if core else pc.utf8_split_whitespace(texts)
    words = pc.utf8_trim_whitespace(parts.flatten())
    there = pc.not_equal(words, "")
    rows = pc.list_parent_indices(parts).filter(there).to_numpy(zero_copy_only=False)
    return rows.astype(np.int64), words.filter(there)


def _first(mask: pa.Array) -> int:
    return int(pc.index(mask, True).as_py())


def _strings(words: object) -> pa.Array:
    return pa.array(words, pa.string())
