"""Every JSON file of a run, a report, a look at the data and a study is strict: without NaN and Infinity."""

import json
from pathlib import Path

import pytest

from modeling_multitask.commands import data, report
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.study.one_run import run_and_record
from modeling_multitask.study.runs import PlannedRun, carry_out, plan_study, write_study

# `rating` is constant, so it has no correlation. `liked` has labels in one row, which is no validation or test row.
RECIPE = """
backbone: {backbone}
max_length: 16
head: {{hidden_sizes: [8]}}
tasks:
  - {{name: topic, problem_type: single_label_classification, labels: [film, food]}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
  - {{name: rating, problem_type: regression}}
  - {{name: grade, problem_type: ordinal_regression, labels: [low, mid, high], given: {{task: topic, labels: [film]}}}}
data:
  train: {{path: train.csv}}
  validation: {{path: test.csv, labels: {{topic: topic, rating: rating, grade: grade}}}}
  test: {{path: test.csv, labels: {{topic: topic, rating: rating, grade: grade}}}}
learning_rates: {{heads: 1e-2, backbone: 1e-3}}
conflict: log
training: {{num_train_epochs: 2, per_device_train_batch_size: 4, disable_tqdm: true, metric_for_best_model: grade_mae}}
output_dir: {output}
"""


def test_every_json_file_is_strict(tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"the food was tasty,food,{'yes' if i == 0 else ''},3," for i in range(16)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(
            "\n".join(["text,topic,liked,rating,grade", *rows, "a film,film,no,3,low"])
        )
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(backbone=backbone, output=tmp_path / "out"))
    monkeypatch.chdir(tmp_path)

    run = run_recipe(load_recipe(path))
    codes = [
        report.main([str(run.folder), str(path), "--output", "report", "--resamples", "100"]),
        data.main([str(path), "--output", "data"]),
    ]
    study = plan_study(path, ["output_dir=study"], seeds=[0, 1], only=["backbone_frozen", "everything"])
    write_study(carry_out(study, jobs=1, say=print, start=train), study, jobs=1)

    found = [each for each in tmp_path.rglob("*.json") if not each.is_symlink()]
    assert codes == [0, 0]
    assert {"training.json", "results.json", "report.json", "data.json", "study.json", "run.json", "config.json"} <= {
        each.name for each in found
    }
    assert any(each.name == "trainer_state.json" for each in found)
    for each in found:
        json.loads(
            each.read_text(encoding="utf-8"), parse_constant=lambda constant, at=each: pytest.fail(f"{at}: {constant}")
        )


def train(run: PlannedRun, threads: int) -> None:
    run_and_record(run.recipe)
