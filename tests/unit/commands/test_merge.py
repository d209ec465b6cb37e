"""`multitask merge`: models with one encoder become one model, which answers as each of them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.commands.merge import main
from modeling_multitask.inference import predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.training.merging import merge_models
from tests.conftest import random_batch, tasks_of_each_type

TEXTS = ["the good film", "bad soup", ""]
Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Save a model with some of the tasks in a folder, all with the same encoder."""
    monkeypatch.chdir(tmp_path)

    def saved(name: str, tasks: list[str], *, do_lower_case: bool = True, **settings: object) -> str:
        chosen = [task for task in tasks_of_each_type() if task["name"] in tasks]
        model = MultiTaskModel.from_backbone(backbone, chosen, **{"max_length": 16, **settings}).eval()
        for parameter in model.heads.parameters():
            nn.init.normal_(parameter, std=0.3)
        model.config.tasks[0].temperature = 2.0
        tokenizer = AutoTokenizer.from_pretrained(backbone, do_lower_case=do_lower_case)
        save_folder(model, tokenizer, tmp_path / name)
        return name

    return saved


def names() -> list[str]:
    return [task["name"] for task in tasks_of_each_type()]


def test_the_merged_model_gives_every_answer_bit_for_bit(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = names()
    save("a", [first])
    save("b", others, head={"hidden_sizes": [8]})

    assert main(["a", "b", "merged"]) == 0

    expected = {**MultiTaskModel.from_pretrained("b").config.to_dict()}
    assert [task["name"] for task in expected["tasks"]] == others
    merged, alone = predict("merged", TEXTS), [predict(folder, TEXTS) for folder in ("a", "b")]
    assert merged == [one | other for one, other in zip(*alone, strict=True)]
    assert list(merged[0]) == names()
    assert "The merged model with" in capsys.readouterr().out


def test_logits_scales_and_calibrations_are_those_of_each_model(save: Save) -> None:
    models = {name: MultiTaskModel.from_pretrained(save(name, [name])) for name in names()}

    merged = merge_models(models)

    batch = random_batch(vocab_size=12)
    with torch.no_grad():
        logits, alone = merged(**batch).logits, {name: model(**batch).logits[name] for name, model in models.items()}
    assert [name for name in alone if not torch.equal(logits[name], alone[name])] == []
    assert merged.config.tasks == [
        replace(task, head=model.config.head) for model in models.values() for task in model.config.tasks
    ]


def test_a_merged_folder_has_everything_that_a_trained_one_has(save: Save) -> None:
    first, *others = names()
    save("a", [first])
    save("b", others)

    main(["a", "b", "merged"])

    assert {path.name for path in Path("a").iterdir()} == {path.name for path in Path("merged").iterdir()}
    assert "task" in json.dumps(json.loads(Path("merged/config.json").read_text()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "cls"}, "a and b do not have the same encoder: pooling is 'mean' and 'cls'. Only heads on one"),
        ({"max_length": 8}, "a and b do not have the same encoder: max_length is 16 and 8."),
        (
            {"num_hidden_layers": 1},
            "a and b do not have the same encoder: backbone_config.num_hidden_layers is 2 and 1",
        ),
        ({"do_lower_case": False}, "a and b have different tokenizers, so they cannot be merged"),
    ],
)
def test_models_with_other_settings_are_refused(
    save: Save, capsys: pytest.CaptureFixture[str], settings: dict, message: str
) -> None:
    first, *others = names()
    save("a", [first])
    save("b", others, **settings)

    assert main(["a", "b", "merged"]) == 1

    assert message in capsys.readouterr().err
    assert not Path("merged").exists()


def test_a_changed_weight_of_the_encoder_is_named(save: Save) -> None:
    first, *others = names()
    one, other = (MultiTaskModel.from_pretrained(save(*each)) for each in (("a", [first]), ("b", others)))
    with torch.no_grad():
        next(other.backbone.parameters())[0] += 1

    with pytest.raises(ValueError, match=r"same encoder: 1 of its \d+ weights differ, such as backbone\..*freeze"):
        merge_models({"a": one, "b": other})


def test_a_task_of_two_models_is_refused(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    save("a", names()[:2])
    save("b", names()[1:])

    assert main(["a", "b", "merged"]) == 1

    assert f"a and b both have the task {names()[1]!r}; give one of them another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give at least two models and the folder to write, such as `multitask merge"),
        (["a", "merged"], "give at least two models"),
        (["a", "a", "merged"], "a is given twice"),
        (["a", "b", "./a"], "a is one of the models; give another folder to write"),
        (["c/inner", "b", "c", "--force"], "c contains the model c/inner; give another folder to write"),
        (["a", "b", ".", "--force"], "contains the model a; give another folder to write"),
        (["a", "b", "full"], "full exists already, and is not a model"),
        (["a", "b", "c"], "c exists already; add --force to overwrite it"),
    ],
)
def test_wrong_arguments_are_refused_before_a_model_is_loaded(
    save: Save, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    for place, name in enumerate(("a", "b", "c")):
        save(name, [names()[place]])
    Path("c/inner").mkdir()
    Path("full").mkdir()
    Path("full/notes.txt").write_text("kept")

    assert main(words) == 1

    assert message in capsys.readouterr().err
    assert Path("full/notes.txt").read_text() == "kept"


def test_the_current_folder_is_not_replaced(
    save: Save, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A shell would stay in the old folder, which is removed.
    for place, name in enumerate(("a", "b")):
        save(name, [names()[place]])
    Path("empty").mkdir()
    monkeypatch.chdir("empty")

    assert main(["../a", "../b", "."]) == 1

    assert "is or contains the current folder; give another folder to write" in capsys.readouterr().err
