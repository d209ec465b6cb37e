"""The recipes of the five systems, built on a small random BERT of twelve layers, or on real MiniLM."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.prepare import Prepared, prepare
from tests.conftest import ROOT

RECIPES = ROOT / "configuration" / "recipes"

Build = Callable[..., Prepared]


@pytest.fixture
def recipe(deep_backbone: Path, tmp_path: Path) -> Callable[..., Recipe]:
    """A system's recipe by name, on the small BERT."""

    def load(name: str, *overrides: str) -> Recipe:
        small = [f"backbone={deep_backbone}", f"output_dir={tmp_path}/{name}", "max_length=32"]
        return load_recipe(RECIPES / f"{name}.yaml", [*small, *overrides])

    return load


@pytest.fixture
def build(recipe: Callable[..., Recipe]) -> Build:
    """A function that prepares a system's recipe for training, without training it."""
    return lambda name, *overrides: prepare(recipe(name, *overrides))


def said(name: str, *overrides: str) -> Recipe:
    """Return a system's recipe, with overrides if given."""
    return load_recipe(RECIPES / f"{name}.yaml", list(overrides))
