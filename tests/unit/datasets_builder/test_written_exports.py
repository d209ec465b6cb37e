"""Random exports of annotation tools are read with every label in its place, and nothing else is a label."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builder import MultiTaskBuilder, Source
from tests import annotation_exports as exports
from tests.annotation_exports import Labelled
from tests.fuzz.damage import EXAMPLES, fuzzed

WORDS = ["film", "NA", "None", "007", "1e3", "1", "1.0", "true", " x", "a,b;c", 'say "x"', "'x'", "[x]", "x\ny", "🙂"]
TAGS = ["a", "b c", "nan", "it's", 'say "x"', "007", "1", "1.0", "a,b", "[x]", "back\\slash", "x\ny", "🙂"]
TASKS = {
    "topic": {"name": "topic", "problem_type": "single_label_classification", "labels": WORDS},
    "tags": {"name": "tags", "problem_type": "multi_label_classification", "labels": TAGS},
    "stars": {"name": "stars", "problem_type": "regression"},
}
COMPLETE = [Labelled("the first text", "film", ["a", "b c"], 3), Labelled("the second text", "NA", ["1.0", "nan"], 5)]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.sampled_from(
    ["NA", "null", " ", "#"]
)
ROWS = st.lists(
    st.builds(
        Labelled,
        TEXT,
        st.sampled_from([*WORDS, None]),
        st.none() | st.lists(st.sampled_from(TAGS), unique=True, max_size=3),
        st.sampled_from([1, 2, 3, 4, 5, None]),
    ),
    max_size=5,
).map(COMPLETE.__add__)


class Tool(NamedTuple):
    """How a tool writes rows, which columns hold the answers, and whether it knows the empty set."""

    format: str
    ending: str
    export: Callable[[Sequence[Labelled]], Any]
    columns: dict[str, str]
    has_empty_sets: bool = True


ALL = {name: name for name in TASKS}
TOOLS = {
    "label studio": Tool("label_studio", ".json", exports.label_studio, ALL, has_empty_sets=False),
    "label studio, json-min": Tool("label_studio", ".json", exports.label_studio_min, ALL, has_empty_sets=False),
    "label studio, csv": Tool("label_studio", ".csv", exports.label_studio_csv, ALL, has_empty_sets=False),
    "doccano, one label": Tool("doccano", ".jsonl", exports.doccano, {"topic": "label"}),
    "doccano, several": Tool("doccano", ".jsonl", exports.doccano, {"tags": "label"}),
    "doccano, csv": Tool("doccano", ".csv", exports.doccano_csv, {"tags": "label"}),
    "prodigy, one label": Tool("prodigy", ".jsonl", exports.prodigy, {"topic": "accept"}),
    "prodigy, several": Tool("prodigy", ".jsonl", exports.prodigy, {"tags": "accept"}),
    "argilla": Tool("argilla", ".json", exports.argilla, ALL),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.mark.parametrize("name", TOOLS)
@settings(fuzzed, max_examples=max(EXAMPLES // 4, 1))
@given(rows=ROWS)
def test_every_label_of_an_export_is_read_back(folder: Path, name: str, rows: list[Labelled]) -> None:
    tool = TOOLS[name]
    rows = [_asked(row, tool) for row in rows]
    path = folder / f"export{tool.ending}"
    written = tool.export(rows)
    lines = "\n".join(map(json.dumps, written)) if tool.ending == ".jsonl" else json.dumps(written)
    path.write_text(written if isinstance(written, str) else lines, encoding="utf-8", newline="")

    assert read(path, tool) == [_expected(row, tool) for row in rows if row.text.strip()]


def read(path: Path, tool: Tool) -> list[tuple[Any, ...]]:
    """Read the rows: the text, and by task a name, the names that are 1, or a number."""
    quoting = {"quoting": "minimal"} if tool.ending == ".csv" else {}
    source = Source(str(path), format=tool.format, labels=tool.columns, **quoting)  # type: ignore[arg-type]
    tasks = [TASKS[name] for name in tool.columns]
    builder = MultiTaskBuilder(tasks=tasks, train=[source], cache_dir=str(path.parent / "cache"))
    builder.download_and_prepare()
    rows = builder.as_dataset()["train"].to_list()
    return [(row["text"], *(_label(row[name], TASKS[name].get("labels")) for name in tool.columns)) for row in rows]


def _asked(row: Labelled, tool: Tool) -> Labelled:
    """Return the row with the answers to the questions of the tool."""
    return Labelled(row.text, **{name: getattr(row, name) for name in tool.columns})


def _expected(row: Labelled, tool: Tool) -> tuple[Any, ...]:
    tags = row.tags if tool.has_empty_sets or row.tags else None
    if row.tags is None and tool.format == "doccano":
        tags = []  # doccano does not tell an unlabelled text from one without labels
    answers = {"topic": row.topic, "tags": None if tags is None else set(tags), "stars": row.stars}
    return (row.text, *(answers[name] for name in tool.columns))


def _label(value: Any, names: Any) -> Any:
    if isinstance(value, dict):
        return {name for name, there in value.items() if there}
    return value if value is None or names is None else names[value]
