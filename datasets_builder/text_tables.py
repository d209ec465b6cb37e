"""Tables in text files: the bytes and the encoding, and files of lines."""

import abc
import codecs
import functools
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

import numpy as np
import pyarrow as pa

from datasets_builder.byte_blocks import IrregularError
from datasets_builder.columns import TEXT
from datasets_builder.compressed import opened
from datasets_builder.encodings import WESTERN, Recoded, first_undecodable, is_utf_8, way_out, without_order
from datasets_builder.layout import delimiter_in_yaml
from datasets_builder.tables import CHUNK_ROWS, FileTable, Lines
from modeling_multitask.errors import DataError

MARKS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}


class TextTable(FileTable):
    """A table in a text file, in UTF-8 or the encoding of the layout."""

    @functools.cached_property
    def encoding(self) -> str:
        """The encoding, by its name in Python. That of UTF-8 allows a byte order mark."""
        name = codecs.lookup(self.layout.encoding or "utf-8").name
        with self._readable():
            return "utf-8-sig" if name == "utf-8" else without_order(self.path, name)

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


class BlockTable(TextTable):
    """A table in a text file, whose regular content is read in blocks by a faster parser than Python's.

    The class after it in the order of bases reads the content from the first irregular block on.
    """

    @abc.abstractmethod
    def _regular_chunks(self, columns: list[str], file: IO[bytes]) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield chunks as `_chunks` does from a file in UTF-8, until an `IrregularError` is raised."""

    @contextmanager
    def _utf_8(self) -> Iterator[IO[bytes]]:
        with self._bytes() as file:
            yield file if self.encoding == "utf-8-sig" else cast("IO[bytes]", Recoded(file, self.encoding))

    def _chunks(self, columns: list[str]) -> Iterator[tuple[pa.Table, Lines | None]]:
        read = 0
        try:
            with self._utf_8() as file:
                for chunk, lines in self._regular_chunks(columns, file):
                    # In parts of equal size, because processes share the work by chunks.
                    for rows in np.array_split(np.arange(len(chunk)), -(-len(chunk) // CHUNK_ROWS)):
                        yield chunk.slice(rows[0], len(rows)), lines[rows]
                        read += len(rows)
        except (IrregularError, UnicodeError):
            for chunk, of_chunk in super()._chunks(columns):  # type: ignore[safe-super]
                if len(chunk) > read:
                    yield chunk[read:], of_chunk and of_chunk[read:]
                read = max(0, read - len(chunk))


class LinesTable(TextTable):
    """A file with one text in each line, in the column `text`. Blank lines are no rows."""

    def _columns(self) -> list[str]:
        return [TEXT]

    def _separator_hint(self, missing: str) -> str:
        with self._text(newline=None) as file:
            first = next((line.strip() for line in file if line.strip()), "")
        for mark, name in MARKS.items():
            if mark in first and missing in first.split(mark):
                words = "`format: csv`" if mark == "," else f"`format: csv` and {delimiter_in_yaml(mark)}"
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


def _why(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    return "it is UTF-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else error.reason
