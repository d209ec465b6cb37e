"""Read tables of texts with all cells unchanged, and write them with the answers as new columns."""

import contextlib
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_builder import DataError, Source
from datasets_builder.formats import WRITABLE
from datasets_builder.labels import is_text
from datasets_builder.local_path import as_given
from datasets_builder.sources import open_tables

from ..files import strict_json, whole_file, without_formula
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text
from ..words_multitask import nearest_hint


def read_table(path: Path, *texts: str) -> pa.Table:
    """Return a table from a file in any supported format. Every cell of a CSV file is a string.

    Raises:
        DataError: If the file cannot be read or lacks a text column.
    """
    [given] = open_tables(Source(as_given(path)))
    try:
        table = pa.concat_tables(given.read(given.columns), promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"{path}: a column mixes types of values ({error})") from None
    for text in texts:
        if text not in table.column_names:
            columns, hint = ", ".join(map(repr, table.column_names)), nearest_hint(text, table.column_names)
            raise DataError(f"{path}: no column {text!r}; its columns are {columns}{hint}")
        check_holds_text(str(path), text, table.schema.field(text).type)
    return table


def check_holds_text(table: str, column: str, kind: pa.DataType) -> None:
    """Raise a `DataError` unless a column of a table holds texts or only nulls."""
    values = kind.value_type if pa.types.is_dictionary(kind) else kind  # the type of a pandas category
    if not (is_text(values) or pa.types.is_null(values)):
        raise DataError(f"{table}: the column {column!r} holds {kind}, not text")


def texts_or_none(table: pa.Table, columns: Sequence[str]) -> list[Text | None]:
    """Return the text, or the pair of texts, of each row, or `None` if a text is null, empty or only white space.

    Args:
        table: N rows.
        columns: One column of texts, or two for pairs.
    """
    rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
    present = (row if all(text and not text.isspace() for text in row) else None for row in rows)
    return [row[0] if row is not None and len(row) == 1 else row for row in present]


def write_table(table: pa.Table, path: Path, *, safe_csv: bool = False) -> None:
    """Write CSV (lists as JSON), JSON lines or Parquet, chosen by the path's ending. No partial file is left.

    Args:
        table: The table.
        path: The path.
        safe_csv: Whether texts in CSV that a spreadsheet would run as a formula begin with an apostrophe.
    """
    write_tables([table], path, safe_csv=safe_csv)


def write_tables(tables: Iterable[pa.Table], path: Path, *, safe_csv: bool = False) -> int:
    """Write tables one after the other into one file, as `write_table` does, and return the number of rows."""
    check_ending(path)
    write = _WRITERS[path.suffix.lower()]
    with whole_file(path) as partial:
        return _write_csv(tables, partial, safe=True) if safe_csv and write is _write_csv else write(tables, partial)


def check_ending(path: Path, allowed: Sequence[str] = WRITABLE) -> None:
    """Raise a `DataError` unless the file's ending is allowed. By default all formats that can be written are."""
    if path.suffix.lower() not in allowed:
        raise DataError(f"{path}: the ending is {path.suffix!r}; it must be one of {', '.join(allowed)}")


def answer_names(tasks: list[TaskConfig], prefix: str = "") -> list[str]:
    """Return the names of the columns that `add_answers` adds."""
    kinds = [(task.name, () if task.kind.is_number else ("_score",)) for task in tasks]
    return [f"{prefix}{name}{ending}" for name, endings in kinds for ending in ("", *endings)]


def check_answer_columns(columns: Sequence[str], tasks: list[TaskConfig], prefix: str = "") -> None:
    """Raise a `DataError` if a table already has a column that `add_answers` adds."""
    if taken := [name for name in answer_names(tasks, prefix) if name in columns]:
        raise DataError(f"the input already has a column {taken[0]!r}; rename the answers with --prefix")


def add_answers(
    table: pa.Table, answers: Sequence[dict[str, Any] | None], tasks: list[TaskConfig], prefix: str = ""
) -> pa.Table:
    """Return the table with the columns of `columns_of_answers`."""
    for name, column in columns_of_answers(answers, tasks, prefix).items():
        table = table.append_column(name, column)
    return table


def columns_of_answers(
    answers: Sequence[dict[str, Any] | None], tasks: list[TaskConfig], prefix: str = ""
) -> dict[str, pa.Array]:
    """Return each task's answer and score by column: lists for a multi-label task, one number for a regression.

    Args:
        answers: The answers to each row. All columns of a row without answers, `None`, are null.
        tasks: The tasks, in order.
        prefix: The prefix of the columns.
    """
    columns: dict[str, pa.Array] = {}
    for task in tasks:
        given, name = [row and row[task.name] for row in answers], f"{prefix}{task.name}"
        if task.kind.is_number:
            columns[name] = pa.array(_parts(given, "score"), pa.float64())
        elif task.kind.several_labels:
            columns[name] = pa.array([row and _parts(row, "label") for row in given], pa.list_(pa.string()))
            columns[f"{name}_score"] = pa.array([row and _parts(row, "score") for row in given], pa.list_(pa.float64()))
        else:
            columns[name] = pa.array(_parts(given, "label"), pa.string())
            columns[f"{name}_score"] = pa.array(_parts(given, "score"), pa.float64())
    return columns


def _parts(answers: Iterable[dict[str, Any] | None], name: str) -> list[Any]:
    return [each and each[name] for each in answers]


def _write_csv(tables: Iterable[pa.Table], path: Path, *, safe: bool = False) -> int:
    rows, convert = 0, without_formula if safe else _unchanged
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, table in enumerate(tables):
            if number == 0:
                writer.writerow(map(convert, table.column_names))
            for row in table.to_pylist():
                writer.writerow(convert(_csv_cell(cell)) for cell in row.values())
            rows += len(table)
    return rows


def _unchanged(cell: Any) -> Any:
    return cell


def _csv_cell(cell: Any) -> Any:
    return strict_json(cell, default=str) if isinstance(cell, list | dict) else cell


def _write_jsonl(tables: Iterable[pa.Table], path: Path) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for table in tables:
            for row in table.to_pylist():
                file.write(strict_json(row, ensure_ascii=False, default=str) + "\n")
            rows += len(table)
    return rows


def _write_parquet(tables: Iterable[pa.Table], path: Path) -> int:
    rows, writer = 0, None
    with contextlib.ExitStack() as stack:
        for table in tables:
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)
            rows += len(table)
    return rows


_WRITERS = dict(zip(WRITABLE, (_write_csv, _write_jsonl, _write_parquet), strict=True))
