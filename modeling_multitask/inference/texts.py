"""Read texts to compare from a table or from lines."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from datasets_builder import DataError
from datasets_builder.formats import READABLE

from ..texts_multitask import TEXT, TEXT_PAIR
from ..words_multitask import nearest_hint
from .tables import check_ending, read_table, texts_or_none

LINES = ".txt"  # the ending of a file with one text in each line


class Texts(NamedTuple):
    """A table and its text columns: one, or two if each row is a pair."""

    table: pa.Table
    columns: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """All texts, row by row. An empty cell is the empty text."""
        cells = [self.table[name].to_pylist() for name in self.columns]
        return [text or "" for row in zip(*cells, strict=True) for text in row]

    @property
    def whole(self) -> np.ndarray:
        """Whether each row has its text, or both texts of its pair, (N,)."""
        return np.array([text is not None for text in texts_or_none(self.table, self.columns)])


def read_texts(path: Path, *, text: str = TEXT, text_pair: str | None = None, pairs: bool = False) -> Texts:
    """Return the texts of a table, or of a .txt file with one text in each line. Blank lines are skipped.

    Args:
        path: The file.
        text: The column of texts.
        text_pair: The column of second texts. By default `text_pair`, if the table has it.
        pairs: Whether second texts are required.

    Raises:
        DataError: If the file cannot be read, has no rows, or lacks a text column.
    """
    check_ending(path, (*READABLE, LINES))
    table = _read_lines(path, text) if _is_lines(path) else read_table(path, text)
    if not table.num_rows:
        raise DataError(f"{path}: no rows")
    second = text_pair or TEXT_PAIR
    if second in table.column_names:
        _check_holds_text(path, table, second)
        return Texts(table, (text, second))
    if pairs or text_pair:
        raise DataError(
            f"{path}: {_what_there_is(path, table, second)}; pairs need a second column, named with --text_pair; "
            "--matrix, --stats and --nearest take single texts"
        )
    return Texts(table, (text,))


def _is_lines(path: Path) -> bool:
    return path.suffix.lower() == LINES


def _read_lines(path: Path, column: str) -> pa.Table:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, byte {error.start}: not UTF-8 text ({error.reason})") from None
    return pa.table({column: pa.array([line for line in lines if line], pa.string())})


def _check_holds_text(path: Path, table: pa.Table, column: str) -> None:
    # The cells are checked, because a text column may also have a categorical type or be empty.
    if not all(isinstance(cell, str | None) for cell in table[column].to_pylist()):
        raise DataError(f"{path}: the column {column!r} holds {table.schema.field(column).type}, not text")


def _what_there_is(path: Path, table: pa.Table, missing: str) -> str:
    if _is_lines(path):
        return "one text in each line"
    columns, hint = ", ".join(map(repr, table.column_names)), nearest_hint(missing, table.column_names)
    return f"no column {missing!r}; its columns are {columns}{hint}"
