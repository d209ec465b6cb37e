"""JSON files: arrays, JSON lines and the forms of pandas, with the line of what is wrong."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table

FRAME = pd.DataFrame({"text": ['a "b"\n', "größe", "text"], "topic": ["film", None, "data"], "n": [1.0, 2.5, 3.0]})


def table(folder: Path, content: str, name: str = "t.json") -> Table:
    (folder / name).write_text(content, encoding="utf-8")
    (opened,) = open_tables(Source(str(folder / name), labels={"topic": "topic"}))
    return opened


def read(folder: Path, content: str, name: str = "t.json") -> dict[str, list[Any]]:
    opened = table(folder, content, name)
    return pa.concat_tables(opened.read(["text", "topic"])).to_pydict()


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_form_of_pandas_with_names_is_read(tmp_path: Path, orient: Any, indent: int | None) -> None:
    content = FRAME.to_json(orient=orient, indent=indent, force_ascii=False)

    assert read(tmp_path, content) == {"text": ['a "b"\n', "größe", "text"], "topic": ["film", None, "data"]}


def test_lists_by_column_are_read(tmp_path: Path) -> None:
    content = json.dumps({"text": ["a", "b"], "topic": ["film", None]})

    assert read(tmp_path, content) == {"text": ["a", "b"], "topic": ["film", None]}


@pytest.mark.parametrize(
    "content", ['{"text": "a"}', '{"text": "a"}\n{"text": "b", "topic": "film"}\n', '\n{"text": "a"}\n']
)
def test_json_lines_may_end_in_json(tmp_path: Path, content: str) -> None:
    (opened,) = [table(tmp_path, content)]

    assert [text for chunk in opened.read(["text"]) for text in chunk["text"].to_pylist()] == ["a", "b"][
        : content.count("{")
    ]


def test_the_rows_of_an_array_have_the_lines_at_which_they_begin(tmp_path: Path) -> None:
    opened = table(tmp_path, '\n[{"text": "a"},\n{"text":\n"b"}\n,\n\n  {"text": "c"}]\n')

    assert [rows.lines.tolist() for rows in opened.read_rows(["text"])] == [[2, 3, 7]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"text": "a"},\n{"text": "b"\n', r"line 4: the JSON array is not valid \(Expecting ',' delimiter\)"),
        ('[\n{"text": "a"}\n{"text": "b"}]', r"line 3: the JSON array is not valid \(Expecting ',' delimiter\)"),
        ('[{"text": "a"},\n]', r"line 2: the JSON array is not valid \(Expecting value\)"),
        ('[{"text": "a"}]\n\nx', r"line 3: the JSON array is not valid \(Extra data\)"),
        (
            '[{"text": "a"},\n{"text": "b", "text": "c"}]',
            r"line 2: the JSON array is not valid \('text' occurs more than on",
        ),
        (f'[{{"text": {"1" * 5000}}}]', r"line 1: the JSON array is not valid \(Exceeds the limit"),
        ("[" * 100_000, r"line 1: the JSON array is not valid"),
        ('[{"text": "a"},\n["b"]]', r'line 2: \["b"\] in the array is not an object with names'),
        ('[["a", "film"]]', r'line 1: \["a", "film"\] in the array is not an object'),
        ('{"text": {"0": "a"},\n"topic": {"0" "b"}}', r"line 2: the JSON object is not valid \(Expecting ':' delim"),
        ('{\n"text": "a", "text": "b"}', r"'text' occurs more than once in an object"),
        ('"text"', r't\.json: "text" is not a table; the file must be an array of objects'),
        ('{"rows": [{"text": "a"}], "n": 1}', r"one JSON object \('rows', 'n'\), which is not a table; write an array"),
        ('{"columns": ["text", "text"], "data": []}', "`columns` has a name more than once"),
        ('{"columns": ["text", "topic"], "data": [["a"]]}', r'row 1: \["a"\] is not a list of 2 values'),
        ('{"schema": {}, "data": [{"text": "a"}, 1]}', "row 2: 1 is not an object with names"),
        (
            '[{"text": "a", "topic": "x"},\n{"text": "b", "topic": 1}]',
            "line 2, column 'topic': 1 is a number, but line 1 has",
        ),
        ("[]", r"t\.json: no rows"),
        (" \n", r"t\.json: no rows"),
        ('{"text": "a"\n{"text": "b"}', r"line 2: the JSON object is not valid"),
        ('{"text": "a" "b"}\n{"text": "b"}', r"line 1: not JSON \(.*\); each line must be one object"),
    ],
)
def test_an_invalid_file_is_one_error_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.json", '[["a", "film"],\n["b", null]]'), ("t.jsonl", '["a", "film"]\n\n["b", null]\n')],
)
def test_rows_that_are_lists_have_the_given_columns(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    (opened,) = open_tables(Source(str(tmp_path / name), header=False, columns=["text", "topic"]))

    assert pa.concat_tables(opened.read(["text", "topic"])).to_pydict() == {"text": ["a", "b"], "topic": ["film", None]}


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_without_columns_the_error_says_how_to_name_those_of_lists(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"{name}, line 1: .* add `header: false` and `columns` to this source"):
        table(tmp_path, '["a", "film"]' if name == "t.jsonl" else '[["a", "film"]]', name).columns  # noqa: B018


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.json", '[["a", "film"],\n["b"]]', r't\.json, line 2: \["b"\] is not a list of 2 values, as in `columns`'),
        ("t.json", '[{"text": "a"}]', r't\.json, line 1: {"text": "a"} is not a list of 2 values'),
        (
            "t.json",
            '{"text": "a"}',
            r't\.json: {"text": "a"} is not a table; .* an array of lists, because `columns` is',
        ),
        ("t.jsonl", '["a", "film"]\n{"text": "b"}', r't\.jsonl, line 2: {"text": "b"} is not a list of 2 values'),
    ],
)
def test_with_columns_every_row_is_a_list_of_their_number(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    (opened,) = open_tables(Source(str(tmp_path / name), header=False, columns=["text", "topic"]))

    with pytest.raises(DataError, match=message):
        list(opened.read(["text", "topic"]))


def test_an_object_of_objects_holds_columns_only_if_it_has_those_of_the_recipe(tmp_path: Path) -> None:
    rows = {"text": {"text": "a", "topic": "x"}, "other": {"text": "b", "topic": "y"}}

    assert read(tmp_path, json.dumps(rows)) == {"text": ["a", "b"], "topic": ["x", "y"]}


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_nan_is_a_gap_also_among_texts(tmp_path: Path, name: str) -> None:
    rows = [{"text": "a", "topic": float("nan")}, {"text": "b", "topic": "x"}, {"text": float("nan"), "topic": "y"}]
    content = json.dumps(rows) if name == "t.json" else "\n".join(map(json.dumps, rows))

    assert read(tmp_path, content, name) == {"text": ["a", "b", None], "topic": [None, "x", "y"]}
