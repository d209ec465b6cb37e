"""The study command, which compares all ways of training: its errors, and finished work that is not repeated."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_multitask.commands.study import main
from modeling_multitask.study import runs as study_module
from modeling_multitask.study.runs import PlannedRun
from tests.conftest import ROOT

RECIPE = """
backbone: encoder
probe: false
head: {hidden_sizes: []}
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [film, food]}
  - {name: mood, problem_type: binary_classification, labels: [bad, good]}
data:
  train: {path: reviews.csv}
  split: {validation: 0.25, test: 0.25}
training: {num_train_epochs: 1, per_device_train_batch_size: 4}
"""
Command = Callable[..., int]


@pytest.fixture
def command(tmp_path: Path, backbone: Path) -> Command:
    """The command with a recipe of two tasks and 32 rows."""
    texts = [("film", "good", "the film was good"), ("food", "bad", "the soup was bad")]
    rows = "".join(f"{text} {'very ' * i},{topic},{mood}\n" for i in range(16) for topic, mood, text in texts)
    (tmp_path / "reviews.csv").write_text(f"text,topic,mood\n{rows}")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "encoder").symlink_to(backbone)
    return lambda *words: main([str(tmp_path / "recipe.yaml"), f"output_dir={tmp_path}/out", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sed=1"], "sed: no such word; did you mean 'seed'?"),
        (["data.train.path=review.csv"], "review.csv: no such file; did you mean 'reviews.csv'?"),
        (["data.split={}"], "data: validation rows are missing"),
        (["--only", "everythin"], "--only: no strategy 'everythin'; did you mean 'everything'?"),
    ],
    ids=["recipe", "table", "validation", "strategy"],
)
def test_what_is_wrong_is_said_before_anything_is_trained_or_written(
    tmp_path: Path, command: Command, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command(*words)

    error = capsys.readouterr().err
    assert code == 1
    assert "error: " in error
    assert message in error
    assert not (tmp_path / "out").exists()


def test_the_study_of_another_recipe_is_left_alone(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.recipe.json").write_text('{"tasks": []}')

    code = command("--only", "lora")

    assert code == 1
    assert "contains a study that differs in" in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["study.recipe.json"]


def test_jobs_are_at_least_one(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("--jobs", "0")

    assert "0 is not a whole number of at least 1" in capsys.readouterr().err


def test_a_run_that_fails_makes_the_command_fail_after_the_study_is_written(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: PlannedRun, threads: int) -> str:
        return "ValueError: no such thing"

    monkeypatch.setattr(study_module, "start_process", fail)

    code = command("--only", "lora", "--seeds", "0")

    assert code == 1
    assert "lora, seed 0: failed: ValueError: no such thing" in capsys.readouterr().out
    assert "LoRA (failed: ValueError: no such thing)" in (tmp_path / "out" / "study.md").read_text()


def test_without_matplotlib_there_are_words_and_the_name_of_the_extra(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study_module, "start_process", lambda run, threads: "no")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    command("--only", "lora", "--seeds", "0")

    assert "No picture was drawn: matplotlib is not installed" in capsys.readouterr().out
    assert (tmp_path / "out" / "study.json").is_file()
    assert not (tmp_path / "out" / "study.png").exists()


@pytest.mark.slow
def test_the_command_trains_each_strategy_once_and_writes_what_came_of_it(tmp_path: Path, command: Command) -> None:
    names = ["backbone_frozen", "everything", "topic_alone"]
    words = [sys.executable, "-m", "scripts.study", "recipe.yaml", "output_dir=out", "--seeds", "0", "--only", *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    first = run()
    runs = {each.name: (each / "run.json").stat().st_mtime_ns for each in (tmp_path / "out" / "runs").iterdir()}
    second = run()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "3 strategies, 3 runs" in first.stdout
    assert "3 of 3 runs are already finished" in second.stdout
    assert runs == {name: (tmp_path / "out" / "runs" / name / "run.json").stat().st_mtime_ns for name in runs}
    assert set(runs) == {f"{name}-0" for name in names}
    assert not [*(tmp_path / "out" / "runs").glob("*/model"), *(tmp_path / "out" / "runs").glob("*/checkpoints")]
    content = json.loads((tmp_path / "out" / "study.json").read_text())
    rows = {row["strategy"]["name"]: row for row in content["strategies"]}
    assert (
        0 < rows["backbone_frozen"]["parameters"] < rows["topic_alone"]["parameters"] < rows["everything"]["parameters"]
    )
    assert all(row["cpu_seconds"] >= 0 and row["memory"] > 50 for row in rows.values())  # in tenths of a second
    assert [each["task"] for each in content["together"]] == ["topic"]
    assert all((tmp_path / "out" / f"study.{ending}").stat().st_size for ending in ("csv", "md", "png"))
