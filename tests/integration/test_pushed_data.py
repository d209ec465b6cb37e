"""A data set pushed by a child process, loaded from the Hub without this package and by a recipe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.data import build_data
from tests.conftest import REVIEWS, ROOT
from tests.fresh_process import run_fresh
from tests.hub_server import HubServer, hub

__all__ = ["hub"]  # a fixture
pytestmark = pytest.mark.slow

TASKS = """
backbone: {backbone}
max_length: 16
tasks:
  - {{name: domain, problem_type: single_label_classification}}
  - {{name: sentiment, problem_type: binary_classification}}
"""
DATA = """
data:
  train: {path: reviews.csv}
  split: {validation: 0.1, test: 0.2}
  hide_labels: {fraction: 0.33}
"""
ROWS = """
from datasets import load_dataset
dataset = load_dataset("tester/reviews")
features = dataset["train"].features
result = {
    "rows": {name: rows.to_list() for name, rows in dataset.items()},
    "labels": {name: feature.names for name, feature in features.items() if hasattr(feature, "names")},
}
"""


@pytest.fixture
def project(tmp_path: Path, backbone: Path) -> Path:
    """A recipe with the reviews and a tiny encoder, and one that loads the reviews from the Hub."""
    (tmp_path / "encoder").symlink_to(backbone)
    (tmp_path / "reviews.csv").write_bytes(REVIEWS.read_bytes())
    (tmp_path / "reviews.yaml").write_text(TASKS.format(backbone="encoder") + DATA)
    (tmp_path / "from_hub.yaml").write_text(TASKS.format(backbone="encoder") + "data: {train: tester/reviews}\n")
    return tmp_path


# The data set brings validation rows, of which the recipe knows nothing.
PHASES = "[{train: heads, until: no improvement of score for 1 evaluations}, {train: everything}]"


def command(hub: HubServer, folder: Path, *words: str) -> str:
    """Return the output of a command in a process that knows only this Hub."""
    environment = {**hub.environment(folder / "hf"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    finished = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_pushed_rows_are_found_by_a_stranger_and_by_a_recipe(
    hub: HubServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = build_data(load_recipe(project / "reviews.yaml"))
    # Without the place of each row in a file, which is not pushed.
    built = {name: rows.remove_columns(["table", "line"]).to_list() for name, rows in data.dataset.items()}

    command(hub, project, "scripts.data", "reviews.yaml", "--push", "tester/reviews", "--yes")
    planned = command(hub, project, "scripts.train", "from_hub.yaml", f"phases={PHASES}", "probe=false", "--dry_run")
    for name, value in hub.environment(project / "stranger").items():
        monkeypatch.setenv(name, value)
    found = run_fresh(ROWS, folder=project, online=True)

    assert found["rows"] == built
    assert any(row["domain"] is None for row in found["rows"]["train"])
    assert found["labels"] == {"domain": ["movie", "product", "restaurant"], "sentiment": ["negative", "positive"]}
    used = {name: len(rows) for name, rows in built.items()}
    used["train"] = sum(row["domain"] is not None or row["sentiment"] is not None for row in built["train"])
    counts = ", ".join(f"{name} {used[name]:,}" for name in ("train", "validation", "test"))
    assert f"rows: {counts}\n" in planned
    labelled = {task: sum(row[task] is not None for row in built["train"]) for task in ("domain", "sentiment")}
    assert f"labelled training rows: domain {labelled['domain']:,}, sentiment {labelled['sentiment']:,}\n" in planned
    assert "until no improvement of score for 1 evaluations" in planned
    assert not os.path.lexists(project / "runs")
