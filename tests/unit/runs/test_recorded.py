"""The test rows of a trained model, rebuilt from the record of its run."""

import csv
import json
from pathlib import Path

import pytest

from datasets_builder import DataError
from modeling_multitask import TaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.record import recipe_words
from modeling_multitask.runs.recorded import recorded_rows

TASKS = [TaskConfig("topic", "single_label_classification", labels=["film", "food"])]
RECIPE = """
backbone: encoder
tasks: [{name: topic, problem_type: single_label_classification}]
data: {train: rows.csv, split: {test: 0.25}}
training: {num_train_epochs: 2}
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Where a model would lie that a run has left, with the record of the run and its table."""
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "topic"], *([f"text {i}", ["film", "food"][i % 2]] for i in range(16))])
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "encoder").mkdir()
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "recipe.json").write_text(json.dumps(recipe_words(load_recipe(tmp_path / "recipe.yaml"))))
    return str(tmp_path / "run" / "model")


def test_the_test_rows_of_the_run_are_found(model: str) -> None:
    rows = recorded_rows(TASKS, model)

    assert rows is not None
    assert (rows.split, len(rows.rows)) == ("test", 4)


def test_a_model_without_a_run_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    assert recorded_rows(TASKS, str(tmp_path / "model")) is None


def test_a_model_of_the_hub_has_no_rows_though_a_record_lies_where_its_id_would_point(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(model).parents[1])

    assert recorded_rows(TASKS, "run/other") is None


def test_a_table_that_is_gone_is_an_error(model: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").unlink()

    with pytest.raises(DataError, match=r"rows\.csv"):
        recorded_rows(TASKS, model)


def test_a_record_that_no_longer_reads_is_an_error_with_its_place(model: str) -> None:
    record = Path(model).parent / "recipe.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "seed": "one"}))

    with pytest.raises(RecipeError, match=r"run/recipe.json has a problem:\n  seed: is 'one'; it must be a whole"):
        recorded_rows(TASKS, model)
