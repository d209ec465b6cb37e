"""Recognise the exports of annotation tools by their columns."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_builder.csv_tables import CsvTable
from datasets_builder.json_tables import JsonTable
from datasets_builder.layout import Layout
from datasets_builder.object_tables import JsonLinesTable

_TABLES: dict[str, type[CsvTable | JsonLinesTable]] = {"csv": CsvTable, "jsonl": JsonLinesTable, "json": JsonTable}
_ROWS = 20

Shape = Callable[[dict[str, Any]], bool]


def exporting_tool(path: Path, kind: str, layout: Layout) -> str | None:
    """Return the annotation tool that exports rows of this shape, or `None`.

    Args:
        path: The file.
        kind: Its format.
        layout: How it is written.

    Raises:
        DataError: If the file cannot be read.
    """
    if kind not in _TABLES:
        return None
    rows = [row for _, row in islice(_TABLES[kind](path, layout).objects(), _ROWS)]
    return next((tool for tool, fits in _SHAPES.items() if rows and all(map(fits, rows))), None)


def _is_label_studio(row: dict[str, Any]) -> bool:
    if isinstance(row.get("annotations"), list) and isinstance(row.get("data"), dict):
        return True
    return {"annotation_id", "annotator", "lead_time"} <= row.keys()


def _is_argilla(row: dict[str, Any]) -> bool:
    return isinstance(row.get("fields"), dict) and ("responses" in row or "suggestions" in row)


def _is_prodigy(row: dict[str, Any]) -> bool:
    return {"_input_hash", "_task_hash"} <= row.keys() and "answer" in row


def _is_doccano(row: dict[str, Any]) -> bool:
    label = row.get("label")
    return (
        {"id", "label", "Comments"} <= row.keys()
        and isinstance(label, list | str)
        and bool({"text", "data"} & row.keys())
    )


_SHAPES: dict[str, Shape] = {
    "label_studio": _is_label_studio,
    "argilla": _is_argilla,
    "prodigy": _is_prodigy,
    "doccano": _is_doccano,
}
