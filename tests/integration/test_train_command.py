"""The train command in one process, with accelerate, and in two processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.fresh_process import run_fresh

pytestmark = pytest.mark.slow

RECIPE = """
backbone: {backbone}
probe: false
max_length: 16
head: {{hidden_sizes: [16]}}
tasks:
  - {{name: topic, problem_type: single_label_classification}}
  - {{name: tags, problem_type: multi_label_classification}}
  - {{name: rating, problem_type: regression}}
data:
  train: {{path: train.csv, labels: {{topic: topic, tags: [long, loud], rating: rating}}}}
  split: {{validation: 0.2, test: 0.2}}
training: {{num_train_epochs: 2, per_device_train_batch_size: 8}}
report: false
output_dir: out
examples: [the film was good]
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Path:
    rows = [
        f"the {word} was {'good' if i % 2 else 'not bad'},{word if i % 3 else ''},{i % 2},{'' if i % 5 else 1},{i / 10}"
        for i in range(20)
        for word in ("film", "phone", "soup")
    ]
    (tmp_path / "train.csv").write_text("\n".join(["text,topic,long,loud,rating", *rows]) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(backbone=backbone))
    return tmp_path / "recipe.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "scripts.train"],
        ["-m", "accelerate.commands.launch", "--cpu", str(ROOT / "scripts" / "train.py")],
        ["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "scripts.train"],
    ],
    ids=["python", "accelerate launch", "torchrun"],
)
def test_the_command_leaves_results_and_a_model_that_a_stranger_loads(recipe: Path, command: list[str]) -> None:
    finished = command_line(command, recipe)

    assert finished.returncode == 0, finished.stderr[-4000:]
    results = json.loads((recipe.parent / "out" / "results.json").read_text())
    assert set(results) == {"validation", "test"}
    assert results["test"]["topic"]["rows"] + results["validation"]["topic"]["rows"] > 0
    assert answers_of_a_stranger(recipe.parent) == ["topic", "tags", "rating"]
    assert finished.stdout.count("You can load it without this package") == 1


def test_every_row_is_evaluated_once_in_two_processes(recipe: Path) -> None:
    command_line(["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "scripts.train"], recipe)

    results = json.loads((recipe.parent / "out" / "results.json").read_text())
    assert results["test"]["rating"]["rows"] == 12


def command_line(command: list[str], recipe: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(recipe.parent / "hf"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command, str(recipe)],
        cwd=recipe.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def answers_of_a_stranger(folder: Path) -> Any:
    code = """
from transformers import pipeline
result = list(pipeline(model=sys.argv[1], trust_remote_code=True)("the film was good"))
"""
    return run_fresh(code, folder / "out" / "model", folder=folder)
