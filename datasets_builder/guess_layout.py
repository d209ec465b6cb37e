"""Guess how a table is written in its file: format, encoding, delimiter, header, and lines above the header."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from datasets_builder.cell_tables import CellTable, Row
from datasets_builder.compressed import format_ending, opened
from datasets_builder.csv_tables import CsvTable, TsvTable
from datasets_builder.encodings import SAMPLE, guessed_encoding
from datasets_builder.guess_tools import exporting_tool
from datasets_builder.layout import Layout
from datasets_builder.sheet_tables import SheetTable
from datasets_builder.sources import FORMAT_OF_ENDING, OTHERS, PACKED, tables_at
from datasets_builder.sqlite_tables import SqliteTable
from modeling_multitask.errors import DataError
from modeling_multitask.files import is_file

DELIMITERS = (",", ";", "\t", "|", "@")
NAMES_OF_COLUMNS = frozenset(
    {
        "id", "index", "text", "texts", "sentence", "sentence1", "sentence2", "content", "body", "title", "review",
        "comment", "message", "tweet", "post", "question", "answer", "description", "label", "labels", "class",
        "category", "topic", "intent", "sentiment", "emotion", "target", "tags", "split",
    }
)  # fmt: skip
_ROWS = 200  # that are read for each delimiter
_MOST_SKIPPED = 20  # lines above a header
_AGREEING = 0.9  # the share of the rows with the same number of cells
_MARKS = {b"PK\3\4": "xlsx", b"SQLite format 3\0": "sqlite", b"PAR1": "parquet", b"ARROW1": "arrow"}
_NOT_A_NAME = re.compile(
    r"[-+]?[\d.,]+(e[-+]?\d+)?%?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*|https?://.*|.*[.!?…。？！]", re.I | re.S
)


@dataclass(frozen=True)
class LayoutGuess:
    """How a table is written.

    Args:
        words: The words of the source to add to a recipe, without its path.
        found: What was found, in words, by subject: `encoding`, `delimiter` and others.
    """

    words: dict[str, Any] = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)

    def adding(self, subject: str, found: str, **words: Any) -> "LayoutGuess":
        """Return the guess with one more finding, and its words."""
        return LayoutGuess({**self.words, **words}, {**self.found, subject: found})


class _Cut(NamedTuple):
    """The rows that a delimiter makes, the number of cells of most of them, and how well they agree with each other.

    `first` is the place of the first row with that number of cells. `share` is that of such rows among the rows below.
    """

    delimiter: str
    rows: list[Row]
    width: int
    first: int
    share: float


def guess_layouts(path: Path) -> list[LayoutGuess]:
    """Return how the table of a file is written; for a workbook or a database, one guess for each table.

    Raises:
        DataError: If the file cannot be opened or decoded.
    """
    kind, guess = _format(path)
    if kind in ("xlsx", "ods"):
        return _sheets(path, guess)
    if kind == "sqlite":
        return _tables(path, guess)
    if kind in PACKED:
        return [guess]
    guess = _encoding(path, guess)
    if kind == "txt":
        guess = _text_or_cells(path, guess)
    elif kind in ("csv", "tsv"):
        guess = _cells(path, TsvTable if kind == "tsv" else CsvTable, guess)
    if (tool := exporting_tool(path, kind, Layout(**guess.words))) is not None:
        guess = guess.adding("format", f"an export of {tool}", format=tool)
    return [guess]


def _format(path: Path) -> tuple[str, LayoutGuess]:
    """Return the format, with the word for it if the ending does not name it."""
    ending = format_ending(path) if is_file(path) else path.suffix
    known = FORMAT_OF_ENDING.get(ending)
    if known is not None or ending in OTHERS or not is_file(path):
        tables_at(path, Layout())  # which raises what is wrong with the path
    if known in PACKED:
        return known, LayoutGuess(found={"format": known})
    begin = _beginning(path)
    text = begin.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    by_content = next((kind for mark, kind in _MARKS.items() if begin.startswith(mark)), None)
    if known is None:
        by_content = by_content or ("json" if text[:1] in "[{" and text else "txt")
        guess = LayoutGuess(found={"format": f"{by_content}, by its content"}, words={"format": by_content})
        return by_content, guess
    if known == "jsonl" and text.startswith("["):
        return "json", LayoutGuess({"format": "json"}, {"format": "a JSON array"})
    return known, LayoutGuess(found={"format": known})


def _beginning(path: Path) -> bytes:
    try:
        with opened(path) as file:
            return bytes(file.read(SAMPLE))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _encoding(path: Path, guess: LayoutGuess) -> LayoutGuess:
    encoding = guessed_encoding(_beginning(path))
    if encoding in (None, "utf-8"):  # another encoding is reported by the reader
        return guess.adding("encoding", "utf-8")
    return guess.adding("encoding", str(encoding), encoding=encoding)


def _sheets(path: Path, guess: LayoutGuess) -> list[LayoutGuess]:
    names = SheetTable(path).sheets()
    chosen = [{"sheet": name} for name in names] if len(names) > 1 else [{}]
    guesses = []
    for words in chosen:
        found = {"sheet": f"{words['sheet']!r}, one of {len(names)}"} if words else {}
        guess_of_sheet = LayoutGuess({**guess.words, **words}, {**guess.found, **found})
        rows = list(islice(SheetTable(path, Layout(**guess_of_sheet.words)).all_rows(), _ROWS))
        guesses.append(_with_header(guess_of_sheet, _cut("", [_without_end(row) for row in rows])))
    return guesses


def _tables(path: Path, guess: LayoutGuess) -> list[LayoutGuess]:
    names = SqliteTable(path).tables()
    if len(names) < 2:
        return [guess]
    return [guess.adding("table", f"{name!r}, one of {len(names)}", table=name) for name in names]


def _text_or_cells(path: Path, guess: LayoutGuess) -> LayoutGuess:
    """Return the layout of a text file, which is one text in each line unless all lines have the same cells."""
    cut = _best_cut(path, CsvTable, guess)
    if cut.width < 2 or cut.share < 1 or len(cut.rows) - cut.first < 3 or _is_prose(cut):
        words = {name: each for name, each in guess.words.items() if name != "format"}
        words |= {"format": "txt"} if "format" in guess.words else {}
        return LayoutGuess(words, guess.found | {"format": "txt: one text in each line"})
    return _cells(path, CsvTable, guess.adding("format", "csv: all lines have the same number of cells", format="csv"))


def _is_prose(cut: _Cut) -> bool:
    """Return whether a space follows most of the commas or semicolons."""
    cells = [cell for row in cut.rows[cut.first :] for cell in row.cells[1:]]
    return cut.delimiter in (",", ";") and sum(cell.startswith(" ") for cell in cells) > len(cells) / 2


def _cells(path: Path, kind: type[CsvTable], guess: LayoutGuess) -> LayoutGuess:
    cut = _best_cut(path, kind, guess)
    own = CsvTable.separator if guess.words.get("format") == "csv" else kind.separator
    name = "tab" if cut.delimiter == "\t" else cut.delimiter
    words = {} if cut.delimiter == own else {"delimiter": name}
    shown = "none, because there is one column" if cut.width == 1 else name if name == "tab" else f'"{name}"'
    guess = _with_header(guess.adding("delimiter", shown, **words), cut)
    return _quoting(path, kind, guess)


def _best_cut(path: Path, kind: type[CsvTable], guess: LayoutGuess) -> _Cut:
    """Return the rows of the delimiter that gives most rows the same number of cells; by default, the format's own."""
    own = kind.separator
    cuts, errors = [], []
    for delimiter in sorted(DELIMITERS, key=lambda each: each != own):  # `max` returns the first of equals
        try:
            cuts.append(_cut_at(path, kind, delimiter, guess.words.get("encoding")))
        except DataError as error:
            errors.append(error)
    if not cuts:
        raise errors[0]
    several = [cut for cut in cuts if cut.width > 1 and cut.share >= _AGREEING]
    best = max(several, key=lambda cut: _rank(cut, own), default=cuts[0])
    below_lines = best.first > 0 and not names_columns(best.rows[best.first].cells, [])
    return cuts[0] if below_lines and cuts[0].width == 1 and cuts[0].share == 1 else best


