"""A CSV table of texts, and the same table with answer columns added."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BATCH = 32
_DELIMITERS = ",;\t"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # the first characters of a spreadsheet formula


class TableError(ValueError):
    """A table that the user has to fix."""


@dataclass
class GivenTable:
    """A CSV table with its cells unchanged.

    Args:
        columns: Column names.
        rows: Rows, each with one cell per column.
        delimiter: Delimiter between two cells.
        marked: Whether the file starts with a UTF-8 byte order mark, as spreadsheets write and expect it.
    """

    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    delimiter: str = ","
    marked: bool = False


def read_given_table(path: Path, most_rows: int | None = None) -> GivenTable:
    """Read the table in a CSV file. The delimiter is the most frequent of comma, semicolon and tab in the first line.

    Args:
        path: The file.
        most_rows: Maximum number of rows.

    Raises:
        TableError: If the file is not readable, has no rows or too many rows, or has a row whose number of cells
            differs from the header.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"the file is not UTF-8 (byte {error.start + 1}); save it as CSV in UTF-8") from None
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    table = GivenTable([], delimiter=delimiter, marked=content.startswith(b"\xef\xbb\xbf"))
    for line, cells in _lines(text, delimiter):
        if not table.columns:
            table.columns = _checked_columns(cells)
        elif len(cells) != len(table.columns):
            raise TableError(f"line {line}: {len(cells)} cells, but the header has {len(table.columns)}")
        elif len(table.rows) == most_rows:
            raise TableError(f"the table has more than {most_rows:,} rows, which is the limit here; upload fewer rows")
        else:
            table.rows.append(cells)
    if not table.columns:
        raise TableError("the file is empty; its first line must contain the column names")
    if not table.rows:
        raise TableError("the table has a header but no rows; add at least one row")
    return table


def likely_text(table: GivenTable) -> str:
    """Guess the text column: a column named `text` or `sentence`, or else the column with the most characters."""
    named = [name for name in table.columns if name.strip().lower() in ("text", "sentence")]
    letters = [sum(len(row[i]) for row in table.rows) for i in range(len(table.columns))]
    return named[0] if named else table.columns[letters.index(max(letters))]


def answer_columns(tasks: Sequence[Any]) -> list[str]:
    """Return the names of the added columns: each task and its score. A regression task has no score column."""
    kinds = [(task.name, () if task.kind.is_number else ("_score",)) for task in tasks]
    return [f"{name}{ending}" for name, endings in kinds for ending in ("", *endings)]


def check_columns(table: GivenTable, tasks: Sequence[Any]) -> None:
    """Raise a `TableError` if the table already has a column with the name of an answer column."""
    if taken := [name for name in answer_columns(tasks) if name in table.columns]:
        raise TableError(f"the table already has a column {taken[0]!r}, and the answers need this name; rename it")


def answer_rows(classify: Any, texts: Sequence[str]) -> Iterator[list[list[str]]]:
    """Yield the answer cells of the texts, one batch at a time. They are empty for a blank text."""
    tasks = classify.model.config.tasks
    empty = [""] * len(answer_columns(tasks))
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        answers = iter(classify([text for text in batch if text.strip()], batch_size=BATCH))
        filled = ([cell for task in tasks for cell in _cells(task, row[task.name])] for row in answers)
        yield [next(filled) if text.strip() else empty for text in batch]


def write_answer_table(table: GivenTable, path: Path) -> None:
    """Write a table with the delimiter and encoding that it was read with."""
    with path.open("w", encoding="utf-8-sig" if table.marked else "utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=table.delimiter)
        writer.writerow(table.columns)
        writer.writerows(table.rows)


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that is not empty, with its line number."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise TableError(f"line {reader.line_num}: not CSV ({error})") from None


def _checked_columns(names: list[str]) -> list[str]:
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise TableError(f"the header names a column more than once: {', '.join(map(repr, doubled))}")
    return names


def _cells(task: Any, answer: Any) -> list[str]:
    if task.kind.is_number:
        return [_number(answer["score"])]
    if isinstance(answer, list):
        labels, scores = ([each[key] for each in answer] for key in ("label", "score"))
        return [json.dumps(labels, ensure_ascii=False), json.dumps(scores)]
    return [_guarded(answer["label"] or ""), _number(answer["score"])]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _guarded(label: str) -> str:
    """Return a label that a spreadsheet does not read as a formula."""
    return f"'{label}" if label.startswith(_FORMULA) else label
