"""The examples of the README run."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.errors import RecipeError
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.modeling_multitask import resolve_model_path
from modeling_multitask.recipes.loading import load_recipe
from tests.conftest import MINILM, ROOT, needs_minilm
from tests.forks import run_forked
from tests.launched import finish

README = (ROOT / "README.md").read_text()
TASKS = [
    {"name": "domain", "problem_type": "single_label_classification", "labels": ["movie", "product", "restaurant"]},
    {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
]


def blocks(language: str) -> list[str]:
    """Return the fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def read_yaml_text(text: str) -> Any:
    """Return the content of a YAML text."""
    return YAML(typ="safe", pure=True).load(text)


def write_yaml(content: Any, path: Path) -> None:
    """Write a YAML file."""
    YAML(typ="safe", pure=True).dump(content, path)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the checkout after the quickstart, but with untrained heads."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("configuration", "scripts"):
        (folder / name).symlink_to(ROOT / name)
    torch.manual_seed(0)
    model = MultiTaskModel.from_backbone(MINILM, TASKS, normalize=False)
    save_folder(model, AutoTokenizer.from_pretrained(resolve_model_path(MINILM)), folder / "runs/quickstart/model")
    return folder


@needs_minilm
@pytest.mark.slow
def test_every_python_block_runs(checkout: Path) -> None:
    assert blocks("python")

    for block in blocks("python"):
        exit_codes, _, said = run_forked(block, ["-c"], folder=checkout)
        assert exit_codes == [0], said


@needs_minilm
@pytest.mark.slow
def test_every_command_but_the_set_up_runs(checkout: Path) -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("multitask ")]
    assert commands

    for command in commands:
        finish("-m", "modeling_multitask", *command.split()[1:], folder=checkout)


def test_the_recipe_parses(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(blocks("yaml")[0])

    assert load_recipe(tmp_path / "recipe.yaml").tasks[1].labels == ["negative", "positive"]


def test_every_word_about_data_parses(tmp_path: Path) -> None:
    write_yaml(read_yaml_text(blocks("yaml")[0]) | read_yaml_text(blocks("yaml")[1]), tmp_path / "recipe.yaml")

    assert load_recipe(tmp_path / "recipe.yaml").data.card.license == "cc-by-4.0"


WORDS = read_yaml_text(blocks("yaml")[2])


@pytest.mark.parametrize("word", WORDS)
def test_every_word_about_training_parses(tmp_path: Path, word: str) -> None:
    content = read_yaml_text(blocks("yaml")[0])
    if word == "tasks":
        content["tasks"][0] = WORDS["tasks"][0]
    else:
        content[word] = WORDS[word]
    content.pop({"phases": "freeze", "tokens_per_batch": "training"}.get(word), None)
    write_yaml(content, tmp_path / "recipe.yaml")

    assert load_recipe(tmp_path / "recipe.yaml")


def test_tasks_that_depend_on_each_other_parse(tmp_path: Path) -> None:
    content = read_yaml_text(blocks("yaml")[0]) | read_yaml_text(blocks("yaml")[3])
    write_yaml(content | {"data": {"train": "rows.csv"}, "calibrate": []}, tmp_path / "recipe.yaml")

    tasks = {task.name: task.given for task in load_recipe(tmp_path / "recipe.yaml").tasks}

    assert (tasks["intent"].task, tasks["reason"].labels) == ("domain", ["negative"])


def test_the_mistakes_are_reported_as_shown(tmp_path: Path) -> None:
    wrong = blocks("yaml")[0].replace("pooling: mean ", "pooling: avg ")
    wrong = wrong.replace("name: domain", "name: type").replace("{domain: domain", "{type: domain")
    (tmp_path / "recipe.yaml").write_text(wrong.replace("num_train_epochs", "num_train_epoch"))

    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "recipe.yaml")

    assert str(caught.value).replace(f"{tmp_path}/", "") + "\n" in README
