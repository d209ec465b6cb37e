"""A damaged or hostile model folder is refused with one error that names the folder, the file and the cause."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.errors import ModelFolderError
from modeling_multitask.inference.loading import load, read_config
from modeling_multitask.pipeline_multitask import PIPELINE_TASK
from modeling_multitask.weights_multitask import WeightsError
from tests.conftest import ROOT, tasks_of_each_type, tiny_bert_config
from tests.fresh_process import run_fresh

Change = Callable[[Path], None]
HEAD, LAYER = "heads.topic.0.weight", "backbone.encoder.layer.1.output.dense.weight"
OLD = ROOT / "tests" / "version_0_1" / "model"


def config(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        change(content)
        (folder / "config.json").write_text(json.dumps(content))

    return apply


def encoder(key: str, value: object) -> Change:
    return config(lambda content: content["backbone_config"].__setitem__(key, value))


def head(key: str, value: object) -> Change:
    return config(lambda content: content["head"].__setitem__(key, value))


def first_task(key: str, value: object) -> Change:
    return config(lambda content: content["tasks"][0].__setitem__(key, value))


def weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, {"format": "pt"})

    return apply


def raw(file: str, change: Callable[[bytes], bytes]) -> Change:
    def apply(folder: Path) -> None:
        (folder / file).write_bytes(change((folder / file).read_bytes()))

    return apply


def without(part: str) -> Change:
    return weights(lambda tensors: {name: value for name, value in tensors.items() if part not in name})


def filled(name: str, value: float) -> Change:
    return weights(lambda tensors: tensors | {name: torch.full_like(tensors[name], value)})


WEIGHTS: dict[str, tuple[Change, str]] = {
    "no heads": (without("heads."), "lacks tensors of the model that config.json describes: heads."),
    "no layer": (without("layer.1."), "lacks tensors .*backbone.encoder.layer.1.* more"),
    "another tensor": (weights(lambda old: old | {"extra": torch.ones(1)}), "model does not have: extra"),
    "NaN": (filled(LAYER, float("nan")), f"the tensor {LAYER} has NaN or infinite numbers"),
    "infinite": (filled(HEAD, float("inf")), f"the tensor {HEAD} has NaN or infinite numbers"),
    "whole numbers": (weights(lambda old: {n: v.long() for n, v in old.items()}), r"has whole numbers \(I64\)"),
    "another shape": (weights(lambda old: old | {HEAD: torch.ones(3, 5)}), rf"{HEAD} has the shape \[3, 5\]"),
    "fewer layers": (encoder("num_hidden_layers", 1), "model does not have: backbone.encoder.layer.1"),
    "a vocabulary beyond memory": (encoder("vocab_size", 10**12), r"by config.json"),
    "a head beyond memory": (head("hidden_sizes", [10**12]), r"\[1000000000000, 32\] by config.json"),
    "more layers than tensors": (encoder("num_hidden_layers", 300), "num_hidden_layers is 300 in config.json"),
    "layers without end": (encoder("num_hidden_layers", 10**9), "num_hidden_layers is 1,000,000,000 in config.json"),
    "cut": (raw("model.safetensors", lambda old: old[: len(old) // 2]), "the weights file is damaged"),
    "empty": (raw("model.safetensors", lambda old: b""), "the weights file is damaged"),
    "a header beyond memory": (
        raw("model.safetensors", lambda old: struct.pack("<Q", 2**62) + old[8:]),
        "the weights file is damaged",
    ),
}
OTHER_FILES: dict[str, tuple[Change, str]] = {
    "half a config": (raw("config.json", lambda old: old[: len(old) // 2]), "config.json: .*not a valid JSON"),
    "an empty config": (raw("config.json", lambda old: b""), "config.json: .*not a valid JSON"),
    "a config of a million brackets": (raw("config.json", lambda old: b"[" * 10**6), "config.json: RecursionError"),
    "a config that is a list": (raw("config.json", lambda old: b"[]"), "config.json: AttributeError"),
    "heads of width -5": (head("hidden_sizes", [-5]), r"hidden_sizes is \[-5\]; each must be at least 1"),
    "heads of a text": (head("hidden_sizes", "abc"), "'hidden_sizes' expected a list, got str"),
    "dropout 7": (head("dropout", 7), "dropout is 7; it must be at least 0 and below 1"),
    "dropout NaN": (head("dropout", float("nan")), "dropout is nan; it must be at least 0 and below 1"),
    "an activation that is code": (head("activation", "__import__('os')"), "'activation' expected one of"),
    "width 0": (encoder("hidden_size", 0), "config.json: "),
    "a negative width": (encoder("hidden_size", -384), "config.json: RuntimeError: .*negative dimension"),
    "no attention heads": (encoder("num_attention_heads", 0), "config.json: ZeroDivisionError"),
    "layers in words": (encoder("num_hidden_layers", "six"), "'num_hidden_layers' expected int"),
    "no backbone": (config(lambda content: content.__setitem__("backbone_config", None)), "backbone_config is None"),
    "an unknown backbone": (encoder("model_type", "zzz"), "'zzz' is not part of transformers"),
    "no tasks": (config(lambda content: content.pop("tasks")), "needs at least one task"),
    "a task that is null": (config(lambda content: content.__setitem__("tasks", [None])), "a task is None"),
    "a task of no type": (first_task("problem_type", "zzz"), "config.json: .*zzz"),
    "a task without a type": (config(lambda content: content["tasks"][0].pop("problem_type")), "problem_type"),
    "a task that is a path": (first_task("name", "../../x"), "cannot name a task"),
    "a label twice": (first_task("labels", ["a", "a", "b"]), "labels must differ"),
    "a temperature of 0": (first_task("temperature", 0), "temperature is 0; it must be a number above 0"),
    "a length beyond the encoder": (
        config(lambda content: content.__setitem__("max_length", 10**9)),
        "max_length is 1000000000, but this encoder takes at most",
    ),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json: the tokenizer has no words"),
    "half a tokenizer": (raw("tokenizer.json", lambda old: old[: len(old) // 2]), "tokenizer.json: JSONDecodeError"),
    "another tokenizer file": (raw("tokenizer.json", lambda old: b'{"a": 1}'), "tokenizer.json: "),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Path:
    """The folder of a model with all problem types."""
    folder = tmp_path_factory.mktemp("whole")
    config = MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=tasks_of_each_type(), max_length=16)
    MultiTaskModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of this folder."""
    return Path(shutil.copytree(whole, tmp_path / "folder"))


