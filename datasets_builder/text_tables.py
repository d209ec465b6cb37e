"""CSV and TSV files, and files of lines, checked while they are read.

Python's own parser decides what a row is. The parsers of `datasets` fill short rows with missing labels, convert
strings to dates, and give no line numbers. pyarrow's parser reads the content in which it cannot differ from Python's,
see `csv_blocks`.
"""

import codecs
import csv
import functools
import io
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, ClassVar, Literal, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_tables import CellTable, Row
from datasets_builder.columns import TEXT
from datasets_builder.compressed import opened
from datasets_builder.csv_blocks import Block, IrregularError, regular_blocks
from datasets_builder.encodings import WESTERN, first_undecodable, is_utf_8, way_out
from datasets_builder.layout import delimiter_in_yaml
from datasets_builder.tables import CHUNK_ROWS, FileTable, Lines
from modeling_multitask.errors import DataError

csv.field_size_limit(2**31 - 1)  # the largest limit that Windows allows; texts may be long

_MARKS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}


class TextTable(FileTable):
    """A table in a text file, in UTF-8 or the encoding of the layout."""

    @property
    def encoding(self) -> str:
        """The encoding, by its name in Python. That of UTF-8 allows a byte order mark."""
        name = codecs.lookup(self.layout.encoding or "utf-8").name
        return "utf-8-sig" if name == "utf-8" else name

    @functools.cached_property
    def _is_utf_8(self) -> bool:
        with self._readable():
            return is_utf_8(self.path)

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        """Open the file as bytes, decompressed."""
        if self.encoding in WESTERN and self._is_utf_8:
            raise DataError(
                f"{self.path}: `encoding` is {self.layout.encoding}, but the file seems to be UTF-8. "
                "Remove `encoding` from this source"
            )
        with self._readable(), opened(self.path) as file:
            yield file

    @contextmanager
    def _text(self, newline: str | None) -> Iterator[TextIO]:
        """Open the file as text; `newline` as in `open`."""
        try:
            with (
                self._bytes() as file,
                io.TextIOWrapper(file, encoding=self.encoding, newline=newline) as text,
            ):
                yield text
        except UnicodeError as error:  # a UnicodeDecodeError, or the message of UTF-16 without its mark
            name = self.encoding.removesuffix("-sig")
            where = first_undecodable(self.path, self.encoding)
            raise DataError(
                f"{self.path}{where}: not {name.upper()} text ({_why(error)}). {way_out(self.path, self.encoding)}"
            ) from None


class CsvTable(TextTable, CellTable):
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

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines]]:
        read = 0
        try:
            for chunk, lines in self._regular_chunks(columns):
                yield chunk, lines
                read += len(chunk)
        except (IrregularError, UnicodeError):
            yield from self._chunks_of_rows(columns, itertools.islice(self._body(), read, None))

    def _regular_chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        delimiter, quoted = self.delimiter, self._quoting == csv.QUOTE_MINIMAL
        width, places = len(self.columns), [self.columns.index(name) for name in columns]
        has_header = self.layout.header
        with self._bytes() as file:
            utf_8 = file if self.encoding == "utf-8-sig" else codecs.EncodedFile(file, "utf-8", self.encoding)
            for each in regular_blocks(utf_8, delimiter, quoted=quoted, skip_rows=self.layout.skip_rows):
                block = each.below_first() if has_header else each
                has_header = has_header and not len(each)
                cells = block.cells(width, places, delimiter, quoted=quoted)
                chunk = cells.select([str(place) for place in places]).rename_columns(columns)
                kept = self._rows_among(block, chunk)
                chunk, lines = chunk.filter(pa.array(kept)), block.lines[kept]
                if len(chunk):
                    yield self._with_points(chunk, lines), lines

    def _rows_among(self, block: Block, chunk: pa.Table) -> np.ndarray:
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
        for mark in _MARKS:
            if mark == self.delimiter or mark not in first.written[0]:
                continue
            names = [cell.strip('"') for cell in first.written[0].rstrip("\r\n").split(mark)]
            if missing in names or len(self.columns) == 1:
                return self._other_delimiter("they seem", mark)
        return ""

    def _width_problem(self, row: Row, width: int) -> str:
        if not self.layout.header and row.line == self.layout.skip_rows + 1 and len(row.cells) == 1:
            for mark in (mark for mark in _MARKS if mark != self.delimiter):
                if len(next(csv.reader(row.written, delimiter=mark))) == width:
                    return f"one cell, but `columns` has {width}{self._other_delimiter('the cells seem', mark)}"
        return super()._width_problem(row, width)

    def _other_delimiter(self, seem: str, mark: str) -> str:
        now = _MARKS.get(self.delimiter, repr(self.delimiter))
        return (
            f"; {seem} to be separated by {_MARKS[mark]}, but must be separated by {now}. "
            f"Add {delimiter_in_yaml(mark)} to this source"
        )


class TsvTable(CsvTable):
    """A TSV file, which is a CSV file with tabs between the cells."""

    separator = "\t"


class LinesTable(TextTable):
    """A file with one text in each line, in the column `text`. Blank lines are no rows."""

    def _columns(self) -> list[str]:
        return [TEXT]

    def _separator_hint(self, missing: str) -> str:
        with self._text(newline=None) as file:
            first = next((line.strip() for line in file if line.strip()), "")
        for mark, name in _MARKS.items():
            if mark in first and missing in first.split(mark):
                words = (
                    "`format: csv`" if mark == CsvTable.separator else f"`format: csv` and {delimiter_in_yaml(mark)}"
                )
                return f"; its lines seem to have cells that are separated by {name}. Add {words} to this source"
        return ""

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, list[int]]]:
        texts, lines = [], []
        with self._text(newline=None) as file:
            for line, text in enumerate(without_nul(file, self.path), start=1):
                if line > self.layout.skip_rows and text.strip():
                    texts.append(text.removesuffix("\n"))
                    lines.append(line)
                if len(texts) == CHUNK_ROWS:
                    yield pa.table([pa.array(texts, pa.string())] * len(columns), names=columns), lines
                    texts, lines = [], []
        if texts:
            yield pa.table([pa.array(texts, pa.string())] * len(columns), names=columns), lines


def without_nul(lines: Iterable[str], path: Path, skipped: int = 0, written: list[str] | None = None) -> Iterator[str]:
    """Yield the lines of a text file, and append each to `written`, if there is such a list.

    Args:
        lines: The lines.
        path: The file, for messages.
        skipped: The number of lines above them.
        written: A list.

    Raises:
        DataError: If a line has a NUL byte, as in UTF-16.
    """
    for number, line in enumerate(lines, start=skipped + 1):
        if "\0" in line:
            raise DataError(
                f"{path}, line {number}: a NUL byte; the file is not text, or is UTF-16; it must be UTF-8. "
                f"{way_out(path, 'utf-8')}"
            )
        if written is not None:
            written.append(line)
        yield line


def _may_be_blank(chunk: pa.Table) -> np.ndarray:
    """Return (rows,) whether all cells that are read are empty or white space."""
    return _all(pc.or_(pc.equal(pc.binary_length(cells), 0), pc.utf8_is_space(cells)) for cells in chunk.columns)


def _may_be_header(chunk: pa.Table) -> np.ndarray:
    """Return (rows,) whether all cells that are read are the names of their columns."""
    return _all(pc.equal(chunk[name], name) for name in chunk.column_names)


def _all(masks: Iterable[pa.ChunkedArray]) -> np.ndarray:
    mask: np.ndarray = functools.reduce(pc.and_, masks).to_numpy()
    return mask


def _why(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    return "it is UTF-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else error.reason
