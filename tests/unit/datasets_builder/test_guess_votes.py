"""A long table, whose rows with the same id and text have a vote each, is recognised, and no other table is."""

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_builder.guess import guess_table
from datasets_builder.guess_columns import ColumnsGuess, guess_columns
from datasets_builder.guess_sample import Sample
from modeling_multitask.commands.guessed_recipe import guess_as_recipe
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import write_rows

IDS = [7, 8, 9] * 3
LONG: dict[str, list[Any]] = {
    "id": IDS,
    "text": [f"a text number {i} of some length" for i in IDS],
    "rater": ["ann"] * 3 + ["bob"] * 3 + ["eve"] * 3,
    "label": ["yes", "no", "yes", "yes", "no", "no", "no", "yes", "yes"],
    "team": ["shop", "desk", "shop"] * 3,
}
VOTES = {"votes": {"column": "label", "by": "id"}}


def columns(**changed: list[Any]) -> ColumnsGuess:
    cells = LONG | changed
    return guess_columns(Sample(cells, [], len(cells["id"]), is_whole=True))


def given(**changed: list[Any]) -> dict[str, Any]:
    """How a source names the labels of each column."""
    return {each.columns[0]: each.given for each in columns(**changed).labels}


def test_the_labels_that_differ_within_an_id_are_votes() -> None:
    assert given() == {"label": VOTES, "team": "team"}


def test_the_columns_of_ids_and_raters_are_left_out_with_the_reason() -> None:
    assert columns().left_out == {
        "id": "the ids of texts, each with several votes",
        "rater": "raters, by its name",
    }


def test_a_text_may_have_a_single_vote() -> None:
    more = {name: [*cells, cells[0]] for name, cells in LONG.items()}

    found = given(**more | {"id": [*IDS, 10], "text": [*LONG["text"], "another text"]})

    assert found["label"] == VOTES


@pytest.mark.parametrize(
    "changed",
    [
        {"text": [f"text {i}" for i in range(9)]},
        {"text": ["the same text for all of them"] * 9},
        {"id": list(range(9))},
        {"id": [7, 8, 9] * 2 + [10, 11, 12]},
        {"id": [None, 8, 9] * 3},
        {"label": ["yes", "no", "yes"] * 3},
        {"team": ["shop", "desk"] * 4 + ["desk"]},
        {"label": [["a", "b"], ["b"], []] * 2 + [["a"], ["b"], []]},
        {"label": [0.5, 1.5, 2.5, 1.5, 0.5, 2.5, 2.5, 0.5, 1.5]},
        {"label": ["yes", "yes", "no", "yes", "yes", "yes", "no", "no", "yes"]},
    ],
    ids=[
        "texts differ",
        "one text",
        "ids differ",
        "two ids of one text",
        "no id",
        "no label differs",
        "two labels differ",
        "lists",
        "numbers",
        "one majority",
    ],
)
def test_other_tables_have_no_votes(changed: dict[str, list[Any]]) -> None:
    assert not any("votes" in each for each in given(**changed).values() if isinstance(each, dict))


def test_a_column_of_another_name_is_no_id() -> None:
    cells = {"parcel" if name == "id" else name: each for name, each in LONG.items()}

    labels = guess_columns(Sample(cells, [], len(IDS), is_whole=True)).labels

    assert [each.given for each in labels if isinstance(each.given, dict)] == []


def test_the_recipe_of_a_long_table_reads_it(tmp_path: Path) -> None:
    lines = [",".join(LONG), *(",".join(map(str, row)) for row in zip(*LONG.values(), strict=True))]
    (tmp_path / "long.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(guess_as_recipe(guess_table(str(tmp_path / "long.csv"))), encoding="utf-8")

    write_rows(load_recipe(tmp_path / "recipe.yaml"), tmp_path / "rows.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["text"][:15], row["label"], row["team"]) for row in rows] == [
        ("a text number 7", "yes", "shop"),
        ("a text number 8", "no", "desk"),
        ("a text number 9", "yes", "shop"),
    ]
