"""How alike texts are, as tables to write and to print.

Shapes: N texts, D width of the encoder.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datasets_builder import DataError

from ..wording import on_one_line
from .similarity import cosine_matrix, cosines, nearest, scaled, statistics

_MAX_TEXT = 70  # letters of a text that is printed


def check_pair_columns(table: pa.Table) -> None:
    """Raises a `DataError` if the table has a column already that `add_cosines` would add."""
    if taken := [name for name in ("cosine", "similarity") if name in table.column_names]:
        raise DataError(f"the input has a column {taken[0]!r} already, and one of that name would be added; rename it")


def add_cosines(pairs: pa.Table, embeddings: np.ndarray) -> pa.Table:
    """The table with `cosine`, and `similarity` from 0 to 1, of each row's two texts.

    Args:
        pairs: N rows.
        embeddings: (2 N, D), of the first and the second text of each row in turn.

    Raises:
        ValueError: If an embedding has no direction.
    """
    found = cosines(embeddings[::2], embeddings[1::2])  # (N,)
    return pairs.append_column("cosine", pa.array(found)).append_column("similarity", pa.array(scaled(found)))


def matrix_table(texts: Sequence[str], embeddings: np.ndarray) -> pa.Table:
    """A row for each text, with its number, the text, and its cosine to the text of each number.

    Numbers name the columns, for texts are long and may come twice.

    Args:
        texts: N of them.
        embeddings: (N, D).

    Raises:
        ValueError: If an embedding has no direction.
    """
    numbers = range(1, len(texts) + 1)
    columns = {str(number): column for number, column in zip(numbers, cosine_matrix(embeddings), strict=True)}
    return pa.table({"number": numbers, "text": list(texts), **columns})


def statistics_table(texts: Sequence[str], embeddings: np.ndarray) -> pa.Table:
    """A row for each text: min, max, mean, median and std of its embedding's values.

    Args:
        texts: N of them.
        embeddings: (N, D).
    """
    return pa.table({"text": list(texts), **statistics(embeddings)._asdict()})


def nearest_table(
    queries: Sequence[str], wanted: np.ndarray, texts: Sequence[str], embeddings: np.ndarray, *, top_k: int
) -> pa.Table:
    """For each query, in order, a row for each text near it, the nearest first: its number, their cosine, and both.

    Args:
        queries: What to look for.
        wanted: (len(queries), D), their embeddings.
        texts: N of them, among which to look.
        embeddings: (N, D).
        top_k: How many for each query at most.

    Raises:
        ValueError: If an embedding has no direction.
    """
    rows = [
        {"query": query, "number": found.row + 1, "cosine": found.cosine, "text": texts[found.row]}
        for query, embedding in zip(queries, wanted, strict=True)
        for found in nearest(embedding, embeddings, top_k=top_k)
    ]
    return pa.Table.from_pylist(rows)


def as_lines(table: pa.Table) -> list[str]:
    """A header and each row, in columns: first the numbers, to 4 decimals, then the texts, each on one line and cut."""
    cells = {name: [name, *map(_shown, table[name].to_pylist())] for name in table.column_names}
    numbers = [
        field.name for field in table.schema if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
    columns = [_aligned(cells[name], ">") for name in numbers]
    columns += [_aligned(column, "<") for name, column in cells.items() if name not in numbers]
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _shown(cell: str | float | None) -> str:
    if isinstance(cell, float):
        return f"{cell:z.4f}"  # z: no minus before 0.0000
    line = on_one_line(str(cell or ""), _MAX_TEXT)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _aligned(cells: list[str], side: str) -> list[str]:
    width = max(map(len, cells))
    return [f"{cell:{side}{width}}" for cell in cells]
