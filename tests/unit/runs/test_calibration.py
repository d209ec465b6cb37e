"""The effect of `calibrate` and `abstain` in a recipe on the model, and the refused settings."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_multitask import MultiTaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference import predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.calibration import calibrate
from modeling_multitask.runs.run import run_recipe

RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: [8]}}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
  - {{name: stars, problem_type: regression}}
data: {{train: rows.csv, split: {{validation: 0.25, test: 0.25}}}}
training: {{max_steps: 2, disable_tqdm: true}}
report: false
output_dir: {output}
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Any:
    rows = [
        f"the {'film' if i % 3 else 'food'} was {i},{'film' if i % 3 else 'food'},{'yes' if i % 2 else 'no'},{i % 5}"
        for i in range(40)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic,liked,stars", *rows]) + "\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(backbone=backbone, output=tmp_path / "out"))
    return lambda *overrides: load_recipe(path, list(overrides))


def test_a_run_leaves_fitted_temperatures_and_says_what_they_did(recipe: Any) -> None:
    run = run_recipe(recipe())

    saved = MultiTaskConfig.from_pretrained(run.folder).tasks
    figures = json.loads((run.folder.parent / "calibration.json").read_text())
    assert [task.temperature for task in saved] == [figures[task.name]["temperature"] for task in saved]
    assert saved[0].temperature != 1
    assert saved[2].temperature == 1
    assert set(figures["topic"]["test"]) == {"ece_before", "ece_after"}
    assert "test" not in figures["stars"]


def test_no_temperature_is_fitted_where_none_is_wanted(recipe: Any) -> None:
    run = run_recipe(recipe("calibrate=[]"))

    assert [task.temperature for task in run.model.config.tasks] == [1, 1, 1]
    assert not (run.folder.parent / "calibration.json").exists()


CONFIG = MultiTaskConfig(
    backbone_config={"model_type": "bert"},
    tasks=[
        {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]},
        {"name": "liked", "problem_type": "binary_classification", "labels": ["no", "yes"]},
        {"name": "stars", "problem_type": "regression"},
    ],
)


def answers(topic_logits: list[float], topic_labels: list[int]) -> Any:
    rows = len(topic_labels)
    logits = {"topic": np.array([[each, 0.0] for each in topic_logits]), "liked": np.zeros((rows, 1))}
    labels = {"topic": np.array(topic_labels), "liked": np.full(rows, -100), "stars": np.full(rows, np.nan)}
    return {"validation": (logits | {"stars": np.zeros((rows, 1))}, labels)}


def test_a_task_abstains_below_the_score_that_leaves_the_wanted_share(recipe: Any) -> None:
    config = copy.deepcopy(CONFIG)

    calibrate(
        recipe("tasks.0.abstain={coverage: 0.5}", "calibrate=[]"), config, answers([4.0, 3.0, 2.0, 1.0], [0, 1, 0, 1])
    )

    assert config.tasks[0].abstain_below == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)


def test_a_task_abstains_below_the_energy_that_leaves_the_wanted_share(recipe: Any) -> None:
    config = copy.deepcopy(CONFIG)
    given = answers([4.0, 3.0, -9.0, 1.0], [0, 1, 0, 1])  # the third is surest of its answer, with the least energy

    calibrate(recipe("tasks.0.abstain={coverage: 0.75, by: energy}", "calibrate=[]"), config, given)

    assert config.tasks[0].abstain_by == "energy"
    assert config.tasks[0].abstain_below == pytest.approx(np.log(1 + np.exp(1.0)), abs=1e-6)


def test_a_precision_that_no_score_reaches_loses_nothing_of_the_run(recipe: Any) -> None:
    config = copy.deepcopy(CONFIG)

    calibrate(recipe("tasks.0.abstain={precision: 1.0}", "calibrate=[]"), config, answers([1.0, 1.0], [1, 1]))

    assert config.tasks[0].abstain_below is None


def test_a_task_that_abstains_has_no_label_in_its_answer(recipe: Any) -> None:
    run = run_recipe(recipe())
    topic = run.model.config.tasks[0]
    run.model.config.tasks[0] = replace(topic, abstain_below=1.0)

    assert predict(run.model, ["the film was 1"], tokenizer=run.tokenizer)[0]["topic"]["label"] is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tasks.0.abstain={precision: 0.9, coverage: 0.5}", r"tasks\[0\].abstain: give either a precision or a cover"),
        ("tasks.0.abstain={}", r"tasks\[0\].abstain: give either a precision or a coverage"),
        (
            "tasks.2.abstain={coverage: 0.5}",
            r"tasks\[2\].abstain: needs a task with one label per row; this task is regression",
        ),
        ("tasks.1.abstain={coverage: 0.5, by: energy}", r"tasks\[1\].abstain.by: energy is for single_label"),
        (
            "tasks.0.abstain={coverage: 0.5, by: enery}",
            r"tasks\[0\].abstain.by: is 'enery'; it must be one of score, energy",
        ),
        ("calibrate=temperatur", r"calibrate\[0\]: is 'temperatur'; it must be one of temperature, thresholds; did"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_training(recipe: Any, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(override)


def test_fitting_needs_validation_rows(recipe: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe("data.split={test: 0.25}", "calibrate=temperature", "tasks.0.abstain={coverage: 0.5}")

    assert "calibrate: needs validation rows, and there are none" in str(caught.value)
    assert "tasks[0].abstain: needs validation rows, and there are none" in str(caught.value)
