"""Sources whose rows get the columns of another table, by an id."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datasets_builder import DataError, Join, LabelColumn, MultiTaskBuilder, Source
from datasets_builder.sources import open_tables
from datasets_builder.tables import Rows
from tests.joins import LABELS, TEAM, TICKETS, build, joined, read, rows_of, source, write

TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["late", "price"]}


def test_each_row_keeps_its_place_and_gets_the_row_with_its_id() -> None:
    # P151: several rows of the source may have one id, and no row is repeated.
    assert rows_of(build(source())) == [("a", "mobile"), ("b", "billing"), ("c", None), ("d", "billing")]


def test_rows_without_a_partner_are_counted_on_both_sides(tmp_path: Path) -> None:
    path = write(tmp_path, "tickets.csv", "id,text\n1,a\n2,b\n3,c\n2,d\n")
    labels = write(tmp_path, "labels.csv", "id,team\n2,billing\n1,mobile\n9,mobile\n,billing\n")

    builder = build(Source(path, join=Join(path=labels, on="id"), labels={"team": "team"}))

    assert builder.notes[0] == (
        "train: tickets.csv: 1 of 4 rows have no row in labels.csv with the same id; 2 of 4 rows of labels.csv are not "
        "used"
    )


@pytest.mark.parametrize(
    ("ids", "note"),
    [
        (["1", "2"], "train: the given dict: 1 of 3 rows of the joined dict are not used"),
        (["1", "2", "9", "0"], "train: the given dict: 1 of 4 rows have no row in the joined dict with the same id"),
    ],
)
def test_only_the_side_with_such_rows_is_told(ids: list[str], note: str) -> None:
    builder = build(source(rows={"id": ids, "text": [f"t{each}" for each in ids]}))

    assert builder.notes[0] == note


def test_a_join_of_which_every_row_has_a_partner_has_no_note() -> None:
    assert build(source(rows={"id": ["1", "2", "9"], "text": ["a", "b", "c"]})).notes == []


def test_a_join_that_matches_no_row_shows_ids_of_both_tables() -> None:
    # P152
    other = {"id": [f"t-{number}" for number in range(7)], "team": ["mobile"] * 7}

    with pytest.raises(
        DataError,
        match=r"no row has a row in the joined dict with the same id\. In the given dict, id is '1', '2', '3'\. "
        r"In the joined dict, it is 't-0', 't-1', 't-2', 't-3', 't-4', \.\.\.\. `join\.on` must name columns with the "
        "same ids",
    ):
        build(source(other))


def test_a_join_by_an_empty_column_says_that_it_is_empty() -> None:
    with pytest.raises(DataError, match=r"In the given dict, id is empty in all rows\. In the joined dict, it is '2'"):
        build(source(rows={"id": [None, ""], "text": ["a", "b"]}))


@pytest.mark.parametrize(
    "words",
    [
        {"text": {"columns": ["text", "title"], "separator": ". "}},
        {"where": {"title": ["x", "y"]}},
        {"weight": "sure"},
        {"labels": {"team": LabelColumn(columns=["first", "title"], join="/")}},
    ],
)
def test_all_words_of_a_source_may_name_columns_of_both_tables(words: dict[str, Any]) -> None:
    rows = {"id": ["1", "2"], "text": ["a", "b"], "first": ["x", "y"], "team": ["m", "b"]}
    other = {"id": ["2", "1"], "title": ["y", "x"], "sure": [0.5, 2]}
    whole = {"id": ["1", "2"], "text": ["a", "b"], "first": ["x", "y"], "team": ["m", "b"], "title": ["x", "y"]}
    task = {**TEAM, "labels": None}

    one = build(source(other, rows=rows, **words), tasks=(task,))
    same = build(Source(**{"data": {**whole, "sure": [2, 0.5]}, "labels": {"team": "team"}, **words}), tasks=(task,))

    assert list(one.as_dataset()["train"]) == list(same.as_dataset()["train"])


def test_a_pattern_matches_columns_of_both_tables() -> None:
    rows = {"id": ["1", "2"], "text": ["a", "b"], "tag_1": ["late", ""]}
    other = {"id": ["1"], "tag_2": ["price"]}

    built = build(source(other, rows=rows, labels={"tags": LabelColumn(columns="tag_*")}), tasks=(TAGS,))

    assert built.as_dataset()["train"]["tags"][:] == [{"late": 1, "price": 1}, None]


def test_rows_without_a_partner_have_the_weight_1() -> None:
    builder = build(source({**LABELS, "sure": [0.5, 0.25, 1]}, weight="sure"))

    assert builder.as_dataset()["train"]["weight"][:] == [0.25, 0.5, 1, 0.5]


def test_an_empty_weight_of_a_partner_is_an_error() -> None:
    with pytest.raises(DataError, match="row 2, column 'sure': '' is not a weight"):
        build(source({**LABELS, "sure": ["", "1", "1"]}, weight="sure"))


def test_the_texts_may_be_in_the_other_table() -> None:
    builder = build(source({"id": ["1"], "text": ["a"]}, rows={"id": ["1", "2"], "team": ["mobile", "billing"]}))

    assert rows_of(builder) == [("a", "mobile")]
    assert "1 rows without a text are left out" in builder.notes[0]


def test_tasks_find_the_columns_of_their_names_in_both_tables() -> None:
    assert rows_of(build(source(labels=None)))[0] == ("a", "mobile")


def test_a_read_column_of_both_tables_is_an_error() -> None:
    other = {**LABELS, "text": ["x", "y", "z"]}

    with pytest.raises(
        DataError, match=r"the given dict and the joined dict both have the column 'text', .*; rename it, or remove it"
    ):
        build(source(other))


def test_an_unread_column_of_both_tables_is_none() -> None:
    rows, other = ({**each, "unread": ["x"] * len(each["id"])} for each in (TICKETS, LABELS))

    assert rows_of(build(source(other, rows=rows)))[0] == ("a", "mobile")


def test_a_column_of_exactly_this_name_comes_before_a_path_in_the_other_table() -> None:
    table = joined({"id": ["1"], "meta": [{"team": "own"}]}, {"id": ["1"], "meta.team": ["theirs"]})

    assert read(table, "meta.team") == [("theirs",)]


def test_a_column_that_neither_table_has_is_an_error_with_the_columns_of_both() -> None:
    with pytest.raises(
        DataError,
        match="the given dict: no column 'taem', and none in the joined dict; their columns are 'id', 'text', 'team'; "
        "did you mean 'team'",
    ):
        build(source(labels={"team": "taem"}))


def test_the_columns_of_the_id_must_be_in_both_tables(tmp_path: Path) -> None:
    labels = write(tmp_path, "labels.csv", "ticket;team\n1;mobile\n")
    of_rows, of_labels = ({"data": TICKETS, "join": {"path": labels, "on": on}} for on in ("ticket", "id"))

    with pytest.raises(DataError, match="the given dict: no column 'ticket'"):
        build(of_rows)
    with pytest.raises(
        DataError, match=r"labels.csv: no column 'id'.* Add `delimiter: \";\"` to `join` of this source"
    ):
        build(of_labels)


def test_a_word_that_does_not_fit_the_other_table_names_the_join(tmp_path: Path) -> None:
    labels = write(tmp_path, "labels.tab", "id\tteam\n1\tmobile\n")

    with pytest.raises(DataError, match=r"the ending is '.tab'; .* add `format` to `join` of this source"):
        build(Source(data=TICKETS, join={"path": labels, "on": "id"}, labels={"team": "team"}))


def test_an_error_in_a_joined_cell_tells_the_other_table() -> None:
    with pytest.raises(
        DataError,
        match=r"row 2, column 'team': 'bill' is not .*(?s:.)*these columns are joined from the joined dict: 'team'",
    ):
        build(source({**LABELS, "team": ["bill", "mobile", "mobile"]}))


def test_inferred_labels_that_are_wrong_tell_the_other_table_too() -> None:
    with pytest.raises(
        DataError, match=r"column 'team': .*(?s:.)*these columns are joined from the joined dict: 'team'"
    ):
        build(source({**LABELS, "team": ["['x", "mobile", "mobile"]}), tasks=({**TEAM, "labels": None},))


def test_the_rows_of_all_tables_of_a_folder_are_counted_together(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,text\n1,a\n3,b\n")
    write(tmp_path, "b.csv", "id,text\n2,c\n4,d\n")

    builder = build(Source(str(tmp_path), join={"data": LABELS, "on": "id"}, labels={"team": "team"}))

    assert "2 of 4 rows have no row in the joined dict with the same id; 1 of 3 rows" in builder.notes[0]


def test_a_label_may_be_the_name_of_the_file_of_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "mobile.csv", "id,text\n1,a\n")
    labels = {"team": LabelColumn(from_="file_name"), "late": "late"}
    late = {"name": "late", "problem_type": "binary_classification", "labels": ["no", "yes"]}

    builder = build(
        Source(path, join={"data": {"id": ["1"], "late": ["no"]}, "on": "id"}, labels=labels), tasks=(TEAM, late)
    )

    assert rows_of(builder) == [("a", "mobile")]


def test_streamed_rows_are_joined() -> None:
    builder = MultiTaskBuilder(tasks=[TEAM], train=[source()], streaming=True)

    assert [row["team"] for row in builder.as_streaming_dataset()] == [1, 0, None, 0]


def test_a_joined_table_can_be_sent_to_another_process() -> None:
    table = joined(TICKETS, LABELS)
    before = read(table, "text", "team")

    assert read(pickle.loads(pickle.dumps(table)), "text", "team") == before


def test_rows_keep_their_lines_and_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "tickets.csv", "id,text\n1,a\n\n2,b\n")
    (table,) = open_tables(Source(path, join=Join(data=LABELS, on="id"), labels={}))

    (rows,) = table.read_rows(["team"])

    assert isinstance(rows, Rows)
    assert (rows.numbers.tolist(), rows.lines.tolist()) == ([1, 2], [2, 4])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LABELS, {**LABELS, "team": ["billing", "mobile", "billing"]}),
        ({**LABELS, "key": ["1", "2", "3"]}, {**LABELS, "key": ["3", "1", "2"]}),
    ],
)
def test_another_content_of_the_other_table_has_another_cache(one: Any, other: Any) -> None:
    hashes = {MultiTaskBuilder(tasks=[TEAM], train=[source(each)]).hash for each in (one, other)}

    assert len(hashes) == 2


def test_the_place_of_the_other_table_does_not_change_the_cache(tmp_path: Path) -> None:
    hashes = set()
    for name in ("a.csv", "b.csv"):
        labels = write(tmp_path, name, "id,team\n1,mobile\n")
        given = Source(data=TICKETS, join={"path": labels, "on": "id"}, labels={"team": "team"})
        hashes.add(MultiTaskBuilder(tasks=[TEAM], train=[given]).hash)

    assert len(hashes) == 1


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_objects_of_both_tables_may_have_the_same_name(tmp_path: Path, ending: str) -> None:
    texts, labels = tmp_path / f"texts.{ending}", tmp_path / f"labels.{ending}"
    save = (
        pd.DataFrame.to_parquet if ending == "parquet" else partial(pd.DataFrame.to_json, orient="records", lines=True)
    )
    save(pd.DataFrame({"data": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]}), texts)
    save(pd.DataFrame({"data": [{"id": 2, "team": "billing"}, {"id": 1, "team": "mobile"}]}), labels)
    join = Join(path=str(labels), on="data.id")

    given = Source(str(texts), "data.text", join=join, labels={"team": "data.team"})

    assert rows_of(build(given)) == [("a", "mobile"), ("b", "billing")]


def test_a_path_that_both_tables_have_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"data": {"id": 1, "text": "x", "team": "mobile"}}\n')
    join = Join(path=str(tmp_path / "b.jsonl"), on="data.id")

    with pytest.raises(DataError, match=r"both have the column 'data\.text'"):
        build(Source(str(tmp_path / "a.jsonl"), "data.text", join=join, labels={"team": "data.team"}))
