"""The schema of recipes, which editors use, admits the values that a recipe may have."""

from pathlib import Path
from typing import Any

import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.schema import recipe_schema
from modeling_multitask.recipes.yaml_file import read_yaml
from tests.conftest import MINILM, ROOT
from tests.pages import PAGES, Block, blocks_of, recipe_with
from tests.schemas import schema_problems

SCHEMA = recipe_schema()
RECIPES = [*(ROOT / "configuration" / "recipes").glob("*.yaml"), *(ROOT / "tests" / "cases").glob("*/recipe.yaml")]
BLOCKS = [
    pytest.param(block, id=f"{page}-{i}")
    for page in PAGES
    for i, block in enumerate(blocks_of(page))
    if block.language == "yaml" and not block.mark.startswith("not run: ")
]
TASK = {"name": "topic", "problem_type": "single_label_classification"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name + "/" + path.stem)
def test_a_recipe_follows_the_schema(path: Path) -> None:
    assert schema_problems(read_yaml(path), SCHEMA) == []


@pytest.mark.parametrize("block", BLOCKS)
def test_a_recipe_of_a_page_follows_the_schema(block: Block) -> None:
    assert schema_problems(recipe_with(block), SCHEMA) == []


def recipe(task: dict[str, Any] | None = None, source: Any = None, **data: Any) -> dict[str, Any]:
    """Return a recipe with words of a task, of its label column or of the data."""
    train = source if isinstance(source, str) else {"path": "rows.csv", "labels": {"topic": source or "topic"}}
    return {"backbone": MINILM, "tasks": [TASK | (task or {})], "data": {"train": train} | data}


@pytest.mark.parametrize(
    "given",
    [
        recipe({"labels": [0, 1.5, "two"]}),
        recipe({"aliases": {1: "yes", "x": 0}, "missing": [-1, True, "?"]}),
        recipe({"problem_type": "multi_label_classification", "labels": ["a", "b"], "none": [0], "pos_weight": 2.0}),
        recipe({"problem_type": "binary_classification", "labels": [0, 1], "pos_weight": [2]}),
        recipe({"class_weights": {"a": 1, "b": 2.5}}),
        recipe(source={"constant": 3}),
        recipe(source={"constant": False}),
        recipe(source={"column": "topic", "aliases": {1: 0}, "missing": [-1], "none": []}),
        recipe(source={"votes": ["a", "b"], "as": "majority"}),
        recipe(source={"votes": {"column": "a", "by": "b"}, "as": "distribution"}),
        recipe(source="rows.csv", missing_text=-1),
        recipe(missing_text=[-1, "none"], validation=["a.csv", {"path": "b.csv"}]),
        recipe() | {"data": {"train": {"path": "rows.csv", "where": {"part": 1, "lang": ["en", 2, True]}}}},
        recipe() | {"start_from": "model", "backbone": None, "rename_labels": {"1": 2}},
        recipe({"labels": [5, 6]})
        | {
            "tasks": [
                TASK | {"labels": [0, 1]},
                TASK | {"name": "inner", "labels": [5, 6], "given": {"task": "topic", "parents": {5: 0, 6: 1}}},
                TASK | {"name": "last", "labels": ["x", "y"], "given": {"task": "topic", "labels": [1]}},
            ],
            "data": {"train": "rows.csv"},
        },
    ],
    ids=repr,
)
def test_what_a_recipe_may_have_follows_the_schema(given: dict[str, Any], tmp_path: Path) -> None:
    load_recipe(given)

    assert schema_problems(given, SCHEMA) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (recipe({"labels": [True, False]}), "tasks"),
        (recipe(source={"column": 1}), "data"),
        (recipe({"weight": -1}), "recipe.tasks[0].weight: -1 is out of bounds"),
        (recipe({"label": ["a"]}), "recipe.tasks[0].label: is no word"),
        (recipe({"blank": "no"}), "recipe.tasks[0].blank: 'no' is none of the allowed values"),
        (recipe(missing_text=[["a"]]), "data"),
        ({"backbone": MINILM}, "recipe: lacks 'tasks'"),
    ],
    ids=repr,
)
def test_what_no_recipe_may_have_does_not_follow_the_schema(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError):
        load_recipe(given)

    assert problem in str(schema_problems(given, SCHEMA))
