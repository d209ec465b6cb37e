"""Tables of text similarities, to write and to print.

Shapes: N texts, D width of the encoder.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datasets_builder import DataError

from ..wording import on_one_line
from .similarity import cosine_matrix, cosines, nearest, scaled, statistics

_MAX_TEXT = 70  # characters of a printed text


def check_pair_columns(table: pa.Table) -> None:
    """Raise a `DataError` if the table already has a column that `add_cosines` adds."""
    if taken := [name for name in ("cosine", "similarity") if name in table.column_names]:
        raise DataError(f"the input already has a column {taken[0]!r}, which the output adds; rename it")


def add_cosines(pairs: pa.Table, embeddings: np.ndarray, whole: np.ndarray | None = None) -> pa.Table:
    """Return the table with the `cosine`, and the `similarity` from 0 to 1, of the two texts of each row.

    Args:
        pairs: N rows.
        embeddings: (2 N, D), alternately of the first and the second text of each row.
        whole: (N,), whether a row has both texts. Other rows have null. By default all rows have both.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    found = cosines(embeddings[::2], embeddings[1::2])  # (N,)
    empty = None if whole is None else ~whole
    columns = {"cosine": found, "similarity": scaled(found)}
    for name, values in columns.items():
        pairs = pairs.append_column(name, pa.array(values, mask=empty))
    return pairs


def matrix_table(texts: Sequence[str], embeddings: np.ndarray) -> pa.Table:
    """Return a row for each text, with its number, the text, and its cosine to every text.

    The cosine columns are named by number, because texts are long and may repeat.

    Args:
        texts: The N texts.
        embeddings: (N, D).

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    numbers = range(1, len(texts) + 1)
    columns = {str(number): column for number, column in zip(numbers, cosine_matrix(embeddings), strict=True)}
    return pa.table({"number": numbers, "text": list(texts), **columns})


def statistics_table(texts: Sequence[str], embeddings: np.ndarray) -> pa.Table:
    """Return a row for each text with the min, max, mean, median and std of its embedding's values.

    Args:
        texts: The N texts.
        embeddings: (N, D).
    """
    return pa.table({"text": list(texts), **statistics(embeddings)._asdict()})


def nearest_table(
    queries: Sequence[str], query_embeddings: np.ndarray, texts: Sequence[str], embeddings: np.ndarray, *, top_k: int
) -> pa.Table:
    """Return the nearest texts of each query in order, the nearest first: query, number, cosine and text.

    Args:
        queries: The queries.
        query_embeddings: (len(queries), D).
        texts: The N texts to search.
        embeddings: (N, D).
        top_k: The most texts for each query.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    rows = [
        {"query": query, "number": found.row + 1, "cosine": found.cosine, "text": texts[found.row]}
        for query, embedding in zip(queries, query_embeddings, strict=True)
        for found in nearest(embedding, embeddings, top_k=top_k)
    ]
    return pa.Table.from_pylist(rows)


def as_lines(table: pa.Table) -> list[str]:
    """Return a header and the rows as aligned lines: first the numbers with 4 decimals, then the shortened texts."""
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
