"""The rows of the other table of a join, found by their ids, in all formats."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st

from datasets_builder import DataError, Join, Source
from datasets_builder.cell_words import cell_word
from datasets_builder.joined import JoinedTable
from datasets_builder.sources import open_tables
from tests.joins import LABELS, TEAM, TICKETS, build, joined, read, rows_of, source, write


def test_an_empty_id_matches_no_empty_id() -> None:
    # P150
    rows = {"id": ["1", "", None], "text": ["a", "b", "c"]}
    other = {"id": ["1", None, ""], "team": ["mobile", "billing", "billing"]}

    assert rows_of(build(source(other, rows=rows))) == [("a", "mobile"), ("b", None), ("c", None)]


@pytest.mark.parametrize("ids", [[1, 2], [1.0, 2.0], ["1.0", "2.00"], [1.0, 2.0, None]])
def test_ids_that_are_numbers_are_one_word_in_every_spelling(ids: list[Any]) -> None:
    # P136
    other = {"id": ids, "team": ["billing", "mobile", "mobile"][: len(ids)]}

    assert rows_of(build(source(other)))[:2] == [("a", "billing"), ("b", "mobile")]


def test_ids_with_leading_zeros_are_other_ids() -> None:
    table = joined({"id": ["007", "7"]}, {"id": ["7"], "team": ["x"]})

    assert read(table, "team") == [(None,), ("x",)]


def test_several_columns_may_form_the_id() -> None:
    rows = {"id": ["a,b", "a", "a", "b", ""], "lang": ["c", "b,c", "x", "", ""]}
    other = {"lang": ["b,c", "c", "", "x"], "id": ["a", "a,b", "b", "a\\"], "team": ["first", "second", "third", "no"]}

    assert read(joined(rows, other, ["id", "lang"]), "team") == [("second",), ("first",), (None,), (None,), (None,)]


def test_an_id_may_be_a_path_into_objects() -> None:
    table = joined({"meta": [{"id": 1}, None]}, {"meta": [{"id": "1"}], "team": ["x"]}, "meta.id")

    assert read(table, "team", "meta.id") == [("x", 1), (None, None)]


def test_lists_are_no_ids() -> None:
    other = {"id": [["1"], ["2"]], "team": ["billing", "mobile"]}

    with pytest.raises(DataError, match=r"the joined dict, column 'id': holds list.*, but `join.on` compares words"):
        build(source(other))


def test_rows_with_one_id_may_repeat_if_they_agree() -> None:
    other = {"id": ["1", "1.0", "2", "2"], "team": ["mobile", "mobile", "", None], "unread": ["x", "y", "x", "y"]}

    builder = build(source(other))

    assert rows_of(builder) == [("a", "mobile"), ("b", None), ("c", None), ("d", None)]
    assert "rows of the joined dict" not in builder.notes[0]


def test_rows_of_one_id_that_differ_are_an_error_with_both_lines(tmp_path: Path) -> None:
    # P151
    labels = write(
        tmp_path, "labels.csv", "id,team,other\n2,billing,x\n1,mobile,x\n\n2.0,mobile,x\n1,billing,x\n1,,x\n"
    )

    with pytest.raises(DataError) as caught:
        build(Source(data=TICKETS, join={"path": labels, "on": "id"}, labels={"team": "team"}))

    assert str(caught.value) == (
        f"{labels}, line 5: the row with id '2' differs from that in {labels}, line 2: column 'team' is 'mobile' here, "
        "and 'billing' there (more such ids: 1). A joined table has one row for each id; remove one of the rows"
    )


@pytest.mark.parametrize("cells", [[["late"], ["late", "price"]], [["late"], None], [{"a": 1}, {"a": 2}]])
def test_rows_of_one_id_may_differ_in_lists_and_objects(cells: list[Any]) -> None:
    with pytest.raises(DataError, match=r"the joined dict, row 2: the row with id '1' differs .* column 'tags' is"):
        read(joined({"id": ["1"]}, {"id": ["1", "1"], "tags": cells}), "tags")


def test_rows_of_one_id_may_have_equal_lists() -> None:
    assert read(joined({"id": ["1"]}, {"id": ["1", "1"], "tags": [["late"], ["late"]]}), "tags") == [(["late"],)]


@pytest.mark.parametrize("written", ["csv", "jsonl", "json", "parquet", "sqlite", "folder", "frame", "dataset"])
def test_the_other_table_may_have_any_format(written: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(LABELS)
    given: dict[str, Any] = {"path": str(tmp_path / f"labels.{written}")}
    if written == "csv":
        frame.to_csv(given["path"], index=False, sep="|")
        given["delimiter"] = "|"
    elif written in ("jsonl", "json"):
        frame.to_json(given["path"], orient="records", lines=written == "jsonl")
    elif written == "parquet":
        frame.to_parquet(given["path"])
    elif written == "sqlite":
        with sqlite3.connect(given["path"]) as database:
            frame.to_sql("labels", database)
            frame.to_sql("others", database)
        given["table"] = "labels"
    elif written == "folder":
        (tmp_path / "labels.folder").mkdir()
        for start in (0, 2):
            frame[start : start + 2].to_csv(f"{given['path']}/{start}.csv", index=False)
    else:
        given = {"data": frame if written == "frame" else Dataset.from_pandas(frame)}

    builder = build(Source(data=TICKETS, join={**given, "on": "id"}, labels={"team": "team"}))

    assert rows_of(builder) == [("a", "mobile"), ("b", "billing"), ("c", None), ("d", "billing")]


def test_two_tables_of_one_database_may_be_joined(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.sqlite")
    with sqlite3.connect(path) as database:
        pd.DataFrame(TICKETS).to_sql("tickets", database)
        pd.DataFrame(LABELS).to_sql("labels", database)

    builder = build(
        Source(path, table="tickets", join={"path": path, "table": "labels", "on": "id"}, labels={"team": "team"})
    )

    assert rows_of(builder)[0] == ("a", "mobile")
    assert "desk.sqlite: 1 of 4 rows have no row in the joined table with the same id" in builder.notes[0]


def test_rows_of_two_files_with_one_id_must_agree(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,team\n1,mobile\n")
    write(tmp_path, "b.csv", "id,team\n2,mobile\n1,billing\n")

    with pytest.raises(DataError, match=r"b\.csv, line 3: the row with id '1' differs from that in .*a\.csv, line 2"):
        build(Source(data=TICKETS, join={"path": str(tmp_path), "on": "id"}, labels={"team": "team"}))


def test_a_file_of_columns_may_be_joined(tmp_path: Path) -> None:
    rows = {"id": {"r1": 1, "r2": 2}, "text": {"r1": "a", "r2": "b"}}
    path = write(tmp_path, "tickets.json", json.dumps(rows))

    assert rows_of(build(Source(path, join={"data": LABELS, "on": "id"}, labels={"team": "team"})))[1] == (
        "b",
        "billing",
    )


def test_class_names_of_the_other_table_are_the_labels() -> None:
    features = Features({"id": Value("int64"), "team": ClassLabel(names=["z", "a"])})
    other = Dataset.from_dict({"id": [1, 2], "team": [0, 1]}, features=features)

    builder = build(source(other), tasks=({**TEAM, "labels": None},))

    assert builder.tasks[0].labels == ["z", "a"]
    assert rows_of(builder)[:2] == [("a", "z"), ("b", "a")]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.string_view(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_texts_may_have_any_type_of_arrow(kind: pa.DataType, tmp_path: Path) -> None:
    table = pa.table({"id": pa.array(["2", "1"]).cast(kind), "team": pa.array(["billing", "mobile"]).cast(kind)})
    pq.write_table(table, tmp_path / "labels.parquet")

    builder = build(
        Source(data=TICKETS, join={"path": str(tmp_path / "labels.parquet"), "on": "id"}, labels={"team": "team"})
    )

    assert rows_of(builder)[:2] == [("a", "mobile"), ("b", "billing")]


def test_numbers_of_one_file_and_texts_of_another_are_words(tmp_path: Path) -> None:
    for name, stars in (("a", [1, 2]), ("b", ["3.0", "4"])):
        pq.write_table(pa.table({"id": [f"{name}1", f"{name}2"], "stars": stars}), tmp_path / f"{name}.parquet")
    (table,) = open_tables(Source(data={"id": ["b1", "a2"]}, join=Join(path=str(tmp_path), on="id"), labels={}))

    assert read(table, "stars") == [("3.0",), ("2",)]


def test_lists_of_one_file_and_texts_of_another_are_an_error(tmp_path: Path) -> None:
    for name, stars in (("a", [[1]]), ("b", ["3"])):
        pq.write_table(pa.table({"id": [name], "stars": stars}), tmp_path / f"{name}.parquet")
    (table,) = open_tables(Source(data={"id": ["b"]}, join=Join(path=str(tmp_path), on="id"), labels={}))

    with pytest.raises(DataError, match=r"column 'stars': holds list.* and string in different rows; it must hold one"):
        read(table, "stars")


def test_only_the_read_columns_of_the_other_table_are_kept() -> None:
    other = {**LABELS, "unread": [1, 2, 3]}
    (table,) = open_tables(source(other))
    assert isinstance(table, JoinedTable)

    read(table, "team")

    assert list(table.other.rows([]).cells) == ["team"]


ids = st.sampled_from(["1", "1.0", "2", "x", "X", " x", "007", "7", "", None, "é", "a\0b", "a\0c"])


@given(
    rows=st.lists(ids, min_size=1, max_size=12),
    others=st.lists(ids, min_size=1, max_size=12),
)
def test_a_join_is_the_left_merge_of_pandas_on_words(rows: list[Any], others: list[Any]) -> None:
    def words(cells: list[Any]) -> list[Any]:
        return [cell_word(cell) if cell else None for cell in cells]

    left = pd.DataFrame({"id": words(rows), "number": range(len(rows))})
    right = pd.DataFrame({"id": words(others), "label": [f"label of {each}" for each in words(others)]})
    right = right.dropna(subset="id").drop_duplicates()  # pandas would join empty ids to each other
    merged = left.merge(right, on="id", how="left")

    other = {"id": others, "label": [f"label of {each}" if each else "" for each in words(others)]}
    found = read(joined({"id": rows, "number": list(range(len(rows)))}, other), "number", "label")

    assert found == [
        (number, None if pd.isna(label) else label)
        for number, label in zip(merged["number"], merged["label"], strict=True)
    ]
