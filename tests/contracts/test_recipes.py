"""Every recipe that ships parses, builds and takes one step."""

import shutil
from pathlib import Path

import pytest

from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe
from tests.conftest import ROOT

RECIPES = sorted((ROOT / "configuration" / "recipes").rglob("*.yaml"))


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_takes_one_step_and_leaves_a_model(path: Path, deep_backbone: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    recipe = load_recipe(
        path, [f"backbone={deep_backbone}", f"output_dir={output}", "training.max_steps=1", "max_length=32"]
    )

    run = run_recipe(recipe)

    assert (run.folder / "model.safetensors").is_file()
    assert (output / "results.json").is_file()
    shutil.rmtree(output)
