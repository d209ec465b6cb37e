"""Sources whose rows are chosen by `where`, and whose texts and labels are made of several columns."""

from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TOPIC = {"name": "topic", "problem_type": "single_label_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification"}
NUMBER = {"name": "number", "problem_type": "regression"}
TABLE = {"text": ["a", "b", "c", "d"], "part": ["1", "1.0", "2", ""], "topic": ["x", "y", "zz", "x"]}


def build(*tasks: dict[str, Any], **words: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=list(tasks), train=[Source(**{"data": TABLE, **words})])
    builder.download_and_prepare()
    return builder


def texts(where: dict[str, Any], **words: Any) -> list[str]:
    return list(build({**TOPIC, "labels": ["x", "y", "zz"]}, where=where, **words).as_dataset()["train"]["text"])


def labels(task: dict[str, Any], column: LabelColumn, **words: Any) -> list[Any]:
    builder = build(task, labels={task["name"]: column}, **words)
    names = builder.tasks[0].labels
    found = builder.as_dataset()["train"][task["name"]][:]
    if task is TAGS:
        return [each and {label for label, there in each.items() if there} for each in found]
    return [names[each] if names and each is not None else each for each in found]


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"part": 1}, ["a", "b"]),
        ({"part": "1.00"}, ["a", "b"]),
        ({"part": [1, "2"]}, ["a", "b", "c"]),
        ({"part": 1, "topic": ["y", "zz"]}, ["b"]),
        ({"part": ["", 2]}, ["c", "d"]),
    ],
)
def test_where_compares_words_and_a_row_must_match_all_columns(where: dict[str, Any], kept: list[str]) -> None:
    assert texts(where) == kept


def test_where_may_be_a_path_into_objects() -> None:
    table = {"text": ["a", "b", "c"], "meta": [{"kind": "post"}, {"kind": "note"}, None], "topic": ["x", "y", "y"]}

    assert texts({"meta.kind": ["post", ""]}, data=table) == ["a", "c"]


def test_labels_are_those_of_the_kept_rows() -> None:
    assert build(TOPIC, where={"part": 1}).tasks[0].labels == ["x", "y"]


def test_kept_rows_keep_their_numbers_in_messages() -> None:
    # P140
    with pytest.raises(DataError, match=r"row 3, column 'topic': 'zz' is not one of 'x', 'y'"):
        build({**TOPIC, "labels": ["x", "y"]}, where={"part": 2})


def test_a_where_that_matches_no_row_shows_what_the_columns_hold() -> None:
    with pytest.raises(DataError, match=r"`where` matches no row: column 'part' holds '1', '2', ''; column 'topic'"):
        build(TOPIC, where={"part": 7, "topic": "x"})


def test_a_where_may_match_in_one_of_several_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,topic,part\na,x,1\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("text,topic,part\nb,x,2\nc,y,2\n", encoding="utf-8")

    assert list(MultiTaskBuilder(tasks=[TOPIC], train=[Source(str(tmp_path), where={"part": 2})]).tasks[0].labels) == [
        "x",
        "y",
    ]


def test_where_compares_no_lists() -> None:
    with pytest.raises(DataError, match=r"column 'part': holds list.*, but `where` compares words"):
        build(TOPIC, data={"text": ["a"], "part": [["1"]], "topic": ["x"]}, where={"part": 1})


def test_streamed_rows_are_chosen_too() -> None:
    source = Source(data=TABLE, where={"part": 1}, labels={"topic": LabelColumn("topic")})

    builder = MultiTaskBuilder(tasks=[{**TOPIC, "labels": ["x", "y"]}], train=[source], streaming=True)

    assert [row["text"] for row in builder.as_streaming_dataset()] == ["a", "b"]


