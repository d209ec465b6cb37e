"""Whole columns of cells as words, which is what `cell_words` does for one cell."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import ENDING, WHOLE, cell_word
from datasets_builder.source import LabelColumn
from modeling_multitask.errors import DataError


def as_words(cells: pa.Array, where: str, labels: Sequence[str]) -> pa.Array:
    """Return each cell as a word, with null for null, NaN and a cell that is empty or only white space.

    A whole number is one word in every spelling. If a label is spelled as the cell is, the cell is that label.

    Args:
        cells: The cells.
        where: Their location, for messages.
        labels: The labels of the task as they are spelled, if known.

    Raises:
        DataError: If the type of the cells cannot hold labels.
    """
    return words_of_texts(without_blanks(as_text(cells, where)), labels)


def compared_words(cells: pa.Array, where: str, word: str) -> pa.Array:
    """Return the words of a column that a word of the recipe compares, null for an empty cell.

    Raises:
        DataError: If the column holds lists, objects, dates or the like.
    """
    try:
        return as_words(cells, where, [])
    except DataError:
        raise DataError(f"{where}: holds {cells.type}, but `{word}` compares words") from None


def without_blanks(texts: pa.Array) -> pa.Array:
    """Return the texts with null in place of those that are empty or only white space."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)


def words_of_texts(texts: pa.Array, labels: Sequence[str]) -> pa.Array:
    """Return the words of texts."""
    whole = pc.match_substring_regex(texts, WHOLE)
    if not pc.any(whole).as_py():
        return texts
    plain = pc.replace_substring_regex(pc.replace_substring_regex(texts, ENDING, ""), "^-0$", "0")
    spelled = pc.is_in(texts, pa.array(labels, pa.string()))
    return pc.if_else(pc.and_not(whole, spelled), plain, texts)


def places_of(words: pa.Array, labels: Sequence[str]) -> pa.Array:
    """Return the place of each word among the labels, or null. A label spelled as the word is goes before others."""
    found = pc.index_in(words, pa.array(labels, pa.string()))
    return pc.coalesce(found, pc.index_in(words, pa.array(map(cell_word, labels), pa.string())))


def words_in_recipe(column: LabelColumn, labels: Sequence[str]) -> list[str]:
    """Return all words that the recipe declares for a column: they may begin or end with a bracket or quote."""
    return [*labels, *map(str, (*column.aliases, *column.aliases.values(), *column.missing, *column.none))]


def without_words(words: pa.Array, marks: Sequence[object]) -> pa.Array:
    """Return the words with null in place of these, such as those that mark a missing label."""
    return pc.if_else(pc.is_in(words, pa.array(marks, pa.string())), pa.scalar(None, pa.string()), words)


def begin_with_bracket(texts: pa.Array) -> pa.Array:
    """Return (rows,) whether each text begins as a list does."""
    return pc.fill_null(pc.starts_with(pc.utf8_ltrim_whitespace(texts), "["), False)


def without_aliases(words: pa.Array, column: LabelColumn) -> pa.Array:
    """Return the words with each alias replaced by its label."""
    if not column.aliases:
        return words
    found = pc.index_in(words, pa.array(list(column.aliases), pa.string()))
    return pc.coalesce(pa.array(list(column.aliases.values()), pa.string()).take(found), words)


def as_text(cells: pa.Array, where: str) -> pa.Array:
    """Return cells as strings. NaN is null, and whole numbers have no fraction.

    Raises:
        DataError: If the type of the cells cannot hold labels.
    """
    cells = decoded(cells)
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


def decoded(cells: pa.Array) -> pa.Array:
    """Return the values of a column of categories, and any other column unchanged."""
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
