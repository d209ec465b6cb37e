"""CSV and TSV files, checked while they are read.

Python's own parser decides what a row is. The parsers of `datasets` fill short rows with missing labels, convert
strings to dates, and give no line numbers. pyarrow's parser reads the content in which it cannot differ from Python's,
see `csv_blocks`.
"""

import csv
import functools
import io
from collections.abc import Iterable, Iterator
from typing import IO, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.byte_blocks import RowBlock
from datasets_builder.cell_tables import CellTable, Row
from datasets_builder.csv_blocks import block_cells, csv_blocks
from datasets_builder.layout import delimiter_in_yaml
from datasets_builder.text_tables import MARKS, BlockTable, without_nul
from modeling_multitask.errors import DataError

csv.field_size_limit(2**31 - 1)  # the largest limit that Windows allows; texts may be long


class CsvTable(BlockTable, CellTable):
    """A CSV file. Every cell is a string. An empty cell is the empty string."""

    separator: ClassVar[str] = ","

    @property
    def delimiter(self) -> str:
        """The character between the cells."""
        given = self.layout.delimiter
        return "\t" if given == "tab" else given or self.separator

    @property
    def _quoting(self) -> Literal[0, 3]:
        return csv.QUOTE_NONE if self.layout.quoting == "none" else csv.QUOTE_MINIMAL

    def _rows(self) -> Iterator[Row]:
        with self._text(newline="") as file:
            skipped = self.layout.skip_rows
            for _ in range(skipped):
                file.readline()
            written: list[str] = []
            lines = without_nul(file, self.path, skipped, written)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True, quoting=self._quoting)
            line = skipped + 1  # the first line of a row, because an unclosed quote may include the lines below it
            try:
                for cells in reader:
                    yield Row(line, cells, written)
                    line = skipped + reader.line_num + 1
                    written.clear()  # the next row has the same list, because a copy of each takes time
            except csv.Error as error:
                raise DataError(
                    f"{self.path}, line {line}: not CSV ({error}). If quotes are ordinary characters in this file, add "
                    "`quoting: none` to this source"
                ) from None

    def _regular_chunks(self, columns: list[str], file: IO[bytes]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        delimiter, quoted = self.delimiter, self._quoting == csv.QUOTE_MINIMAL
        width, places = len(self.columns), [self.columns.index(name) for name in columns]
        has_header = self.layout.header
        for each in csv_blocks(file, delimiter, quoted=quoted, skip_rows=self.layout.skip_rows):
            block = each.below_first() if has_header else each
            has_header = has_header and not len(each)
            cells = block_cells(block, width, places, delimiter, quoted=quoted)
            chunk = cells.select([str(place) for place in places]).rename_columns(columns)
            kept, lines = self._rows_among(block, chunk), block.lines
            if not kept.all():
                chunk, lines = chunk.filter(pa.array(kept)), lines[kept]
            if len(chunk):
                yield self._with_points(chunk, lines), lines

    def _rows_among(self, block: RowBlock, chunk: pa.Table) -> np.ndarray:
        """Return the mask of the rows of a block, and check those that may be no rows, as Python's parser does."""
        kept, columns = np.ones(len(block), bool), self.columns
        for row in np.flatnonzero(_may_be_blank(chunk) | _may_be_header(chunk) | (block.heights > 1)).tolist():
            written = list(io.StringIO(block.written(row), newline=""))
            cells = next(csv.reader(written, delimiter=self.delimiter, strict=True, quoting=self._quoting))
            kept[row] = self._is_row(Row(int(block.lines[row]), cells, written), columns, len(columns))
        return kept

    def _with_points(self, chunk: pa.Table, lines: np.ndarray) -> pa.Table:
        for place, name in enumerate(chunk.column_names):
            if self._has_decimal_commas(name):
                cells = zip(chunk[name].to_pylist(), lines.tolist(), strict=True)
                numbers = [self._with_point(cell, line, name) for cell, line in cells]
                chunk = chunk.set_column(place, name, pa.array(numbers, pa.string()))
        return chunk

    def _check_lines(self, row: Row) -> None:
        if self.layout.quoting is None and self._merges_rows(row):
            raise DataError(
                f"{self.path}, line {row.line}: a quoted cell contains line breaks and the separator, so that "
                f"{len(row.written)} lines, which look like rows, are one row. Add `quoting: none` to this source if "
                "quotes are ordinary characters, or `quoting: minimal` if it is one row"
            )

    def _merges_rows(self, row: Row) -> bool:
        """Return whether each line of a row would be a complete row if quotes were ordinary characters.

        A quote at the beginning of one text and a quote at the end of another one form such a cell. In a text, a comma
        or semicolon is followed by white space, so a line with such a cell is part of a text.
        """
        lines = [line.rstrip("\r\n").split(self.delimiter) for line in row.written]
        if len(lines) < 2 or any(len(cells) != len(row.cells) for cells in lines) or len(row.cells) == 1:
            return False
        return self.delimiter == "\t" or all(cell and not cell[0].isspace() for cells in lines for cell in cells[1:])

    def _separator_hint(self, missing: str) -> str:
        first = next(self._rows(), None) if self.layout.header else None
        if first is None:
            return ""
        for mark in MARKS:
            if mark == self.delimiter or mark not in first.written[0]:
                continue
            names = [cell.strip('"') for cell in first.written[0].rstrip("\r\n").split(mark)]
            if missing in names or len(self.columns) == 1:
                return self._other_delimiter("they seem", mark)
        return ""

    def _width_problem(self, row: Row, width: int) -> str:
        if not self.layout.header and row.line == self.layout.skip_rows + 1 and len(row.cells) == 1:
            for mark in (mark for mark in MARKS if mark != self.delimiter):
                if len(next(csv.reader(row.written, delimiter=mark))) == width:
                    return f"one cell, but `columns` has {width}{self._other_delimiter('the cells seem', mark)}"
        return super()._width_problem(row, width)

    def _other_delimiter(self, seem: str, mark: str) -> str:
        now = MARKS.get(self.delimiter, repr(self.delimiter))
        return (
            f"; {seem} to be separated by {MARKS[mark]}, but must be separated by {now}. "
            f"Add {delimiter_in_yaml(mark)} to this source"
        )


class TsvTable(CsvTable):
    """A TSV file, which is a CSV file with tabs between the cells."""

    separator = "\t"


def _may_be_blank(chunk: pa.Table) -> np.ndarray:
    """Return (rows,) whether all cells that are read are empty or white space."""
    return _all(pc.or_(pc.equal(pc.binary_length(cells), 0), pc.utf8_is_space(cells)) for cells in chunk.columns)


def _may_be_header(chunk: pa.Table) -> np.ndarray:
    """Return (rows,) whether all cells that are read are the names of their columns."""
    return _all(pc.equal(chunk[name], name) for name in chunk.column_names)


def _all(masks: Iterable[pa.ChunkedArray]) -> np.ndarray:
    mask: np.ndarray = functools.reduce(pc.and_, masks).to_numpy()
    return mask
