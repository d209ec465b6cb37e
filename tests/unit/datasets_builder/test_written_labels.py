"""Random tables with labels of every kind, as pandas and polars write them, are read with every label in its place.

FUZZ_EXAMPLES=4000 python -m pytest tests/unit/datasets_builder/test_written_labels.py
"""

import csv
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import LabelColumn, MultiTaskBuilder, Source
from tests.fuzz.damage import EXAMPLES, fuzzed

WORDS = ["film", "NA", "nan", "null", "None", "007", "1e3", "1", "1.0", "True", "true", " x", "x ", "a,b;c\td", "-1"]
WORDS += ['say "x"', "'x'", "[x]", "x\ny", "🙂", "é"]
TAGS = ["a", "b c", "None", "nan", "it's", 'say "x"', "007", "1", "1.0", "a,b", "[x]", "back\\slash", "x\ny", "🙂"]
TASKS = [
    {"name": "topic", "problem_type": "single_label_classification", "labels": WORDS},
    {"name": "code", "problem_type": "single_label_classification", "labels": ["0", "1", "2"]},
    {"name": "hours", "problem_type": "regression"},
    {"name": "tags", "problem_type": "multi_label_classification", "labels": TAGS},
    {"name": "flags", "problem_type": "multi_label_classification", "labels": ["late", "broken"]},
]
LABELS = {
    "topic": "topic",
    "code": "code",
    "hours": "hours",
    "tags": "tags",
    "flags": LabelColumn(columns={"late": "is_late", "broken": "is_broken"}),
}
COLUMNS = ["text", "topic", "code", "hours", "tags", "is_late", "is_broken"]
Rows = list[tuple[Any, ...]]
COMPLETE: Rows = [  # so that each task has labels, and each column of polars a type
    ("the first text", "film", 0, 0.5, ["a"], True, False),
    ("the second text", "NA", 2, 1.0, ["b c", "1.0"], False, True),
]
HARD = [
    "NA",
    "nan",
    "null",
    "None",
    "1.0",
    "007",
    "1e3",
    "True",
    "[]",
    "#N/A",
    "",
    " ",
    "\t",
    '"',
    "''",
    "a\n\nb",
    "\\",
]
# Without what XML does not allow, and without line breaks other than \n, which XML and lines of CSV change.
PLAIN = st.text(
    st.one_of(
        st.sampled_from(",;|\t\n \"'"),
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    )
)
FLAG = st.sampled_from([True, False, None])
ROWS = st.lists(
    st.tuples(
        st.sampled_from(HARD) | PLAIN,
        st.sampled_from([*WORDS, None]),
        st.sampled_from([0, 1, 2, None]),
        st.integers(-800, 800).map(lambda each: each / 8) | st.none(),
        st.lists(st.sampled_from(TAGS), unique=True, max_size=3) | st.none(),
        FLAG,
        FLAG,
    ),
    max_size=5,
).map(lambda rows: COMPLETE + rows)


class Writer(NamedTuple):
    """How a table is written, and the words of the source that reads it."""

    ending: str
    write: Callable[[pd.DataFrame, Path], object]
    words: dict[str, Any] = {}  # noqa: RUF012, never changed


def to_csv(ending: str = ".csv", words: dict[str, Any] | None = None, **how: Any) -> Writer:
    how = {"index": False} | how
    return Writer(ending, lambda frame, path: frame.to_csv(path, **how), {"quoting": "minimal"} | (words or {}))


def to_json(orient: Any, words: dict[str, Any] | None = None, ending: str = ".json", **how: Any) -> Writer:
    return Writer(ending, lambda frame, path: frame.to_json(path, orient=orient, **how), words or {})


