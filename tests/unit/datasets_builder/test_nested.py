"""Paths into columns of objects, in every kind of table that can hold objects."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from datasets_builder import DataError, Source
from datasets_builder.nested import root_of, value_at
from datasets_builder.sources import open_tables
from datasets_builder.tables import Table

ROWS = [{"id": 1, "meta": {"team": {"name": "film"}, "tags": ["a"]}}, {"id": 2, "meta": {"team": None, "tags": []}}]


def opened(source: Source) -> Table:
    (table,) = open_tables(source)
    return table


def json_lines(folder: Path, rows: list[Any]) -> Table:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return opened(Source(str(path)))


def parquet(folder: Path, rows: list[Any]) -> Table:
    pd.DataFrame(rows).to_parquet(folder / "rows.parquet")
    return opened(Source(str(folder / "rows.parquet")))


def memory(_: Path, rows: list[Any]) -> Table:
    return opened(Source(data=Dataset.from_list(rows)))


KINDS = pytest.mark.parametrize("make", [json_lines, parquet, memory])


def read(table: Table, *columns: str) -> list[list[Any]]:
    return [chunk[name].to_pylist() for chunk in table.read(list(columns)) for name in columns]


@KINDS
def test_a_path_leads_into_objects_and_is_null_where_an_object_is(
    make: Callable[[Path, list[Any]], Table], tmp_path: Path
) -> None:
    assert read(make(tmp_path, ROWS), "meta.team.name", "meta.tags", "id") == [["film", None], [["a"], []], [1, 2]]


@KINDS
def test_a_column_of_exactly_the_name_comes_first(make: Callable[[Path, list[Any]], Table], tmp_path: Path) -> None:
    assert read(make(tmp_path, [{"a.b": "column", "a": {"b": "path"}}]), "a.b") == [["column"]]


def test_a_path_that_a_row_lacks_is_null(tmp_path: Path) -> None:
    rows = [{"meta": {"team": "film"}}, {"meta": {}}, {"meta": "text"}, {}]

    assert read(json_lines(tmp_path, rows), "meta.team") == [["film", None, None, None]]


def test_a_value_beside_the_path_may_have_any_type(tmp_path: Path) -> None:
    rows = [{"meta": {"team": "film", "score": 1}}, {"meta": {"team": "food", "score": "high"}}]

    assert read(json_lines(tmp_path, rows), "meta.team") == [["film", "food"]]


def test_a_path_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl: no row has the path 'meta.teem'; the columns are 'id', 'meta'"):
        read(json_lines(tmp_path, ROWS), "meta.teem")


@pytest.mark.parametrize("make", [parquet, memory])
def test_a_path_that_a_column_lacks_is_an_error(make: Callable[[Path, list[Any]], Table], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'meta.teem'; column 'meta' holds struct"):
        read(make(tmp_path, ROWS), "meta.teem")


def test_a_table_of_strings_has_no_paths(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,meta\na,b\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"no column 'meta.team'; its columns are 'text', 'meta'"):
        read(opened(Source(str(tmp_path / "rows.csv"))), "meta.team")


def test_class_names_are_found_at_the_end_of_a_path() -> None:
    features = Features({"meta": {"team": ClassLabel(names=["film", "food"])}, "text": Value("string")})
    table = opened(Source(data=Dataset.from_dict({"meta": [{"team": 1}], "text": ["a"]}, features=features)))

    assert table.class_names("meta.team") == ["film", "food"]
    assert read(table, "meta.team") == [["food"]]


def test_the_longest_column_that_begins_a_path_holds_it() -> None:
    assert [root_of(path, ["a", "a.b"]) for path in ("a.b.c", "a.c", "b", "a.b")] == ["a.b", "a", None, "a.b"]


def test_a_name_with_dots_within_an_object_comes_first() -> None:
    assert value_at({"a": {"b.c": 1, "b": {"c": 2}}}, "a.b.c") == (True, 1)
