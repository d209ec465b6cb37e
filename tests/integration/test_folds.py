"""A killed cross-validation goes on with its complete folds, and two processes give the figures of one."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests import launched
from tests.launched import kill_all

pytestmark = pytest.mark.slow

RECIPE = """
backbone: {backbone}
probe: false
max_length: 16
tasks:
  - {{name: topic, problem_type: single_label_classification}}
  - {{name: liked, problem_type: binary_classification, labels: ["no", "yes"]}}
data: {{train: train.csv, split: {{folds: 3}}}}
training: {{max_steps: 4, per_device_train_batch_size: {batch}, bf16: false}}
output_dir: out
"""


def write(folder: Path, backbone: Path, *, batch: int = 4) -> Path:
    folder.mkdir()
    rows = [
        f"the {word} {i} was {'good' if i % 2 else 'not bad'},{word if i % 3 else ''},{['no', 'yes'][i % 2]}"
        for i in range(12)
        for word in ("film", "phone", "soup")
    ]
    (folder / "train.csv").write_text("\n".join(["text,topic,liked", *rows]) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE.format(backbone=backbone, batch=batch))
    return folder


def finish(folder: Path, *words: str, processes: int = 1) -> str:
    process = launched.start(
        "-m", "modeling_multitask", "train", "recipe.yaml", *words, folder=folder, processes=processes
    )
    return launched.said_by(process, 300)


def results(folder: Path) -> Any:
    return json.loads((folder / "out" / "results.json").read_text())


def test_a_killed_run_keeps_its_complete_folds_and_ends_with_the_same_results(tmp_path: Path, backbone: Path) -> None:
    whole, killed = (write(tmp_path / name, backbone) for name in ("whole", "killed"))
    finish(whole)
    process = launched.start("-m", "modeling_multitask", "train", "recipe.yaml", folder=killed)
    while process.poll() is None and not (killed / "out" / "folds" / "2" / "recipe.json").exists():
        time.sleep(0.005)
    kill_all(process)
    first = killed / "out" / "folds" / "1" / "model" / "model.safetensors"
    before = first.stat().st_mtime_ns

    output = finish(killed, "resume=true")

    assert "fold 1 of 3: already complete" in output
    assert re.search(r"fold 2 of 3: score 0\.\d{3}; labelled rows: topic 8, liked 12", output)
    assert first.stat().st_mtime_ns == before
    assert results(killed) == results(whole)


def test_two_processes_judge_each_row_once(tmp_path: Path, backbone: Path) -> None:
    folder = write(tmp_path / "run", backbone, batch=2)

    output = finish(folder, processes=2)

    assert len(re.findall(r"fold \d of 3: score", output)) == 3
    assert results(folder)["test"]["liked"]["rows"] == 36
    assert json.loads((folder / "out" / "folds.json").read_text())["rows"] == [12, 12, 12]
