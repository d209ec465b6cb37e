"""Check the texts of a table's chunks, and convert class ids to class names."""

import bisect
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, LargeList, List
from datasets.features.features import FeatureType

from modeling_multitask.errors import DataError

UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)  # the errors that `pa.array` raises


def with_names(chunk: pa.Table, features: dict[str, FeatureType], table: str, first_row: int) -> pa.Table:
    """Return the chunk with class names instead of the ids of a `ClassLabel`, and null for the id -1.

    Args:
        chunk: Some rows of a table.
        features: The table's `datasets` features.
        table: Its name in messages.
        first_row: The number of the chunk's first row, counted from 0.

    Raises:
        DataError: If a text is not UTF-8, or an id has no class.
    """

    def problem(row: int, name: str, what: str) -> DataError:
        return DataError(f"{table}, row {first_row + row + 1}, column {name!r}: {what}")

    for place, name in enumerate(chunk.column_names):
        column = chunk[name].combine_chunks()
        if (damaged := _first_damaged(column)) is not None:
            raise problem(damaged, name, "the file is damaged, or its text is not UTF-8")
        feature, ids = features.get(name), column
        if several := isinstance(feature, List | LargeList):
            feature, ids = feature.feature, column.flatten()
        if not isinstance(feature, ClassLabel):
            continue
        lowest = 0 if several else -1
        if (wrong := _first_outside(ids, lowest, len(feature.names))) is not None:
            row = pc.list_parent_indices(column)[wrong].as_py() if several else wrong
            raise problem(row, name, f"{ids[wrong]} is not the id of one of its {len(feature.names)} classes")
        names = pa.array(feature.names, pa.string()).take(pc.if_else(pc.less(ids, 0), pa.scalar(None, ids.type), ids))
        chunk = chunk.set_column(place, name, relisted(column, names) if several else names)
    return chunk


def relisted(lists: pa.Array, values: pa.Array) -> pa.ListArray:
    """Return lists with these values, and with the lengths and nulls of the given lists."""
    counts = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int32())
    offsets = pa.array([0, *pc.cumulative_sum(counts).to_pylist()], pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=pc.is_null(lists))


def first_unfit(values: Sequence[Any]) -> int:
    """Return the place of the first value whose type does not fit the values before it."""
    return bisect.bisect_left(range(1, len(values)), True, key=lambda count: not fit(values[:count]))


def fit(values: Sequence[Any]) -> bool:
    """Return whether the values can form one column."""
    try:
        pa.array(values, from_pandas=True)
    except UNFIT:
        return False
    return True


def _first_outside(ids: pa.Array, lowest: int, count: int) -> int | None:
    wrong = pc.or_(pc.less(ids, lowest), pc.greater_equal(ids, count))
    return pc.index(wrong, True).as_py() if pc.any(wrong).as_py() else None


def _first_damaged(column: pa.Array) -> int | None:
    """Return the first row whose value is not valid for its type, or `None`. Parsers do not check this."""
    if _is_valid(column):
        return None
    return next((row for row in range(len(column)) if not _is_valid(column.slice(row, 1))), 0)


def _is_valid(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
