"""The places that rows come from: the table of each row, and its line there.

Shapes: N rows.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset, Value

from datasets_builder.addresses import is_address
from datasets_builder.columns import LINE, TABLE
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
    return [RowPlace(names[table], line) for table, line in zip(rows[TABLE], rows[LINE], strict=True)]


def short_names(paths: list[str]) -> list[str]:
    """Return the last parts of each path, as few as no other path ends in, so that folders of a machine stay unknown.

    Args:
        paths: Different paths, or other names of tables.
    """
    parts = [PurePath(path).parts for path in paths]
    short: dict[str, str] = {}
    for length in range(1, max(map(len, parts), default=0) + 1):
        counts = Counter(each[-length:] for each in parts)
        ends = {path: each[-length:] for path, each in zip(paths, parts, strict=True)}
        short = {path: PurePath(*end).as_posix() for path, end in ends.items() if counts[end] == 1} | short
    whole = {PurePath(path).as_posix(): path for path in paths if is_address(path)}  # `https:/` is not `https://`
    return [whole.get(short.get(path, path), short.get(path, path)) for path in paths]
