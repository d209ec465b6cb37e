"""Read a text file in blocks of bytes that hold whole rows, for parsers that are faster than Python's.

Such parsers accept more than Python's, and give no line numbers. A block therefore only holds content that both read
in the same way. For any other content an `IrregularError` is raised, and Python's parser decides on it.

Shapes: R rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np

BLOCK_BYTES = 2**20
MOST_BYTES = 2**26  # of one row; a longer one is probably a quote that is not closed
NEWLINE, RETURN, QUOTE = b'\n\r"'
BYTE_ORDER_MARK = "\ufeff".encode()


class IrregularError(Exception):
    """Raised for content that only Python's parser decides on, such as a quote within a cell."""


@dataclass(frozen=True)
class RowBlock:
    """Some rows of a file, without blank lines.

    Args:
        content: The bytes, UTF-8, from the beginning of a row to the end of a row.
        starts: (R,) int64, the place of each row's first byte.
        ends: (R,) int64, the place of each row's last line break.
        lines: (R,) int64, each row's first line in the file, counted from 1.
        heights: (R,) int64, the number of lines of each row.
        height: The number of lines, also of blank ones.
    """

    content: bytes = b""
    starts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    ends: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    lines: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    heights: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    height: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def written(self, row: int) -> str:
        """Return a row as it is written, with its line break."""
        return self.content[self.starts[row] : self.ends[row] + 1].decode()

    def below_first(self) -> "RowBlock":
        """Return the rows below the first one."""
        starts, ends, lines, heights = (each[1:] for each in (self.starts, self.ends, self.lines, self.heights))
        return RowBlock(self.content, starts, ends, lines, heights, self.height)


def block_of(content: bytes, breaks: np.ndarray, last: np.ndarray, line: int) -> RowBlock:
    """Return the rows of some content, without blank lines.

    Args:
        content: The bytes.
        breaks: The place of each line break.
        last: The numbers of the line breaks that end a row, counted from 0.
        line: The line at which the content begins, counted from 1.
    """
    if not len(last):
        return RowBlock()
    ends = breaks[last]
    starts, first = np.append(0, ends[:-1] + 1), np.append(0, last[:-1] + 1)
    array = np.frombuffer(content, np.uint8)
    size = ends - starts
    rows = (size > 1) | ((size == 1) & (array[starts] != RETURN))
    content = content[: ends[-1] + 1]
    return RowBlock(content, starts[rows], ends[rows], line + first[rows], (last - first + 1)[rows], int(last[-1]) + 1)


def read_blocks(file: IO[bytes], rows_of: Callable[[bytes, int], RowBlock], skip_rows: int = 0) -> Iterator[RowBlock]:
    """Yield the blocks of a file.

    Args:
        file: The file, UTF-8, with or without a byte order mark.
        rows_of: Returns the rows that are complete in some lines, which begin at the given line of the file.
        skip_rows: The number of lines to leave out at the beginning.

    Raises:
        IrregularError: If the content is irregular, or a row is longer than 64 MiB.
    """
    content = file.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK)
    for _ in range(skip_rows):
        content = _below_line(content, file)
    line, size = skip_rows + 1, BLOCK_BYTES
    while more := file.read(size):
        content += more
        block = rows_of(_checked(content[: content.rfind(b"\n") + 1]), line)
        yield block
        content, line = content[len(block.content) :], line + block.height
        size = BLOCK_BYTES if block.height else 2 * len(content)  # read more of a long row
        if len(content) > MOST_BYTES:
            raise IrregularError
    if content and content[-1] != NEWLINE:
        content += b"\n"
    block = rows_of(_checked(content), line)
    if len(block.content) < len(content):  # the last row is not complete
        raise IrregularError
    yield block


def _below_line(content: bytes, file: IO[bytes]) -> bytes:
    while b"\n" not in content and (more := file.read(BLOCK_BYTES)):
        content += more
    line, _, below = content.partition(b"\n")
    if b"\r" in line.removesuffix(b"\r"):
        raise IrregularError
    return below


def _checked(content: bytes) -> bytes:
    """Return the content, or raise an `IrregularError` if it is not UTF-8 text or has a carriage return in a line."""
    if b"\0" in content or (b"\r" in content and content.count(b"\r") != content.count(b"\r\n")):
        raise IrregularError
    try:
        content.decode()
    except UnicodeDecodeError:
        raise IrregularError from None
    return content
