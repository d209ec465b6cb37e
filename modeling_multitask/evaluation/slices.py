"""Slices of the labelled rows of a task: by length, by source and by labelled tasks.

Shapes: N labelled rows. A slice is an array of places in them.
"""

from collections import Counter

import numpy as np

LENGTH_BINS = 4
MOST_PATTERNS = 12
FEWEST_ROWS = 20  # smaller slices are combined
OTHER = "other"


def combined(slices: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return slices with the small ones combined into `other`, or nothing if only one slice is left."""
    large = {name: rows for name, rows in slices.items() if name != OTHER and len(rows) >= FEWEST_ROWS}
    small = [rows for name, rows in slices.items() if name not in large]
    found = {**large, OTHER: np.sort(np.concatenate(small))} if small else large
    return found if len(found) > 1 else {}


def by_length(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Return up to four slices with about equally many rows, by the number of tokens of each row, (N,).

    Rows of the same length are always in one slice.
    """
    bins = max(1, min(LENGTH_BINS, len(lengths) // FEWEST_ROWS))
    ends = np.quantile(lengths, np.arange(1, bins + 1) / bins, method="inverted_cdf")
    places = np.searchsorted(np.unique(ends), lengths)  # an end belongs to the bin that it ends
    slices = {}
    for place in np.unique(places):
        least, greatest = lengths[places == place].min(), lengths[places == place].max()
        words = f"{least} to {greatest} tokens" if least < greatest else f"{least} token{'s' if least != 1 else ''}"
        slices[words] = np.flatnonzero(places == place)
    return slices


def by_source(sources: list[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return a slice for each source table, in the order of the tables.

    Args:
        sources: The source of each of all rows, or an empty list.
        rows: (N,), the places of the labelled rows among all rows.
    """
    own = np.array(sources)[rows] if sources else np.array([])
    return {name: np.flatnonzero(own == name) for name in dict.fromkeys(sources) if name in own}


def by_pattern(labelled: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a slice for each set of tasks that a row has labels for, most frequent first.

    Args:
        labelled: By task, whether each of the N rows has a label for it.
    """
    rows = zip(*labelled.values(), strict=True)
    own = np.array([_pattern_name([name for name, has in zip(labelled, row, strict=True) if has]) for row in rows])
    frequent = [name for name, _ in Counter(own.tolist()).most_common(MOST_PATTERNS)]
    found = {name: np.flatnonzero(own == name) for name in frequent}
    rare = np.flatnonzero(~np.isin(own, frequent))
    return {**found, OTHER: rare} if len(rare) else found


def _pattern_name(tasks: list[str]) -> str:
    if len(tasks) == 1:
        return f"only {tasks[0]} labelled"
    return f"{', '.join(tasks[:-1])} and {tasks[-1]} labelled"
