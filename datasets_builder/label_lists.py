"""How lists of numbers in a multi-label column are written: as ids of labels, or as zeros and ones (multi-hot).

A list of numbers can be both only if it has one entry for each label, without repeats: `[0, 1]` of two labels. Floats
and truth values are always zeros and ones, as in the multi-label heads of transformers. A list that is written as text,
such as in a CSV file, is one of numbers if none of its elements is in quotes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_lists import numbers_in
from datasets_builder.chunks import relisted
from datasets_builder.tables import Table
from datasets_builder.word_arrays import is_text
from modeling_multitask.errors import DataError

ListForm = Literal["ids", "multi_hot"]

MISSING_ENTRIES = (-1, -100)  # in a list of zeros and ones, in addition to null and NaN


def list_form(lists: Iterable[Any], labels: Sequence[str]) -> ListForm | None:
    """Return how a column's lists of numbers are written. The first list that can be only one of both decides.

    Args:
        lists: The cells of the column. Only lists of numbers count. An empty list is none: it has no label in any form.
        labels: The labels of the task.

    Returns:
        `None` if there is no list of numbers.

    Raises:
        ValueError: If there are lists of numbers, and each may be both.
    """
    unclear = None
    for each in lists:
        values = plain_list(each)
        if not values or any(issubclass(kind, str | list | tuple | dict) for kind in set(map(type, values))):
            continue
        if (form := _form(values, len(labels))) is not None:
            return form
        unclear = unclear or values
    if unclear is None:
        return None
    names = list(labels[:2])
    raise ValueError(
        f"{unclear} may be ids of labels, or zeros and ones; write names of labels, such as {names}, or zeros and ones "
        f"as floats, such as {[float(value) for value in unclear]}"
    )


def plain_list(given: Any) -> list[Any] | None:
    """Return a list, a tuple, a set, an array or a tensor as a list of plain values, and `None` for anything else."""
    if hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, list | tuple | set | frozenset):
        return None
    if not any(hasattr(kind, "item") for kind in set(map(type, given))):
        return list(given)
    return [value.item() if hasattr(value, "item") else value for value in given]


def _form(values: list[Any], count: int) -> ListForm | None:
    """Return the only form that a list of numbers can have, or `None` if it can be both."""
    kinds = set(map(type, values))
    if any(issubclass(kind, bool | float | NoneType) for kind in kinds) or not set(MISSING_ENTRIES).isdisjoint(values):
        return "multi_hot"
    if len(values) != count or max(values, default=0) > 1:
        return "ids"
    return "multi_hot" if len(set(values)) < len(values) or max(values) >= count else None


def form_of_column(table: Table, column: str, labels: Sequence[str], marks: Sequence[str] = ()) -> ListForm | None:
    """Return how a column's lists of numbers are written, or `None` if it has no lists of numbers.

    Args:
        table: The table.
        column: The name of the column.
        labels: The labels of the task.
        marks: Words for a missing label or for no label, which a column of texts may hold besides lists.

    Raises:
        DataError: If all lists may be both.
    """
    try:
        return list_form(_number_lists(table, column, ["", *marks], as_words=have_numbers(labels)), labels)
    except DataError:
        raise  # of the table
    except ValueError as error:
        raise DataError(f"{table.name}, column {column!r}: {error}") from None


def _number_lists(table: Table, column: str, marks: Sequence[str], *, as_words: bool) -> Iterator[Any]:
    """Yield the lists of numbers of a column. If numbers are names of labels, 1.0 is the name 1."""
    for chunk in table.read([column]):
        cells = chunk[column]
        if is_text(cells.type):
            texts = pc.if_else(pc.is_in(cells, pa.array(marks, pa.string())), None, cells).drop_null()
            lists: Iterable[Any] = map(numbers_in, texts.to_pylist())
        elif are_lists_of_numbers(cells.type):
            lists = cells.drop_null().to_pylist()
        elif pa.types.is_null(cells.type):
            continue
        else:
            return
        for values in lists:
            if values is None:  # a name, or names
                return
            yield _whole(values) if as_words else values


def _whole(values: list[Any]) -> list[Any]:
    return [int(each) if isinstance(each, float) and each.is_integer() else each for each in values]


def have_numbers(labels: Sequence[str]) -> bool:
    """Return whether names of labels are numbers. A number in a cell is then a name, not an id."""
    return any(re.fullmatch(r"[+-]?\d+(\.\d+)?", label) for label in labels)


def is_list(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def are_lists_of_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds lists of numbers or truth values."""
    if not is_list(kind):
        return False
    value = kind.value_type
    return pa.types.is_integer(value) or pa.types.is_floating(value) or pa.types.is_boolean(value)


def multi_hot_entries(lists: pa.Array, labels: list[str]) -> tuple[pa.Table, pa.Array]:
    """Return a column of entries for each label, and the mask (rows,) of lists with another length, which are null.

    An empty list has a zero for each label.
    """
    fits = pc.fill_null(pc.equal(pc.list_value_length(lists), len(labels)), False)
    entries = lists.filter(fits).flatten()
    starts = pc.multiply(pc.subtract(pc.cumulative_sum(fits.cast(pa.int64())), 1), len(labels))
    empty = pc.fill_null(pc.equal(pc.list_value_length(lists), 0), False)
    none = pa.scalar(0).cast(entries.type)
    columns = [
        pc.if_else(empty, none, entries.take(pc.if_else(fits, pc.add(starts, i), None))) for i in range(len(labels))
    ]
    return pa.table(columns, names=labels), pc.and_(pc.is_valid(lists), pc.invert(pc.or_(fits, empty)))


def with_repeats(lists: pa.Array) -> pa.Array:
    """Return the mask (rows,) of lists that have a number twice."""
    pairs = pa.table({"row": pc.list_parent_indices(lists), "number": lists.flatten()})
    counts = pairs.group_by(["row", "number"]).aggregate([([], "count_all")])
    twice = counts["row"].filter(pc.greater(counts["count_all"], 1)).combine_chunks()
    return pc.is_in(pa.array(range(len(lists)), twice.type), twice)


def names_of_ids(lists: pa.ListArray, labels: list[str]) -> pa.ListArray:
    """Return lists of names from lists of ids, written as words. A number that is no id stays."""
    words = lists.flatten()
    places = pc.index_in(words, pa.array(map(str, range(len(labels))), pa.string()))
    return relisted(lists, pc.coalesce(pa.array(labels, pa.string()).take(places), words))
