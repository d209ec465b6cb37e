"""The schema and the reference page, which are generated from the declarations of the words."""

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.recipes.reference import TRAINING_HEADING, recipe_reference
from modeling_multitask.recipes.schema import recipe_schema
from modeling_multitask.words_multitask import declared_words
from tests.conftest import ROOT

pytestmark = pytest.mark.compat

PAGE = (ROOT / "docs" / "reference" / "recipe.md").read_text(encoding="utf-8")


def test_the_page_is_not_stale() -> None:
    # The words under `training` depend on the version of transformers.
    page, made = PAGE.split(TRAINING_HEADING), recipe_reference().split(TRAINING_HEADING)

    assert made[0] == page[0], "run: multitask schema --markdown > docs/reference/recipe.md"
    if f"transformers {version('transformers')}." in page[1]:
        assert made[1] == page[1].removesuffix("\n")


@pytest.mark.parametrize(
    "heading", ["## Top level", "## `tasks.given`", "## `learning_rates`, `phases.learning_rates`"]
)
def test_the_page_has_a_section_for_each_table(heading: str) -> None:
    assert f"\n{heading}\n" in PAGE


@pytest.mark.parametrize(
    "row",
    [
        "| `tokens_per_batch` | The maximum number of tokens of a batch, including padding. It replaces a fixed number "
        "of rows. | whole number; at least 1 | – | `tokens_per_batch: 2048` |",
        "| `dropout` | The dropout after each hidden block except the last. | number; at least 0 and "
        "below 1 | `0.1` |  |",
        "| `seed` | The seed of all random numbers. | whole number; at least 0 and at most 4294967295 | `0` |  |",
        "| `task` | The task whose classes are balanced. | text | – | `task: topic` |",
    ],
)
def test_a_word_has_its_meaning_allowed_values_default_and_example(row: str) -> None:
    assert f"\n{row}\n" in PAGE


def test_every_word_has_an_example_or_a_default() -> None:
    lacking = [name for name, each in declared_words(Recipe).items() if not_shown(each)]

    assert lacking == []


def not_shown(each: Any) -> bool:
    return each.metadata["word"].example is None and each.default is None


def test_the_schema_has_every_word_with_its_meaning() -> None:
    schema = recipe_schema()

    assert set(schema["properties"]) == set(declared_words(Recipe))
    assert all(each.get("description") for each in schema["properties"].values())
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["tasks", "data"]


def test_the_schema_has_bounds_choices_and_examples() -> None:
    definitions = recipe_schema()["$defs"]

    assert definitions["HeadConfig"]["properties"]["dropout"] == {
        "default": 0.1,
        "description": "The dropout after each hidden block except the last.",
        "exclusiveMaximum": 1,
        "minimum": 0,
        "title": "Dropout",
        "type": "number",
    }
    assert definitions["Abstain"]["properties"]["by"]["enum"] == ["score", "energy"]
    assert definitions["TaskRecipe"]["properties"]["name"]["examples"] == ["topic"]


@pytest.mark.parametrize("word", ["freeze", "calibrate"])
def test_what_may_be_one_or_a_list_is_so_in_the_schema(word: str) -> None:
    assert {each["type"] for each in recipe_schema()["properties"][word]["anyOf"]} == {"array", "string"}


@pytest.mark.parametrize("words", [[], ["--markdown"]])
def test_the_command_prints_without_warnings(words: list[str]) -> None:
    command = [sys.executable, "-W", "error", "-m", "modeling_multitask", "schema", *words]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    if words:
        assert done.stdout.startswith("# The words of a recipe\n")
    else:
        assert json.loads(done.stdout)["title"] == "Recipe"
