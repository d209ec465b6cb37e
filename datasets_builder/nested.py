"""Paths such as `meta.team.name`, which lead into columns that hold objects."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa


def root_of(path: str, columns: Iterable[str]) -> str | None:
    """Return the column that holds a path: the one of exactly this name, or the longest one that the path begins with.

    Args:
        path: The name of a column, or a path into it.
        columns: The names of the columns, or of the fields of an object.
    """
    there = set(columns)
    parts = path.split(".")
    heads = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((head for head in heads if head in there), None)


def value_at(row: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Return whether an object has a path, and the value there."""
    root = root_of(path, row)
    if root is None:
        return False, None
    if root == path:
        return True, row[path]
    inner = row[root]
    return value_at(inner, path[len(root) + 1 :]) if isinstance(inner, Mapping) else (False, None)


def column_at(column: pa.Array, path: str) -> pa.Array | None:
    """Return (rows,) the values at a path within structs, or `None` if the structs lack it. A null struct has null."""
    if pa.types.is_null(column.type):
        return column
    names = [field.name for field in column.type] if pa.types.is_struct(column.type) else []
    root = root_of(path, names)
    if root is None:
        return None
    inner = column.flatten()[names.index(root)]  # `field` would ignore that a whole struct is null
    return inner if root == path else column_at(inner, path[len(root) + 1 :])


def feature_at(features: Any, path: str) -> Any:
    """Return the `datasets` feature at a path within features, or `None`."""
    root = root_of(path, features) if isinstance(features, dict) else None
    if root is None:
        return None
    return features[root] if root == path else feature_at(features[root], path[len(root) + 1 :])