def to_sql(frame: pd.DataFrame, path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        frame.assign(tags=frame["tags"].map(lambda tags: None if _is_missing(tags) else str(tags))).to_sql(
            "rows", connection
        )


def in_workbook(text: str) -> str:
    """Return the text without what openpyxl writes as a formula (=), an error (#N/A) or another character (_x0041_)."""
    return re.sub("^[=#]|_x", "-", text)


def to_excel(frame: pd.DataFrame, path: Path, **how: Any) -> None:
    frame.assign(text=frame["text"].map(in_workbook)).to_excel(path, **how)


def by_polars(write: Callable[[pl.DataFrame, Path], object]) -> Callable[[pd.DataFrame, Path], None]:
    def convert(frame: pd.DataFrame, path: Path) -> None:
        columns = {name: [None if _is_missing(cell) else cell for cell in frame[name]] for name in frame}
        write(pl.DataFrame(columns, strict=False), path)

    return convert


WRITERS: dict[str, Writer] = {
    "csv": to_csv(),
    "csv with an index": to_csv(index=True),
    "csv, all quoted": to_csv(quoting=csv.QUOTE_ALL),
    "csv, texts quoted": to_csv(quoting=csv.QUOTE_NONNUMERIC, sep=";", words={"delimiter": ";"}),
    "csv of Windows": to_csv(lineterminator="\r\n", encoding="utf-8-sig"),
    "csv of an old Mac": to_csv(lineterminator="\r", quoting=csv.QUOTE_ALL),
    "csv in UTF-16": to_csv(encoding="utf-16", sep="\t", words={"delimiter": "tab", "encoding": "utf-16"}),
    "csv with decimal commas": Writer(
        ".csv",
        lambda frame, path: frame.astype({"code": "Int64"}).to_csv(path, decimal=",", sep="|", index=False),
        {"delimiter": "|", "decimal": ",", "quoting": "minimal"},
    ),
    "csv without a header": to_csv(header=False, words={"header": False, "columns": COLUMNS}),
    "tsv": to_csv(".tsv", sep="\t"),
    **{f"csv{packed}": to_csv(f".csv{packed}") for packed in (".gz", ".bz2", ".xz", ".zip")},
    **{f"json, {orient}": to_json(orient) for orient in ("records", "columns", "index", "split", "table")},
    "json, values": to_json("values", {"header": False, "columns": COLUMNS}),
    "json, indented": to_json("records", indent=2, force_ascii=False),
    "json lines": to_json("records", ending=".jsonl", lines=True),
    "json lines.gz": to_json("records", ending=".jsonl.gz", lines=True),
    "xlsx": Writer(".xlsx", lambda frame, path: to_excel(frame, path, index=False)),
    "xlsx with an index": Writer(".xlsx", to_excel),
    "parquet": Writer(".parquet", lambda frame, path: frame.to_parquet(path)),
    "parquet with an index": Writer(".parquet", lambda frame, path: frame.to_parquet(path, index=True)),
    "sqlite": Writer(".sqlite", to_sql),
    "csv by polars": Writer(
        ".csv",
        by_polars(lambda frame, path: frame.with_columns(pl.col("tags").map_elements(_as_json)).write_csv(path)),
        {"quoting": "minimal"},
    ),
    "json by polars": Writer(".json", by_polars(lambda frame, path: frame.write_json(path))),
    "json lines by polars": Writer(".jsonl", by_polars(lambda frame, path: frame.write_ndjson(path))),
    "parquet by polars": Writer(".parquet", by_polars(lambda frame, path: frame.write_parquet(path))),
    "arrow by polars": Writer(".arrow", by_polars(lambda frame, path: frame.write_ipc(path))),
    "arrow stream by polars": Writer(".arrow", by_polars(lambda frame, path: frame.write_ipc_stream(path))),
}


def read(path: Path, **words: Any) -> Rows:
    """Read the rows with the label of each task: a name, a number, or by name all labels of a set that are not 0."""
    source = Source(str(path), labels=LABELS, **words)
    builder = MultiTaskBuilder(tasks=TASKS, train=[source], cache_dir=str(path.parent / "cache"))
    builder.download_and_prepare()
    names = {task["name"]: task.get("labels") for task in TASKS}
    rows = builder.as_dataset()["train"].to_list()
    return [(row["text"], *(_label(row[name], labels) for name, labels in names.items())) for row in rows]


def expected(rows: Rows) -> Rows:
    """Return the documented meaning of the rows, in the form of `read`."""
    return [
        (text, topic, None if code is None else str(code), hours, _set_of(tags), _flags(late, broken))
        for text, topic, code, hours, tags, late, broken in rows
        if text.strip()
    ]


def _label(value: Any, names: list[str] | None) -> Any:
    if isinstance(value, dict):
        return {name: there for name, there in value.items() if there != 0}
    return value if value is None or names is None else names[value]


def _set_of(tags: list[str] | None) -> dict[str, int] | None:
    return None if tags is None else dict.fromkeys(tags, 1)


def _flags(late: bool | None, broken: bool | None) -> dict[str, int | None] | None:
    cells = {"late": late, "broken": broken}
    if late is None and broken is None:
        return None
    return {name: None if there is None else 1 for name, there in cells.items() if there is not False}


def _is_missing(cell: Any) -> bool:
    return not isinstance(cell, list) and bool(pd.isna(cell))


def _as_json(tags: pl.Series) -> str:
    return json.dumps(tags.to_list())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("name", WRITERS)
@settings(fuzzed, max_examples=max(EXAMPLES // 6, 1))
@given(rows=ROWS)
def test_every_label_is_read_back(folder: Path, name: str, rows: Rows) -> None:
    writer = WRITERS[name]
    path = folder / f"t{writer.ending}"
    writer.write(pd.DataFrame(rows, columns=COLUMNS), path)

    found = read(path, **writer.words)

    if writer.ending == ".xlsx":
        rows = [(in_workbook(row[0]), *row[1:]) for row in rows]
    assert found == expected(rows)
