"""The votes whose majority is the label of a row: kept in a column for reports, and nowhere else."""

from typing import Any

import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TONE = {"name": "tone", "problem_type": "binary_classification", "labels": ["no", "yes"]}
RATED = {"text": ["a", "b", "c"], "one": ["no", "no", ""], "two": ["no", "yes", ""], "three": ["yes", "", ""]}
RATERS = ["one", "two", "three"]


def builder_of(*sources: Source, **settings: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=[TONE], train=list(sources), with_place=True, **settings)
    builder.download_and_prepare()
    return builder


def voted(**words: Any) -> Source:
    return Source(data=RATED, labels={"tone": LabelColumn(votes=RATERS, **words)})


def shares(rows: Any) -> list[list[float] | None]:
    """The rounded votes of each row. `datasets` may give a struct of nulls for null."""
    given = [list((each or {"": None}).values()) for each in rows["tone_votes"]]
    return [None if each[0] is None else [round(share, 3) for share in each] for each in given]


def test_a_row_has_the_share_of_its_raters_for_each_label() -> None:
    rows = builder_of(voted()).as_dataset()["train"]

    assert rows["tone"] == [0, None, None]
    assert shares(rows) == [[0.667, 0.333], [0.5, 0.5], None]


def test_a_merged_row_has_the_votes_of_the_first_one_and_others_have_none() -> None:
    plain = Source(data={"text": ["c", "a", "d"], "tone": ["yes", "no", "no"]}, labels={"tone": "tone"})

    rows = builder_of(voted(), plain).as_dataset()["train"]

    assert dict(zip(rows["text"], rows["tone"], strict=True)) == {"a": 0, "b": None, "c": 1, "d": 0}
    assert shares(rows) == [[0.667, 0.333], [0.5, 0.5], None, None]


def test_held_out_rows_keep_their_own_votes() -> None:
    data = {
        "text": [f"text {i}" for i in range(40)],
        "one": ["no", "yes"] * 20,
        "two": ["no"] * 40,
        "three": ["yes"] * 40,
    }
    source = Source(data=data, labels={"tone": LabelColumn(votes=RATERS)})

    parts = builder_of(source, split={"test": 0.5, "seed": 0}).as_dataset()

    for rows in parts.values():
        odd = [int(text.split()[1]) % 2 for text in rows["text"]]
        assert shares(rows) == [[0.333, 0.667] if each else [0.667, 0.333] for each in odd]


def test_streamed_rows_have_votes_too() -> None:
    builder = MultiTaskBuilder(tasks=[TONE], train=[voted()], with_place=True, streaming=True)

    rows = list(builder.as_streaming_dataset("train"))

    assert [round(rows[0]["tone_votes"][label], 3) for label in ("no", "yes")] == [0.667, 0.333]


def test_a_distribution_is_not_kept_twice() -> None:
    assert "tone_votes" not in builder_of(voted(as_="distribution")).as_dataset()["train"].column_names


def test_only_reports_need_votes() -> None:
    builder = MultiTaskBuilder(tasks=[TONE], train=[voted()])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"].column_names == ["text", "tone"]


def test_a_task_cannot_have_the_name_of_a_column_of_votes() -> None:
    data = {**RATED, "tone_votes": ["1", "2", "3"]}
    source = Source(data=data, labels={"tone": LabelColumn(votes=RATERS), "tone_votes": "tone_votes"})
    tasks = [TONE, {"name": "tone_votes", "problem_type": "regression"}]

    with pytest.raises(DataError, match="a task is called 'tone_votes', which is the column of the votes of another"):
        MultiTaskBuilder(tasks=tasks, train=[source], with_place=True)
