"""Random tables: the recipe that is guessed is short, and it runs."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datasets_builder.guess import guess_table
from modeling_multitask.commands.guessed_recipe import MOST_LINES, findings_as_text, guess_as_recipe
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import write_rows

WORDS = [
    "the",
    "app",
    "crashes",
    "when",
    "I",
    "open",
    "it,",
    "and",
    "the",
    "parcel;",
    "never",
    "|",
    "came",
    "é",
    "ü",
    '"',
    "'",
]
NAMES = [
    "id",
    "label",
    "tag_1",
    "tag_2",
    "rater_1",
    "rater_2",
    "col a",
    "x.y",
    "weight",
    "#h",
    "class",
    "a:b",
    "is_x",
    "is_y",
]
ODD = ["a", "B", "good", "Good", "n/a", "none", "x y", "7", "1.0", "true", "[a", '"q', "ü "]
SEEDS = 40

CELLS: list[Callable[[random.Random, int], Any]] = [
    lambda draw, row: draw.choice(ODD[row % 3 :]),
    lambda draw, row: draw.choice(["good", "Good", "bad"]),
    lambda draw, row: draw.choice([0, 1]),
    lambda draw, row: draw.choice([1, None]),
    lambda draw, row: draw.random(),
    lambda draw, row: draw.randint(0, 500),
    lambda draw, row: row,
    lambda draw, row: f"id-{row}",
    lambda draw, row: f"2026-0{draw.randint(1, 9)}-11",
    lambda draw, row: draw.choice(["train", "test", "dev"]),
    lambda draw, row: ";".join(draw.sample("uvw", draw.randint(0, 3))),
    lambda draw, row: str([draw.choice("uvw") for _ in range(draw.randint(0, 2))]),
    lambda draw, row: draw.choice(["4,5", "3", "2,25"]),
    lambda draw, row: text(draw),
]


def text(draw: random.Random) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 12)))


def write(draw: random.Random, path: Path) -> None:
    """Write a table of random columns in a random layout."""
    rows = draw.choice([2, 3, 5, 12, 60])
    columns = {"text": [text(draw) for _ in range(rows)]}
    for name in draw.sample(NAMES, draw.randint(1, 6)):
        cell = draw.choice(CELLS)
        columns[name] = [None if draw.random() < 0.1 else cell(draw, row) for row in range(rows)]
    frame = pd.DataFrame(columns)[draw.sample(list(columns), len(columns))]
    if path.suffix == ".json":
        frame.to_json(path, orient=draw.choice(["records", "columns", "index", "split", "table"]))
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(
            path,
            sep=draw.choice(",;\t|"),
            header=draw.random() < 0.8,
            index=draw.random() < 0.3,
            encoding=draw.choice(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
            quoting=draw.choice([0, 1, 2]),
        )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_guessed_recipe_runs(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(seed)
    path = Path(draw.choice(["t.csv", "t.tsv", "t.txt", "t.jsonl", "t.json"]))
    write(draw, path)

    guess = guess_table(str(path))
    if not guess.columns.labels:
        with pytest.raises(ValueError, match="no column looks like labels"):
            guess_as_recipe(guess)
        return
    recipe = guess_as_recipe(guess)

    assert len(recipe.splitlines()) <= MOST_LINES
    Path("recipe.yaml").write_text(f"{findings_as_text(guess)}\n{recipe}\n", encoding="utf-8")
    assert write_rows(load_recipe("recipe.yaml"), Path("rows.jsonl")) > 0
