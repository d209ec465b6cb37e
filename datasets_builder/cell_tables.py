"""Tables of cells that are strings, such as CSV files and the sheets of workbooks: the header and the rows below it."""

import abc
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from datasets_builder.tables import CHUNK_ROWS, FileTable, Lines
from modeling_multitask.errors import DataError


class Row(NamedTuple):
    """The cells of a row.

    Args:
        line: The line of the file at which the row begins, or the row of the sheet, counted from 1.
        cells: The cells.
        written: The lines of the file that the row is written in, until the next row is read; empty for a sheet.
    """

    line: int
    cells: list[str]
    written: Sequence[str] = ()


class CellTable(FileTable):
    """A table whose cells are strings. An empty cell is the empty string, and blank lines are no rows."""

    @property
    def emptiness(self) -> str:  # type: ignore[override]
        """The message for a table that has columns but no rows."""
        return "a header, but no rows" if self.layout.header else "no rows"

    @abc.abstractmethod
    def _rows(self) -> Iterator[Row]:
        """Yield all rows below the skipped ones, also the header and empty rows."""

    def _check_lines(self, row: Row) -> None:
        """Raise a `DataError` if the lines of a row are probably several rows."""

    def all_rows(self) -> Iterator[Row]:
        """Yield the rows as they are written, below the skipped ones: also the header, empty rows, and ragged ones."""
        yield from self._rows()

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each row as a dict by column, with its line."""
        for row in self._body():
            yield row.line, dict(zip(self.columns, row.cells, strict=True))

    def _columns(self) -> list[str]:
        if self.layout.columns is not None:
            return list(self.layout.columns)
        skipped = self.layout.skip_rows
        header = next(self._rows(), None)
        if header is None:
            raise DataError(f"{self.path}: the file is empty{f' below the {skipped} skipped rows' if skipped else ''}")
        if not any(header.cells):
            raise DataError(
                f"{self.path}: line {header.line} is blank; the first line must name the columns. "
                f"Add `skip_rows: {header.line}` to this source"
            )
        return header.cells

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines | None]]:
        places = [self.columns.index(name) for name in columns]
        numbers = [i for i, name in enumerate(columns) if self._has_decimal_commas(name)]
        cells: list[list[str]] = []
        lines: list[int] = []
        for row in self._body():
            cells.append([row.cells[place] for place in places])
            for i in numbers:
                cells[-1][i] = self._with_point(cells[-1][i], row.line, columns[i])
            lines.append(row.line)
            if len(cells) == CHUNK_ROWS:
                yield _strings(columns, cells), lines
                cells, lines = [], []
        if cells:
            yield _strings(columns, cells), lines

    def _body(self) -> Iterator[Row]:
        """Yield the rows below the header without blank lines."""
        width = len(self.columns)
        rows = self._rows()
        if self.layout.header:
            next(rows)
        columns = self.columns
        for row in rows:
            if self._is_row(row, columns, width):
                yield row

    def _is_row(self, row: Row, columns: list[str], width: int) -> bool:
        """Return whether a row is not blank, or raise a `DataError` if it cannot be a row of the table."""
        cells = row.cells
        if not "".join(cells).strip() and self._is_blank(row, width):
            return False
        if cells == columns and width > 1:
            raise DataError(f"{self.path}, line {row.line}: the header is repeated; were files concatenated?")
        if len(cells) != width:
            raise DataError(f"{self.path}, line {row.line}: {self._width_problem(row, width)}")
        if len(row.written) > 1:
            self._check_lines(row)
        return True

    def _is_blank(self, row: Row, width: int) -> bool:
        """Return whether a row of white space is none: it has not the cells of a row, is in a sheet, or is empty."""
        return not row.written or len(row.cells) != width or not (any(row.cells) or self.layout.keep_empty)

    def _width_problem(self, row: Row, width: int) -> str:
        what = f"{len(row.cells)} cells, but {'the header' if self.layout.header else '`columns`'} has {width}"
        if len(row.cells) > width:
            return f"{what}; a cell that contains the separator must be quoted"
        problem = f"{what}; a line break within a cell must be quoted, or the row lacks cells"
        if len(row.written) < 2:
            return problem
        return f"{problem}; if quotes are ordinary characters, add `quoting: none` to this source"

    def _has_decimal_commas(self, column: str) -> bool:
        return self.layout.decimal == "," and column in self.layout.numbers

    def _with_point(self, cell: str, line: int, column: str) -> str:
        if "." in cell:
            raise DataError(
                f"{self.path}, line {line}, column {column!r}: {cell!r} contains a point, "
                "but `decimal` of this source is a comma"
            )
        return cell.replace(",", ".", 1) if re.fullmatch(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*", cell) else cell


def _strings(columns: list[str], rows: list[list[str]]) -> pa.Table:
    cells = zip(*rows, strict=True)
    return pa.table([pa.array(column, pa.string()) for column in cells], names=columns)
