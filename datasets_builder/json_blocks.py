"""Blocks of JSON lines that pyarrow reads as Python's parser does.

pyarrow is many times faster, but accepts objects that are not one in a line, and reads dates. Only columns of texts,
numbers, truth values and lists of them are read with it.

Shapes: R rows.
"""

from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from datasets_builder.byte_blocks import NEWLINE, RETURN, IrregularError, RowBlock, block_of, read_blocks

_OPEN, _CLOSE = b"{}"
_EXACT = 2.0**53  # floats from here on may be rounded integers


def objects_in_blocks(file: IO[bytes]) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield the objects of JSON lines as tables of all their names, with the lines of the R rows.

    Args:
        file: The file, UTF-8, with or without a byte order mark.

    Raises:
        IrregularError: If a line is not one object, or its bytes are not UTF-8 text.
    """
    for block in read_blocks(file, _rows):
        if len(block):
            yield _objects(block), block.lines


def plain_columns(objects: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns of these names, with null for a name that no object has."""
    columns = [objects[name] if name in objects.column_names else pa.nulls(len(objects)) for name in names]
    return pa.table(columns, names=list(names))


def kinds_of(column: pa.ChunkedArray) -> list[str]:
    """Return the kind of the values, such as `number`, in a list after `list`. Without values there is no kind.

    Raises:
        IrregularError: If the values are dates or objects, or numbers that may have been rounded.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return []
    if pa.types.is_list(kind):
        return ["list", *kinds_of(pc.list_flatten(column))]
    if pa.types.is_float64(kind) and pc.all(pc.less(pc.abs(column), _EXACT)).as_py() is not False:
        return ["number"]
    if pa.types.is_int64(kind):
        return ["number"]
    if pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return [str(kind)]
    raise IrregularError


def _rows(content: bytes, line: int) -> RowBlock:
    breaks = np.flatnonzero(np.frombuffer(content, np.uint8) == NEWLINE)
    return block_of(content, breaks, np.arange(len(breaks)), line)


def _objects(block: RowBlock) -> pa.Table:
    """Return the object of each line. Within one object, no } at the end of a line is followed by a { in the next."""
    array = np.frombuffer(block.content, np.uint8)
    ends = block.ends - (array[block.ends - 1] == RETURN)
    if not ((array[block.starts] == _OPEN).all() and (array[ends - 1] == _CLOSE).all()):
        raise IrregularError
    options = json.ReadOptions(use_threads=False, block_size=len(block.content) + 1)
    try:
        objects = json.read_json(pa.BufferReader(block.content), options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise IrregularError from None
    if len(objects) != len(block):
        raise IrregularError
    return objects
