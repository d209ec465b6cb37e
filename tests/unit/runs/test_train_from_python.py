"""Training from Python does what the command does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from modeling_multitask.errors import RecipeError
from modeling_multitask.runs import train


@pytest.fixture
def words(tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A recipe as a dict; its paths are relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{topic}" for text, topic in [("the film", "film"), ("the soup", "food")] * 4]
    Path("rows.csv").write_text("\n".join(["text,topic", *lines]) + "\n")
    return {
        "backbone": str(backbone),
        "tasks": [{"name": "topic", "problem_type": "single_label_classification"}],
        "data": {"train": "rows.csv", "split": {"test": 0.25}},
        "training": {"max_steps": 1, "disable_tqdm": True},
        "report": False,
    }


def test_a_dict_is_trained_and_leaves_results_and_a_model(words: dict[str, Any]) -> None:
    before = json.dumps(words)

    results, folder = train(words, seed=3, output_dir="here")

    assert json.dumps(words) == before
    assert folder == Path("here/model")
    assert (folder / "model.safetensors").is_file()
    assert json.loads(Path("here/results.json").read_text()) == results
    assert json.loads(Path("here/recipe.json").read_text())["seed"] == 3


def test_a_file_gives_what_the_dict_gives(words: dict[str, Any]) -> None:
    YAML(typ="safe", pure=True).dump(words, Path("recipe.yaml"))

    from_file = train("recipe.yaml", output_dir="one")
    from_dict = train(words, output_dir="two", **{"training.max_steps": 1})

    assert from_file.results == from_dict.results


def test_a_run_is_overwritten_only_if_it_is_forced(words: dict[str, Any]) -> None:
    train(words, output_dir="here")

    with pytest.raises(FileExistsError, match="already contains a run"):
        train(words, output_dir="here")
    train(words, output_dir=Path("here"), force=True)


def test_every_problem_of_a_dict_is_reported(words: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"recipe has 2 problems:\n  tasks\[0\].weight: .*\n  poolin: "):
        train(words | {"poolin": "mean"}, **{"tasks.0.weight": -1})


def test_values_of_python_are_written_as_yaml_has_them(words: dict[str, Any]) -> None:
    data = words["data"] | {"train": Path("rows.csv")}

    train(words | {"tasks": tuple(words["tasks"]), "data": data}, seed=np.int64(3), output_dir=Path("here"))

    assert json.loads(Path("here/recipe.json").read_text())["seed"] == 3
