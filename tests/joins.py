"""Two tables that are joined by an id, the builder of their rows, and their cells."""

from pathlib import Path
from typing import Any

from datasets_builder import Join, MultiTaskBuilder, Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table

TEAM = {"name": "team", "problem_type": "single_label_classification", "labels": ["billing", "mobile"]}
TICKETS = {"id": ["1", "2", "3", "2"], "text": ["a", "b", "c", "d"]}
LABELS = {"id": ["2", "1", "9"], "team": ["billing", "mobile", "mobile"]}


def source(other: Any = None, on: Any = "id", *, rows: Any = None, **words: Any) -> Source:
    join = {"data": LABELS if other is None else other, "on": on}
    return Source(**{"data": TICKETS if rows is None else rows, "join": join, "labels": {"team": "team"}, **words})


def build(*sources: Any, tasks: tuple[dict[str, Any], ...] = (TEAM,), **settings: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=list(tasks), train=list(sources), **settings)
    builder.download_and_prepare()
    return builder


def rows_of(builder: MultiTaskBuilder) -> list[Any]:
    """Return the text and the team of each training row."""
    names = builder.tasks[0].labels or []
    rows = builder.as_dataset()["train"]
    return [(row["text"], None if row["team"] is None else names[row["team"]]) for row in rows]


def joined(rows: Any, other: Any, on: Any = "id") -> Table:
    (table,) = open_tables(Source(data=rows, join=Join(data=other, on=on), labels={}))
    return table


def read(table: Table, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for rows in table.read_rows(list(columns)) for row in rows.chunk.to_pylist()]


def write(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)
