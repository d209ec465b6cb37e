"""All rows of several tables, with a number for each different word of a column instead of its cells.

Shapes: N rows.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import cell_word
from datasets_builder.tables import Table
from datasets_builder.word_arrays import as_text, without_blanks, words_of_texts
from modeling_multitask.errors import DataError


@dataclass(frozen=True)
class CodedColumn:
    """A column of words, each of which has a code.

    Args:
        codes: (N,) the code of each cell, -1 for an empty one.
        dictionary: The word of each code.
    """

    codes: np.ndarray
    dictionary: pa.Array

    @classmethod
    def of(cls, parts: list[pa.DictionaryArray]) -> "CodedColumn":
        """Return the column that consists of these parts, each with a dictionary of its own."""
        chunks = pa.chunked_array(parts).unify_dictionaries().chunks
        codes = np.concatenate([pc.fill_null(each.indices, -1).to_numpy() for each in chunks])
        return cls(codes, chunks[0].dictionary)

    @property
    def words(self) -> pa.Array:
        """(N,) the words, null for an empty cell."""
        return self.dictionary.take(pa.array(self.codes, mask=self.codes < 0)).cast(pa.string())

    def word(self, row: int) -> str:
        """Return the word of a row, or an empty one."""
        return "" if self.codes[row] < 0 else str(self.dictionary[self.codes[row]])


@dataclass(frozen=True)
class AllRows:
    """The rows of several tables.

    Args:
        names: The names of the tables.
        counts: The number of rows of each table.
        numbers: The numbers of the rows of each chunk in their table.
        lines: The lines of the rows of each chunk.
        cells: The columns.
    """

    names: list[str]
    counts: list[int] = field(default_factory=list)
    numbers: list[np.ndarray] = field(default_factory=list)
    lines: list[np.ndarray] = field(default_factory=list)
    cells: dict[str, CodedColumn] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.numbers))

    def place(self, row: int, of_other: int | None = None) -> str:
        """Return the location of a row for messages, without the table if it is also that of another row."""
        number, line = (int(np.concatenate(each)[row]) for each in (self.numbers, self.lines))
        at = f"row {number}" if number == line else f"row {number} (line {line})"
        table, other = (None if each is None else self._table(each) for each in (row, of_other))
        return at if table == other else f"{table}, {at}"

    def _table(self, row: int) -> str:
        return self.names[int(np.searchsorted(np.cumsum(self.counts), row, side="right"))]


def read_all_rows(tables: list[Table], columns: list[str]) -> AllRows:
    """Read columns of all rows of several tables.

    Raises:
        DataError: If a table lacks a column or cannot be read to its end.
    """
    rows = AllRows([table.name for table in tables])
    parts: dict[str, list[pa.DictionaryArray]] = {name: [] for name in columns}
    for table in tables:
        before = len(rows)
        for read in table.read_rows(columns):
            for name in columns:
                parts[name].append(_as_codes(read.chunk[name].combine_chunks()))
            rows.numbers.append(read.numbers)
            rows.lines.append(read.lines)
        rows.counts.append(len(rows) - before)
    rows.cells.update({name: CodedColumn.of(parts.pop(name)) for name in columns})
    return rows


def _as_codes(cells: pa.Array) -> pa.DictionaryArray:
    """Return cells as words with a code for each. Lists, objects and dates are words as Python writes them."""
    try:
        words = words_of_texts(without_blanks(as_text(cells, "")), [])
    except DataError:
        words = pa.array([None if each is None else _written(each) for each in cells.to_pylist()], pa.string())
    return words.cast(pa.large_string()).dictionary_encode()  # all texts together may have more than 2 GB


def _written(value: Any) -> str:
    """Return a value as Python writes it, but whole numbers in one spelling: chunks may have different types."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {_written(each)}' for name, each in value.items())}}}"
    return cell_word(value) if isinstance(value, int | float) else repr(value)
