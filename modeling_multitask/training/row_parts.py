"""Parts of the rows of an evaluation set, so that no step needs memory for all entries of a task with many labels."""

from collections.abc import Iterator

import numpy as np

ROWS_AT_ONCE = 1024
ENTRIES_AT_ONCE = 100_000


def row_parts(rows: int, width: int) -> Iterator[slice]:
    """Yield the rows in parts that fit into memory; without rows, one empty part.

    Args:
        rows: The number of rows.
        width: The number of entries of a row, such as the number of labels of a task.
    """
    at_once = min(ROWS_AT_ONCE, max(1, ENTRIES_AT_ONCE // max(width, 1)))
    yield from (slice(start, start + at_once) for start in range(0, max(rows, 1), at_once))


def index_of(rows: np.ndarray) -> np.ndarray | slice:
    """Return an index for a mask of rows, (N,). If it is true for all rows, the index makes no copy of an array."""
    return slice(None) if rows.all() else rows
