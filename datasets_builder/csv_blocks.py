"""Blocks of CSV in which every quote begins or ends a cell, so that pyarrow reads them as Python's parser does.

pyarrow is many times faster, but accepts files that are not CSV. The rows are found here, and pyarrow only cuts them
into cells.

Shapes: R rows, W columns.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from datasets_builder.byte_blocks import (
    BYTE_ORDER_MARK,
    NEWLINE,
    QUOTE,
    RETURN,
    IrregularError,
    RowBlock,
    block_of,
    read_blocks,
)


def csv_blocks(file: IO[bytes], delimiter: str, *, quoted: bool, skip_rows: int = 0) -> Iterator[RowBlock]:
    """Yield the blocks of a CSV file.

    Args:
        file: The file, UTF-8, with or without a byte order mark.
        delimiter: The character between cells.
        quoted: Whether quotes enclose cells.
        skip_rows: The number of lines to leave out at the beginning.

    Raises:
        IrregularError: If quotes are also within cells, a line ends in a single carriage return, or the bytes are not
            UTF-8 text.
    """
    if not delimiter.isascii():
        raise IrregularError
    yield from read_blocks(file, functools.partial(_rows, delimiter=delimiter, quoted=quoted), skip_rows)


def block_cells(block: RowBlock, width: int, places: Sequence[int], delimiter: str, *, quoted: bool) -> pa.Table:
    """Return the R rows of a block as strings, in columns that are named by their places.

    Args:
        block: The block.
        width: The number of columns, W.
        places: The places of the columns to return, from 0.
        delimiter: The character between cells.
        quoted: Whether quotes enclose cells.

    Raises:
        IrregularError: If a row does not have W cells.
    """
    names = [str(place) for place in dict.fromkeys(places)]
    if not len(block):
        return pa.table([pa.array([], pa.string())] * len(names), names=names)
    content = memoryview(block.content)[block.starts[0] :]
    if content[: len(BYTE_ORDER_MARK)] == BYTE_ORDER_MARK:
        raise IrregularError  # pyarrow takes the first characters of any block for the mark of a file
    try:
        table = csv.read_csv(
            pa.py_buffer(content),
            csv.ReadOptions(column_names=list(map(str, range(width))), block_size=len(content) + 1, use_threads=False),
            csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted),
            csv.ConvertOptions(check_utf8=False, column_types=dict.fromkeys(names, pa.string()), include_columns=names),
        )
    except pa.ArrowInvalid:
        raise IrregularError from None
    if len(table) != len(block):
        raise IrregularError
    return table


def _rows(content: bytes, line: int, *, delimiter: str, quoted: bool) -> RowBlock:
    """Return the rows that are complete in some lines."""
    array = np.frombuffer(content, np.uint8)
    breaks = np.flatnonzero(array == NEWLINE)
    quotes = np.flatnonzero(array == QUOTE) if quoted else np.empty(0, np.int64)
    last = np.arange(len(breaks))
    if len(quotes):
        _check_quotes(array, quotes, ord(delimiter))
        last = np.flatnonzero(np.searchsorted(quotes, breaks) % 2 == 0)
    return block_of(content, breaks, last, line)


def _check_quotes(array: np.ndarray, quotes: np.ndarray, delimiter: int) -> None:
    """Check that each quote begins or ends a cell, where two quotes within a cell end it and begin it again."""
    opening, closing = quotes[::2], quotes[1::2]
    before = array[opening[1:] - 1] if opening[0] == 0 else array[opening - 1]
    after = array[closing + 1]  # there is such a byte, because the content ends in a line break
    regular = np.isin(before, [delimiter, NEWLINE, QUOTE]).all()
    if not (regular and np.isin(after, [delimiter, NEWLINE, RETURN, QUOTE]).all()):
        raise IrregularError
