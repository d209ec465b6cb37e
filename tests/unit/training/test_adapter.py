"""The folder of a separate adapter: its files, loading it, and the unchanged model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version
from peft import AutoPeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.training.adapter import save_adapter
from tests.unit.training.test_lora import adapted, logits_of, unlike


def test_the_folder_holds_adapter_and_tokenizer_and_beneath_them_a_whole_model(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    # P25: the model beneath has a config.json.
    save_adapter(adapted(model), tokenizer, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        *["adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json", "base"]
    }
    assert {"config.json", "model.safetensors", "modeling_multitask.py"} <= {
        path.name for path in (tmp_path / "base").iterdir()
    }


@pytest.mark.parametrize("folder", [".", "base"])
def test_the_tokenizer_has_the_models_length(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str
) -> None:
    save_adapter(adapted(model), tokenizer, tmp_path)

    assert AutoTokenizer.from_pretrained(tmp_path / folder, trust_remote_code=False).model_max_length == 16


def test_the_model_is_left_as_it_was_trained(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    wrapped = adapted(model)
    before, names = logits_of(wrapped), list(wrapped.state_dict())

    save_adapter(wrapped, tokenizer, tmp_path)

    assert list(wrapped.state_dict()) == names
    assert all(torch.equal(before[name], each) for name, each in logits_of(wrapped).items())


def test_the_base_is_the_encoder_as_it_was(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    encoder = {name: each.clone() for name, each in model.backbone.state_dict().items()}

    save_adapter(adapted(model), tokenizer, tmp_path)

    base = load_file(tmp_path / "base" / "model.safetensors")
    assert [name for name, each in encoder.items() if not torch.equal(base[f"backbone.{name}"], each)] == []


@pytest.mark.parametrize("start", ["gaussian", "pissa", "olora", "orthogonal"])
def test_an_adapter_that_began_in_another_way_loads_as_trained(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, start: str
) -> None:
    # `pissa` and `olora` take their part out of the encoder's weights, and would do so again at loading.
    wrapped = adapted(model, init_lora_weights=start)
    save_adapter(wrapped, tokenizer, tmp_path)

    loaded = AutoPeftModel.from_pretrained(tmp_path)

    assert unlike(logits_of(wrapped), logits_of(loaded)) == []


WITH_TOKENS = pytest.param(
    {"trainable_token_indices": [7]},
    marks=pytest.mark.skipif(
        Version(transformers.__version__) < Version("5.23"),
        reason="transformers 5.17 loads no heads where single tokens were trained; AutoPeftModel does",
    ),
    id="tokens",
)


@pytest.mark.parametrize("settings", [pytest.param({"bias": "all"}, id="biases"), WITH_TOKENS])
def test_what_else_trains_beside_the_adapters_is_in_the_folder(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, settings: dict[str, Any]
) -> None:
    wrapped = adapted(model, **settings)
    save_adapter(wrapped, tokenizer, tmp_path)

    loaded = MultiTaskModel.from_pretrained(tmp_path)

    assert unlike(logits_of(wrapped), logits_of(loaded)) == []


def test_magnitudes_have_the_names_that_transformers_looks_for(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_adapter(adapted(model, use_dora=True), tokenizer, tmp_path)

    names = [name for name in load_file(tmp_path / "adapter_model.safetensors") if "magnitude" in name]
    assert len(names) == 4
    assert all(name.endswith("lora_magnitude_vector.weight") for name in names)


def test_the_adapter_names_a_class_that_everyone_can_import(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    # Else AutoPeftModel would import ours.
    save_adapter(adapted(model), tokenizer, tmp_path)

    written = json.loads((tmp_path / "adapter_config.json").read_text())
    assert written["auto_mapping"] == {"base_model_class": "AutoModel", "parent_library": "transformers"}


def test_the_adapters_weights_hold_nothing_of_the_encoder(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_adapter(adapted(model), tokenizer, tmp_path)

    names = load_file(tmp_path / "adapter_model.safetensors")
    assert [name for name in names if "lora_" not in name and ".heads." not in name] == []
