"""The fast reader of JSON lines gives the rows, lines and errors of Python's parser, or leaves the content to it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets_builder import DataError, byte_blocks
from datasets_builder.byte_blocks import IrregularError
from datasets_builder.json_blocks import kinds_of, objects_in_blocks, plain_columns
from datasets_builder.object_tables import JsonLinesTable

VALUES = [
    '"a"',
    '"2024-01-01"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"é\u2028"',
    '"}\\n{"',
    "1",
    "1.5",
    "1e5",
    "-0",
    "null",
]
VALUES += [
    "true",
    "NaN",
    "Infinity",
    "9007199254740993",
    "9223372036854775808",
    "[]",
    '["a", "b"]',
    '{"b": 1}',
    "01",
    "[1, 2.5]",
    "[null]",
    '["2024-01-01"]',
]
LINES = [
    "\n",
    "\r\n",
    "  \n",
    "{}\n",
    '{"text": "a"}{"text": "b"}\n',
    '{"text":\n',
    '"a"}\n',
    '{"a": 1, "a": 2}\n',
    "[1]\n",
]
LINES += ['{"text": null, "text": "a"}\n', "\u00a0\n", "\ufeff", ' {"text": "a"}\n', '{"text": "a"}', "\r", "\0\n"]

Read = tuple[list[tuple[Any, ...]], str | None]


def rows_of(path: Path) -> Read:
    """Return the rows with their lines, and the message of the error that ends them."""
    table = JsonLinesTable(path)
    rows: list[tuple[Any, ...]] = []
    try:
        names = [name for name in ("text", "n", "meta.b") if name in table.columns or name == "meta.b"]
        names = names if "meta" in table.columns else [name for name in names if name != "meta.b"] or ["text"]
        for chunk, _, lines, _ in table.read_rows(names):
            rows += zip(*chunk.to_pydict().values(), lines.tolist(), strict=True)
    except DataError as error:
        return rows, str(error)
    return rows, None


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.one_of(
            st.sampled_from(LINES),
            st.builds('{{"text": {}, "n": {}}}\n'.format, st.sampled_from(VALUES), st.sampled_from(VALUES)),
            st.builds('{{"text":"x","n":{}}}\n'.format, st.sampled_from(VALUES[6:11])),
            st.builds('{{"n": {}, "meta": {{"b": {}}}}}\n'.format, st.sampled_from(VALUES), st.sampled_from(VALUES)),
        ),
        max_size=12,
    ),
    block=st.integers(1, 60),
)
def test_any_content_is_read_as_by_pythons_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str], block: int
) -> None:
    def irregular(*_: Any) -> Iterator[Any]:
        raise IrregularError

    path = tmp_path / "t.jsonl"
    path.write_bytes("".join(rows).encode())
    monkeypatch.setattr(byte_blocks, "BLOCK_BYTES", block)
    with monkeypatch.context() as context:
        context.setattr("datasets_builder.object_tables.objects_in_blocks", irregular)
        expected = rows_of(path)

    read = rows_of(path)

    assert read[1] == expected[1]
    assert read[1] is not None or read[0] == expected[0]


def test_written_lines_need_no_python_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"text": "two\nlines, é", "n": 1, "tags": ["x"]},
        {"n": None, "text": 'a "b"', "done": True},
        {"text": "\\ {", "n": 2.5},
    ] * 20
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setattr(byte_blocks, "BLOCK_BYTES", 256)

    with path.open("rb") as file:
        chunks = [plain_columns(objects, ["text", "n", "done", "tags"]) for objects, _ in objects_in_blocks(file)]

    read = [row for chunk in chunks for row in chunk.to_pylist()]
    assert read == [{name: row.get(name) for name in ("text", "n", "done", "tags")} for row in rows]
    assert {"-".join(kinds_of(chunk["tags"])) for chunk in chunks} == {"list-string"}
    assert len(chunks) > 5


@pytest.mark.parametrize("values", [["2024-01-01"] * 2, [9007199254740993, 0.5], [["2024-01-01"]], [{"b": 1}] * 2])
def test_values_that_pyarrow_would_change_are_left_to_python(tmp_path: Path, values: list[Any]) -> None:
    """PITFALLS P161: pyarrow reads dates in JSON, and rounds whole numbers if there are fractions."""
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": value}) + "\n" for value in values), encoding="utf-8")

    with path.open("rb") as file, pytest.raises(IrregularError):
        [kinds_of(objects["text"]) for objects, _ in objects_in_blocks(file)]