@pytest.mark.parametrize("damage", [*WEIGHTS, *OTHER_FILES])
def test_a_damaged_folder_is_refused_with_its_cause(damage: str, folder: Path) -> None:
    change, cause = (WEIGHTS | OTHER_FILES)[damage]
    change(folder)

    with pytest.raises(ModelFolderError, match=cause) as error:
        load(str(folder))
    assert str(error.value).startswith(f"{folder}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", WEIGHTS)
def test_weights_that_do_not_fit_are_refused_by_from_pretrained(damage: str, folder: Path) -> None:
    change, cause = WEIGHTS[damage]
    change(folder)

    with pytest.raises(WeightsError, match=cause):
        AutoModel.from_pretrained(folder)


def test_half_precision_and_several_files_are_loaded(folder: Path) -> None:
    before = MultiTaskModel.from_pretrained(folder)
    weights(lambda old: {name: value.half() for name, value in old.items()})(folder)
    assert load(str(folder))[0].heads.topic[0].weight.allclose(before.heads.topic[0].weight, atol=1e-3)
    (folder / "model.safetensors").unlink()
    before.save_pretrained(folder, max_shard_size="20KB")
    assert (folder / "model.safetensors.index.json").is_file()

    loaded, info = MultiTaskModel.from_pretrained(folder, output_loading_info=True)

    assert not info["missing_keys"]
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in before.state_dict().items())
    raw("model.safetensors.index.json", lambda old: b"{}")(folder)
    with pytest.raises(WeightsError, match=r"model\.safetensors\.index\.json is damaged"):
        MultiTaskModel.from_pretrained(folder)


def test_a_folder_of_version_0_1_may_lack_the_scale_of_a_regression_and_nothing_else(tmp_path: Path) -> None:
    assert not any("target_mean" in name for name in load_file(OLD / "model.safetensors"))
    assert load(str(OLD))[0].heads.rating[-1].target_std == 1
    folder = Path(shutil.copytree(OLD, tmp_path / "old"))
    without("heads.rating")(folder)

    with pytest.raises(ModelFolderError, match=r"lacks tensors .*heads\.rating"):
        load(str(folder))


def test_ids_beyond_the_embeddings_are_refused(folder: Path) -> None:
    tokenizer = load(str(folder))[1]
    tokenizer.add_tokens([f"enormous{i}" for i in range(40)])
    tokenizer.save_pretrained(folder)

    with pytest.raises(ModelFolderError, match=r"the id \d+ for 'enormous39', but the model has only \d+ embeddings"):
        load(str(folder))


def test_a_folder_without_a_config_is_not_damaged_but_no_model(folder: Path) -> None:
    (folder / "config.json").unlink()

    with pytest.raises(FileNotFoundError, match=r"not found on the Hub|no config\.json"):
        read_config(str(folder))


LOADED_BY_OTHERS = """
from transformers import AutoModel, pipeline
folder, others = sys.argv[1], sys.argv[2:]
result = []
for other in others:
    try:
        AutoModel.from_pretrained(other, trust_remote_code=True)
        result.append("loaded")
    except ValueError as error:
        result.append(str(error))
try:
    pipeline(sys.argv[1], model=others[-1], trust_remote_code=True)
except ValueError as error:
    result[-1] = str(error)
"""


def test_the_travelling_code_refuses_them_too(whole: Path, tmp_path: Path) -> None:
    damages = ["no heads", "NaN", "another shape", "layers without end", "no tokenizer"]
    folders = [Path(shutil.copytree(whole, tmp_path / name)) for name in damages]
    for damage, folder in zip(damages, folders, strict=True):
        (WEIGHTS | OTHER_FILES)[damage][0](folder)

    said = run_fresh(LOADED_BY_OTHERS, PIPELINE_TASK, *folders, folder=tmp_path)

    assert [words for words, damage in zip(said, damages, strict=True) if "lacks tensors" in words] == [said[0]]
    assert "NaN or infinite" in said[1]
    assert "has the shape [3, 5]" in said[2]
    assert "num_hidden_layers is 1,000,000,000" in said[3]
    assert "the tokenizer has no words" in said[4]
