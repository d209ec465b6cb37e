"""The first rows of a table by column, from which the meaning of its columns is guessed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datasets_builder.cell_tables import CellTable
from datasets_builder.guess_cells import are_positions
from datasets_builder.object_tables import ObjectTable
from datasets_builder.tables import Table
from modeling_multitask.errors import DataError

MOST_ROWS = 10_000  # of a sample


@dataclass(frozen=True)
class Sample:
    """The first rows of a table.

    Args:
        columns: By column, or path into a column of objects, its cells. All columns have the same number of cells.
        unnamed: The columns that no recipe can name: those without a name, and those whose name occurs twice.
        rows: The number of rows.
        is_whole: Whether the table has no other rows.
    """

    columns: dict[str, list[Any]]
    unnamed: list[str]
    rows: int
    is_whole: bool


def read_sample(table: Table) -> Sample:
    """Return the first rows of a table.

    Raises:
        DataError: If the table cannot be read, or has no rows.
    """
    found = list(islice(_objects(table), MOST_ROWS + 1))
    if not found:
        raise DataError(f"{table.name}: {table.emptiness}")
    rows = [dict(_paths(row)) for row in found[:MOST_ROWS]]
    names = dict.fromkeys(name for row in rows for name in row)
    header = table.columns if isinstance(table, CellTable) else list(names)
    counts = Counter(header)
    unnamed = [name for name in counts if name == "" or counts[name] > 1]
    columns = {name: [row.get(name) for row in rows] for name in names if name not in unnamed}
    for name in names:  # an object that is null in some rows
        if all(cell is None for cell in columns.get(name, ())) and any(other.startswith(f"{name}.") for other in names):
            columns.pop(name, None)
    return Sample(columns, unnamed, len(rows), len(found) <= MOST_ROWS)


def _objects(table: Table) -> Iterator[dict[str, Any]]:
    if isinstance(table, CellTable | ObjectTable):
        yield from (row for _, row in table.objects())
        return
    for chunk in table.read(table.columns):
        yield from chunk.to_pylist()


def _paths(row: Mapping[str, Any], root: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of an object by path. An object of zeros and ones is a value, because it may be labels."""
    for name, value in row.items():
        if isinstance(value, Mapping) and value and not are_positions(value):
            yield from _paths(value, f"{root}{name}.")
        else:
            yield f"{root}{name}", value