def _rank(cut: _Cut, own: str) -> tuple[float, int, bool, bool, int]:
    """Return a number that is larger for a more probable delimiter: rows agree, and no space follows it as in prose."""
    return round(cut.share, 2), -cut.first, not _is_prose(cut), cut.delimiter == own, cut.width


def _cut_at(path: Path, kind: type[CsvTable], delimiter: str, encoding: str | None) -> _Cut:
    """Return the rows of a delimiter, with quotes as ordinary characters if more rows agree then."""
    layouts = [Layout(delimiter=delimiter, encoding=encoding, quoting=quoting) for quoting in ("minimal", "none")]
    plain = _cut(delimiter, list(islice(kind(path, layouts[1]).all_rows(), _ROWS)))
    try:
        quoted = _cut(delimiter, list(islice(kind(path, layouts[0]).all_rows(), _ROWS)))
    except DataError:
        return plain
    return quoted if quoted.share == 1 or quoted.share >= plain.share else plain


def _cut(delimiter: str, rows: list[Row]) -> _Cut:
    rows = [row for row in rows if any(row.cells)]
    widths = [len(row.cells) for row in rows]
    if not widths:
        return _Cut(delimiter, [], 1, 0, 0.0)
    width = Counter(widths).most_common(1)[0][0]
    # A line above the header, such as `Report;;`, may have all separators, but it has one cell only.
    first = next((i for i, row in enumerate(rows) if len(row.cells) == width and _filled(row) >= min(width - 1, 2)), 0)
    names = {cell.strip().casefold() for row in rows[:first] for cell in row.cells}
    first = 0 if first > _MOST_SKIPPED or names & NAMES_OF_COLUMNS else first
    return _Cut(delimiter, rows, width, first, widths[first:].count(width) / len(widths[first:]))


