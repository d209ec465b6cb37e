"""A damaged recipe is refused with a `RecipeError`, or is a recipe."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from tests.conftest import ROOT
from tests.fuzz.damage import damaged_bytes, fuzzed, refusal

RECIPES = sorted((ROOT / "configuration" / "recipes").glob("*.yaml"))
CONTENTS = [path.read_bytes() for path in RECIPES]


@pytest.mark.slow
@fuzzed
@given(content=st.sampled_from(CONTENTS).flatmap(damaged_bytes))
def test_a_damaged_recipe_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)

    said = refusal(lambda: load_recipe(path), RecipeError)

    assert said is None or said.startswith(str(path))


@pytest.mark.slow
@fuzzed
@given(overrides=st.lists(st.text(max_size=30).map("=".__add__) | st.text(max_size=60), max_size=3))
def test_any_override_is_refused_or_set(overrides: list[str]) -> None:
    words = [f"tasks.0{each}" if each.startswith("=") else f"seed={each}" for each in overrides]

    assert refusal(lambda: load_recipe(RECIPES[0], words), RecipeError) != ""
