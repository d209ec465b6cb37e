"""The words of a join."""

from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, Join, MultiTaskBuilder, Source
from tests.joins import TEAM


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"path": "a.csv"}, r"source\.join\.on: is missing"),
        ({"on": "id"}, "a join needs either path or data, and not both"),
        ({"path": "a.csv", "data": {}, "on": "id"}, "a join needs either path or data, and not both"),
        ({"path": {"id": ["1"]}, "on": "id"}, r"source\.join\.path is a dict; give a table in memory as `data`"),
        (
            {"path": "a.csv", "on": []},
            r"source\.join\.on is \[\]; it must be a column that both tables have, or a list",
        ),
        ({"path": "a.csv", "on": ""}, r"source\.join\.on is ''; it must be a column that both tables have, or a list"),
        (
            {"path": "a.csv", "on": {"id": "ticket"}},
            r"source\.join\.on is \{.*\}; it must be a column that both tables",
        ),
        ({"path": "a.csv", "on": ["id", "id"]}, r"source\.join\.on is .*; name each column once"),
        ({"path": "a.csv", "on": "id", "sheets": "A"}, r"source\.join\.sheets: no such word; did you mean 'sheet'\?"),
        (
            {"path": "a.csv", "on": "id", "delimiter": ";;"},
            r"source\.join\.delimiter is ';;'; it must be one character",
        ),
        ({"path": "a.csv", "on": "id", "header": False}, r"source\.join\.columns must list the names of all columns"),
        ("labels.csv", r"source\.join is 'labels.csv'; it must be a dict of these: path, on"),
    ],
)
def test_words_that_are_wrong_are_an_error(words: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Source("tickets.csv", join=words)


def test_a_source_in_a_dict_may_have_a_join() -> None:
    source = {"data": {"id": ["1"], "text": ["a"]}, "join": {"data": {"id": [1], "team": ["mobile"]}, "on": "id"}}

    builder = MultiTaskBuilder(tasks=[TEAM], train=[source])
    builder.download_and_prepare()

    assert builder.as_dataset()["train"]["team"][:] == [1]


def test_a_wrong_word_in_a_dict_is_an_error_too() -> None:
    source = {"path": "tickets.csv", "join": {"path": "labels.csv", "in": "id"}}

    with pytest.raises(DataError, match=r"source\.join\.in: no such word"):
        MultiTaskBuilder(tasks=[TEAM], train=[source])


def test_a_path_may_be_a_path_of_python() -> None:
    assert Join(path=Path("labels.csv"), on="id").path == "labels.csv"  # type: ignore[arg-type]


def test_a_file_that_does_not_exist_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,team\n1,mobile\n", encoding="utf-8")
    source = Source(data={"id": ["1"], "text": ["a"]}, join=Join(path=str(tmp_path / "label.csv"), on="id"))

    with pytest.raises(DataError, match=r"label\.csv: no such file; did you mean 'labels\.csv'\?"):
        MultiTaskBuilder(tasks=[TEAM], train=[source])