def _filled(row: Row) -> int:
    return sum(cell != "" for cell in row.cells)


def _without_end(row: Row) -> Row:
    """Return a row of a sheet, which has as many cells as the widest one, without the empty cells at its end."""
    count = next((i for i in range(len(row.cells), 0, -1) if row.cells[i - 1]), 0)
    return row._replace(cells=row.cells[:count])


def _with_header(guess: LayoutGuess, cut: _Cut) -> LayoutGuess:
    """Return the guess with the lines to skip, and with names for the columns if no row names them."""
    if not cut.rows:
        return guess
    header, below = cut.rows[cut.first], cut.rows[cut.first + 1 :]
    if (skipped := header.line - 1) > 0:
        guess = guess.adding("skip_rows", f"{skipped} above the table", skip_rows=skipped)
    if names_columns(header.cells, [row.cells for row in below]):
        return guess.adding("header", "yes")
    width = max(len(row.cells) for row in [header, *below])
    columns = [f"column_{i}" for i in range(1, (width if cut.delimiter == "" else len(header.cells)) + 1)]
    return guess.adding("header", "no, the first row has values", header=False, columns=columns)


def names_columns(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row of a table names the columns: its cells are names, and none of them occurs below."""
    given = [cell.strip() for cell in first]
    if any(cell.casefold() in NAMES_OF_COLUMNS for cell in given):
        return True
    if any(len(cell) > 60 or len(cell.split()) > 6 or _NOT_A_NAME.fullmatch(cell) for cell in given):
        return False
    values = [{row[i].strip() for row in below if i < len(row)} for i in range(len(given))]
    return not any(cell and cell in values[i] for i, cell in enumerate(given))


def _quoting(path: Path, kind: type[CsvTable], guess: LayoutGuess) -> LayoutGuess:
    """Return the guess with `quoting` if the table can be read only with it."""
    plain = guess.adding("quoting", "none: quotes are ordinary characters", quoting="none")
    quoted = guess.adding("quoting", "minimal: cells in quotes have line breaks and delimiters", quoting="minimal")
    readable = (each for each in (guess, plain, quoted) if _is_readable(kind(path, Layout(**each.words))))
    return next(readable, guess)


def _is_readable(table: CellTable) -> bool:
    try:
        for _ in islice(table.objects(), _ROWS):
            pass
    except DataError:
        return False
    return True
