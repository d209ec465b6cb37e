"""The effect of `calibrate` and `abstain` in a recipe on the model, and the refused settings."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers.utils import logging

from modeling_multitask import MultiTaskConfig
from modeling_multitask.errors import RecipeError
from modeling_multitask.evaluation.calibration import FEWEST_ROWS
from modeling_multitask.inference import predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.calibration import NOT_CALIBRATED, calibrate, calibration_notes
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.tasks_multitask import GivenConfig

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
    words, labels = ["film", "food", "film"], ["film", "food", "food"]  # of each third text, the label is a surprise
    rows = [
        f"the {words[i % 3]} was {i},{labels[i % 3] if i % 9 else 'food'},{'yes' if i % 2 else 'no'},{i % 5}"
        for i in range(4 * FEWEST_ROWS)
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["text,topic,liked,stars", *rows]) + "\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(backbone=backbone, output=tmp_path / "out"))
    return lambda *overrides: load_recipe(path, list(overrides))


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings about calibration."""
    said: list[str] = []
    monkeypatch.setattr(logging.get_logger("modeling_multitask.runs.calibration"), "warning", said.append)
    return said


def test_a_run_leaves_fitted_temperatures_and_says_what_they_did(recipe: Any) -> None:
    rates = "learning_rates={heads: 1e-2, backbone: 1e-3}"
    run = run_recipe(recipe("training.max_steps=20", rates))

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


def test_a_run_with_few_validation_rows_says_in_the_log_the_files_and_the_report_what_was_not_fitted(
    recipe: Any, warned: list[str]
) -> None:
    run = run_recipe(recipe(f"data.split.validation={9 / (4 * FEWEST_ROWS)}", "report=true"))

    folder, why = run.folder.parent, f"9 validation rows have a label, and a fit needs {FEWEST_ROWS}"
    assert [task.temperature for task in run.model.config.tasks] == [1, 1, 1]
    assert warned == [f"task {name!r}: the temperature stays 1: {why}" for name in ("topic", "liked")]
    found = json.loads((folder / "calibration.json").read_text())
    assert [each["notes"] for each in found.values()] == [[f"the temperature stays 1: {why}"]] * 2 + [[]]
    assert json.loads((folder / "report" / "report.json").read_text())["notes"][:-1] == [
        f"{name}: the temperature stays 1: {why}" for name in ("topic", "liked")
    ]
    assert f"topic: the temperature stays 1: {why}" in (folder / "report" / "report.html").read_text()


def test_a_run_without_validation_rows_says_once_that_nothing_was_calibrated(recipe: Any, warned: list[str]) -> None:
    """`calibrate` has its default."""
    run = run_recipe(recipe("data.split={test: 0.25}", "report=true"))

    folder = run.folder.parent
    assert warned == [NOT_CALIBRATED]
    assert json.loads((folder / "calibration.json").read_text()) == {
        name: {"notes": [NOT_CALIBRATED]} for name in ("topic", "liked")
    }
    report = json.loads((folder / "report" / "report.json").read_text())
    assert report["notes"][:-1] == [NOT_CALIBRATED]  # the last one is about the embedding
    assert report["tasks"]["topic"]["calibration_effect"] is None
    for name in ("report.html", "report.md"):
        assert (folder / "report" / name).read_text().count("The scores are not calibrated.") == 2  # of topic and liked


def test_nothing_is_said_where_no_calibration_was_asked_for(recipe: Any, warned: list[str]) -> None:
    config = copy.deepcopy(CONFIG)

    assert calibrate(recipe("data.split={}", "calibrate=[]"), config, {}) == {}
    assert warned == []


def test_validation_rows_without_any_label_are_none(recipe: Any, warned: list[str]) -> None:
    given = answers([1.0, 1.0], [-100, -100])

    fitted = calibrate(recipe("tasks.0.abstain={coverage: 0.5}"), copy.deepcopy(CONFIG), given)

    assert warned == [NOT_CALIBRATED]
    assert calibration_notes(fitted) == [NOT_CALIBRATED]


def test_a_task_that_is_decided_with_another_one_gets_the_temperature_that_thresholds_include(recipe: Any) -> None:
    config = copy.deepcopy(CONFIG)
    config.tasks[1].given = GivenConfig("topic", labels=["food"])
    labels = np.arange(2 * FEWEST_ROWS) % 2
    logits = np.where(np.arange(len(labels)) % 5 == 0, -1.0, 1.0) * (1 - 2 * labels)  # one of five is wrong

    calibrate(recipe("calibrate=thresholds"), config, answers(logits.tolist(), labels.tolist()))

    assert config.tasks[0].temperature == pytest.approx(1 / np.log(4), rel=1e-3)
    assert config.tasks[0].thresholds is None


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

    given = answers([4.0, 3.0, 2.0, 1.0] * FEWEST_ROWS, [0, 1, 0, 1] * FEWEST_ROWS)

    calibrate(recipe("tasks.0.abstain={coverage: 0.5}", "calibrate=[]"), config, given)

    assert config.tasks[0].abstain_below == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)


def test_a_task_abstains_below_the_energy_that_leaves_the_wanted_share(recipe: Any) -> None:
    config = copy.deepcopy(CONFIG)
    logits = [4.0, 3.0, -9.0, 1.0]  # the third is surest of its answer, with the least energy
    given = answers(logits * FEWEST_ROWS, [0, 1, 0, 1] * FEWEST_ROWS)

    calibrate(recipe("tasks.0.abstain={coverage: 0.75, by: energy}", "calibrate=[]"), config, given)

    assert config.tasks[0].abstain_by == "energy"
    assert config.tasks[0].abstain_below == pytest.approx(np.log(1 + np.exp(1.0)), abs=1e-6)


def test_a_precision_that_no_score_reaches_loses_nothing_of_the_run(recipe: Any, warned: list[str]) -> None:
    config = copy.deepcopy(CONFIG)

    calibrate(recipe("tasks.0.abstain={precision: 1.0}", "calibrate=[]"), config, answers([1.0] * 100, [1] * 100))

    assert config.tasks[0].abstain_below is None
    why = "no threshold reaches a precision of 1.0, so the task never abstains; set a lower precision"
    assert warned == [f"task 'topic': abstain: {why}"]


def test_a_task_with_few_validation_rows_never_abstains(recipe: Any, warned: list[str]) -> None:
    config = copy.deepcopy(CONFIG)
    rows = FEWEST_ROWS - 1

    calibrate(recipe("tasks.0.abstain={coverage: 0.5}", "calibrate=[]"), config, answers([1.0] * rows, [0] * rows))

    assert config.tasks[0].abstain_below is None
    why = "99 validation rows have a label, and a fit needs 100, so the task never abstains"
    assert warned == [f"task 'topic': abstain: {why}"]


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