def test_each_split_has_its_own_rows_of_one_table() -> None:
    parts = {name: [Source(data=TABLE, where={"part": part})] for name, part in (("train", 1), ("test", ""))}

    builder = MultiTaskBuilder(tasks=[TOPIC], **parts)
    builder.download_and_prepare()

    assert {name: list(rows["text"]) for name, rows in builder.as_dataset().items()} == {
        "train": ["a", "b"],
        "test": ["d"],
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"where": {"part": 1}}, {"where": {"part": [1, 2]}}),
        ({"labels": {"topic": LabelColumn(constant="x")}}, {"labels": {"topic": LabelColumn(constant="y")}}),
        ({"text": {"columns": ["text", "part"]}}, {"text": {"columns": ["text", "part"], "separator": " "}}),
    ],
)
def test_other_words_have_another_cache(one: dict[str, Any], other: dict[str, Any]) -> None:
    tasks = [{**TOPIC, "labels": ["x", "y", "zz"]}]
    hashes = {MultiTaskBuilder(tasks=tasks, train=[Source(data=TABLE, **words)]).hash for words in (one, other)}

    assert len(hashes) == 2


def test_a_file_with_another_name_has_another_cache(tmp_path: Path) -> None:
    tasks, hashes = [{**TOPIC, "labels": ["a", "b"]}], set()
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("text\nc\n", encoding="utf-8")
        source = Source(str(tmp_path / f"{name}.csv"), labels={"topic": LabelColumn(from_="file_name")})
        hashes.add(MultiTaskBuilder(tasks=tasks, train=[source]).hash)

    assert len(hashes) == 2


def test_aliases_apply_to_a_label_of_two_columns() -> None:
    column = LabelColumn(columns=["topic", "part"], join="-", aliases={"x-1": "first"}, missing=["zz"])

    assert labels(TOPIC, column) == ["first", "y-1", None, None]


def test_a_multi_label_task_may_have_a_constant() -> None:
    assert labels(TAGS, LabelColumn(constant="web")) == [{"web"}] * 4


def test_a_constant_may_be_a_number() -> None:
    assert labels(NUMBER, LabelColumn(constant=1.5)) == [1.5] * 4


def test_words_for_no_label_apply_to_cells_of_several_columns() -> None:
    column = LabelColumn(columns=["topic", "part"], none=["zz"], aliases={"1": "one"})
    table = {"text": ["a", "b", "c"], "topic": ["x", "zz", ""], "part": ["1", "", ""]}

    assert labels(TAGS, column, data=table) == [{"x", "one"}, set(), None]


def test_a_made_column_never_hides_a_column_of_the_table() -> None:
    table = {"text": ["a"], "p": ["x"], "q": ["y"], "p/q": ["z"]}
    columns = {"topic": LabelColumn(columns=["p", "q"], join="/"), "other": LabelColumn("p/q")}

    tasks = [{**TOPIC, "labels": ["x/y", "w"]}, {**TOPIC, "name": "other", "labels": ["z", "w"]}]

    built = build(*tasks, data=table, labels=columns)

    assert built.as_dataset()["train"][0] == {"text": "a", "topic": 0, "other": 0}


def test_tokens_are_joined_by_spaces() -> None:
    table = {"text": [["Good", "soup"], ["Hm"], []], "topic": ["x", "y", "x"]}

    assert list(build(TOPIC, data=table).as_dataset()["train"]["text"]) == ["Good soup", "Hm"]


@pytest.mark.parametrize(
    ("task", "column", "message"),
    [
        (TAGS, {"columns": ["topic", "part"], "join": "/"}, "several labels for each row, but join makes one label"),
        (TAGS, {"column": "topic", "separator": ">", "level": 1}, "for each row, but level makes one label; remove it"),
        (TAGS, {"votes": ["topic", "part"]}, "several labels for each row, but votes makes one label; remove it"),
        (TOPIC, {"columns": {"x": "part"}}, "one label for each row, but columns names the column of each label"),
        (TOPIC, {"columns": ["topic", "part"]}, 'name one column, or add `join: "/"` if their cells form one label'),
        (TOPIC, {"columns": "t*"}, "columns names several columns; name one column"),
    ],
)
def test_words_of_another_kind_of_task_are_refused(task: dict[str, Any], column: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(task, labels={task["name"]: column})
