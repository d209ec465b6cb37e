"""Blocks of CSV in which every quote begins or ends a cell, so that pyarrow reads them as Python's parser does.

pyarrow is many times faster, but accepts files that are not CSV and gives no line numbers. The rows and lines of a
block are found here, and pyarrow only cuts the rows into cells. Anything else is left to Python's parser.

Shapes: R rows, W columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import csv

BLOCK_BYTES = 2**20
MOST_BYTES = 2**26  # of one row; a longer one is probably a quote that is not closed
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_BYTE_ORDER_MARK = "\ufeff".encode()


class IrregularError(Exception):
    """Raised for content that only Python's parser decides on, such as a quote within a cell."""


@dataclass(frozen=True)
class Block:
    """Some rows of a CSV file, without blank lines.

    Args:
        content: The bytes, UTF-8, from a row's begin to a row's end.
        starts: (R,) int64, the place of each row's first byte.
        ends: (R,) int64, the place of each row's last line break.
        lines: (R,) int64, each row's first line in the file, counted from 1.
        heights: (R,) int64, the number of lines of each row.
    """

    content: bytes
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def written(self, row: int) -> str:
        """Return a row as it is written, with its line break."""
        return self.content[self.starts[row] : self.ends[row] + 1].decode()

    def below_first(self) -> "Block":
        """Return the rows below the first one."""
        return Block(self.content, self.starts[1:], self.ends[1:], self.lines[1:], self.heights[1:])

    def cells(self, width: int, places: Sequence[int], delimiter: str, *, quoted: bool) -> pa.Table:
        """Return R rows of strings, in columns that are named by their places.

        Args:
            width: The number of columns, W.
            places: The places of the columns to return, from 0.
            delimiter: The character between cells.
            quoted: Whether quotes enclose cells.

        Raises:
            IrregularError: If a row does not have W cells.
        """
        names = [str(place) for place in dict.fromkeys(places)]
        if not len(self):
            return pa.table([pa.array([], pa.string())] * len(names), names=names)
        content = memoryview(self.content)[self.starts[0] :]
        if content[:3] == _BYTE_ORDER_MARK:
            raise IrregularError  # pyarrow takes the first characters of any block for the mark of a file
        try:
            table = csv.read_csv(
                pa.py_buffer(content),
                csv.ReadOptions(
                    column_names=list(map(str, range(width))), block_size=len(content) + 1, use_threads=False
                ),
                csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted),
                csv.ConvertOptions(
                    check_utf8=False, column_types=dict.fromkeys(names, pa.string()), include_columns=names
                ),
            )
        except pa.ArrowInvalid:
            raise IrregularError from None
        if len(table) != len(self):
            raise IrregularError
        return table


def regular_blocks(file: IO[bytes], delimiter: str, *, quoted: bool, skip_rows: int = 0) -> Iterator[Block]:
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
    content = file.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    for _ in range(skip_rows):
        content = _below_line(content, file)
    line, size = skip_rows + 1, BLOCK_BYTES
    while more := file.read(size):
        content += more
        block, end, lines = _whole_rows(content, delimiter, quoted, line)
        yield block
        content, line = content[end:], line + lines
        size = BLOCK_BYTES if end else 2 * len(content)  # read more of a long row
        if len(content) > MOST_BYTES:
            raise IrregularError
    if content and content[-1] != _NEWLINE:
        content += b"\n"
    block, end, _ = _whole_rows(content, delimiter, quoted, line)
    if end < len(content):  # a quote is not closed
        raise IrregularError
    yield block


def _below_line(content: bytes, file: IO[bytes]) -> bytes:
    while b"\n" not in content and (more := file.read(BLOCK_BYTES)):
        content += more
    line, _, below = content.partition(b"\n")
    if b"\r" in line.removesuffix(b"\r"):
        raise IrregularError
    return below


def _whole_rows(content: bytes, delimiter: str, quoted: bool, line: int) -> tuple[Block, int, int]:
    """Return the rows that are complete, and the numbers of their bytes and lines."""
    content_of_lines = content[: content.rfind(b"\n") + 1]
    _check_text(content_of_lines)
    array = np.frombuffer(content_of_lines, np.uint8)
    breaks = np.flatnonzero(array == _NEWLINE)
    quotes = np.flatnonzero(array == _QUOTE) if quoted else np.empty(0, np.int64)
    last = np.arange(len(breaks))  # of the line breaks, those that end a row
    if len(quotes):
        _check_quotes(array, quotes, ord(delimiter))
        last = np.flatnonzero(np.searchsorted(quotes, breaks) % 2 == 0)
    ends = breaks[last]
    starts, first = np.append(0, ends[:-1] + 1)[: len(ends)], np.append(0, last[:-1] + 1)[: len(ends)]
    size, lines = (int(ends[-1]) + 1, int(last[-1]) + 1) if len(ends) else (0, 0)
    written = ends - starts
    rows = (written > 1) | ((written == 1) & (array[starts] != _RETURN))
    block = Block(content_of_lines[:size], starts[rows], ends[rows], line + first[rows], (last - first + 1)[rows])
    return block, size, lines


def _check_text(content: bytes) -> None:
    if b"\0" in content or content.count(b"\r") != content.count(b"\r\n"):
        raise IrregularError
    try:
        content.decode()
    except UnicodeDecodeError:
        raise IrregularError from None


def _check_quotes(array: np.ndarray, quotes: np.ndarray, delimiter: int) -> None:
    """Check that each quote begins or ends a cell, where two quotes within a cell end it and begin it again."""
    opening, closing = quotes[::2], quotes[1::2]
    before = array[opening[1:] - 1] if opening[0] == 0 else array[opening - 1]
    after = array[closing + 1]  # there is such a byte, because the content ends in a line break
    regular = np.isin(before, [delimiter, _NEWLINE, _QUOTE]).all()
    if not (regular and np.isin(after, [delimiter, _NEWLINE, _RETURN, _QUOTE]).all()):
        raise IrregularError
