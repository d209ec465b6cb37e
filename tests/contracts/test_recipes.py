"""Every shipped recipe can be parsed, built and trained for one step."""

import csv
import shutil
from pathlib import Path

import pytest

from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe
from tests.conftest import ROOT

pytestmark = pytest.mark.compat

FOLDER = ROOT / "configuration" / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
ROWS = 100  # rows of a table, or the number of labels if that is larger


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipes and shortened tables."""
    folder = shutil.copytree(FOLDER, tmp_path_factory.mktemp("configuration") / "recipes")
    for path in folder.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            heading, *rows = csv.reader(file)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([heading, *cut(rows)])
    return folder


def cut(rows: list[list[str]]) -> list[list[str]]:
    """Return the first row with each label, and evenly spaced other rows."""
    first: dict[tuple[int, str], int] = {}
    for i, row in enumerate(rows):
        for column, label in enumerate(row[1:]):
            first.setdefault((column, label), i)
    return [rows[i] for i in sorted({*first.values(), *range(0, len(rows), len(rows) // ROWS + 1)})]


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_takes_one_step_and_leaves_a_model(
    path: Path, recipes: Path, deep_backbone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    recipe = load_recipe(
        recipes / path.relative_to(FOLDER),
        [f"backbone={deep_backbone}", f"output_dir={output}", "training.max_steps=1", "max_length=32"],
    )

    run = run_recipe(recipe)

    assert (run.folder / "model.safetensors").is_file()
    assert (output / "results.json").is_file()
    shutil.rmtree(output)
