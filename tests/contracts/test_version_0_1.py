"""Files of version 0.1 still work: a model with all five problem types, its recipe, and an interrupted run.

`tests/version_0_1` was written by that version. It contains a random BERT of one layer, trained for three epochs.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from transformers import AutoModel

from modeling_multitask.inference import encode, predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.tasks_multitask import TargetStatistics
from modeling_multitask.training.label_statistics import start_heads
from tests.conftest import ROOT
from tests.fresh_process import run_fresh

pytestmark = pytest.mark.compat

LEFT_BEHIND = ROOT / "tests" / "version_0_1"
TEXTS = ["the film was good", "bad soup", ""]
GIVEN = json.loads((LEFT_BEHIND / "answers.json").read_text())

ANSWER = """
from transformers import pipeline
classify = pipeline("multitask-classification", model=sys.argv[1], trust_remote_code=True)
result = classify(sys.argv[2:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of these files, with its own path in the record of its run."""
    folder = Path(shutil.copytree(LEFT_BEHIND, tmp_path / "left"))
    record = folder / "run" / "recipe.json"
    record.write_text(record.read_text().replace("FOLDER", str(folder)))
    return folder


def assert_as_before(answers: list[dict[str, Any]]) -> None:
    """Compare the answers with those of version 0.1. The last digits of the scores may differ between CPUs."""
    (words, numbers), (given_words, given_numbers) = map(words_and_numbers, (answers, GIVEN["answers"]))
    assert words == given_words
    assert numbers == pytest.approx(given_numbers, abs=1e-4)


def words_and_numbers(answers: list[dict[str, Any]]) -> tuple[Any, list[float]]:
    """Return the answers without their scores, and the scores."""
    numbers: list[float] = []
    words = json.loads(json.dumps(answers), parse_float=lambda number: numbers.append(float(number)))
    return words, numbers


def test_a_saved_model_answers_as_before() -> None:
    assert_as_before(predict(str(LEFT_BEHIND / "model"), TEXTS))
    assert encode(str(LEFT_BEHIND / "model"), TEXTS) == pytest.approx(np.array(GIVEN["embeddings"]), abs=1e-5)


def test_a_saved_model_keeps_the_mode_and_no_scale_also_after_training() -> None:
    model = AutoModel.from_pretrained(LEFT_BEHIND / "model")
    start_heads(model, Dataset.from_dict({"rating": [100.0, 300.0], "grade": [0, 1]}))

    tasks = {task.name: task for task in model.config.tasks}
    assert (tasks["grade"].decision, tasks["rating"].targets) == ("mode", TargetStatistics())
    assert (model.heads.rating[-1].target_mean, model.heads.rating[-1].target_std) == (0, 1)


def test_a_saved_model_answers_as_before_without_this_package(tmp_path: Path) -> None:
    answers = run_fresh(ANSWER, LEFT_BEHIND / "model", *TEXTS, folder=tmp_path)

    assert_as_before(answers)


def test_a_saved_model_that_is_saved_again_answers_as_before_without_this_package(folder: Path, tmp_path: Path) -> None:
    AutoModel.from_pretrained(folder / "model").save_pretrained(folder / "model")

    answers = run_fresh(ANSWER, folder / "model", *TEXTS, folder=tmp_path)

    assert_as_before(answers)


def test_a_recipe_trains(folder: Path, tmp_path: Path) -> None:
    run = run_recipe(load_recipe(folder / "recipe.yaml", [f"output_dir={tmp_path}/again"]))

    assert set(run.results["test"]) == {"topic", "sentiment", "tags", "rating", "grade", "score"}


def test_an_interrupted_run_with_cut_points_at_the_rate_of_the_heads_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"the groups heads, heads, layers.0.*has heads, cut_points, heads.*start the"):
        run_recipe(load_recipe(folder / "recipe.yaml", ["resume=true", f"output_dir={folder}/run"]))


def test_a_run_that_was_begun_by_another_recipe_is_refused(folder: Path) -> None:
    recipe = load_recipe(folder / "recipe.yaml", ["resume=true", f"output_dir={folder}/run", "seed=1"])

    with pytest.raises(ValueError, match=r"seed: is 1; the run was started with 0"):
        run_recipe(recipe)
