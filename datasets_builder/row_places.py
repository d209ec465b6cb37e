"""The places that rows come from: the table of each row, and its line there.

Shapes: N rows.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset, Value

from datasets_builder.columns import LINE, TABLE
from datasets_builder.short_names import short_names
from datasets_builder.sources import OpenSource


class RowPlace(NamedTuple):
    """The place that a row comes from, both `None` if it is unknown.

    Args:
        table: The short name of its table, see `short_names`.
        line: Its line there, counted from 1.
    """

    table: str | None = None
    line: int | None = None


def table_names(sources: Iterable[OpenSource]) -> list[str]:
    """Return the names of all tables of these sources, in order and without repetitions."""
    return list(dict.fromkeys(table.name for source in sources for table in source.tables))


def place_features(tables: list[str]) -> dict[str, Any]:
    """Return the features of the columns with the place of each row.

    Args:
        tables: The names of all tables, without repetitions.
    """
    return {TABLE: ClassLabel(names=tables), LINE: Value("int64")}


def with_places(rows: pa.Table, tables: np.ndarray, lines: np.ndarray) -> pa.Table:
    """Return rows with the columns of their places at the end.

    Args:
        rows: N rows.
        tables: (N,) the number of each row's table.
        lines: (N,) the line of each row.
    """
    return rows.append_column(TABLE, pa.array(tables, pa.int64())).append_column(LINE, pa.array(lines, pa.int64()))


def row_places(rows: Dataset) -> list[RowPlace]:
    """Return the N places of built rows, or an empty list if the rows do not have them."""
    tables = rows.features.get(TABLE)
    if not isinstance(tables, ClassLabel) or LINE not in rows.features:
        return []
    names = short_names(tables.names)
    return [
        RowPlace() if table is None else RowPlace(names[table], line)
        for table, line in zip(rows[TABLE], rows[LINE], strict=True)
    ]
