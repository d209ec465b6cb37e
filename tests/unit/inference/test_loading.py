"""A folder is loaded as one whole, in the dtype in which a device is fast."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.files import whole_folder
from modeling_multitask.inference import loading
from modeling_multitask.inference.saving import save_folder


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({"avx2": True}, torch.float32),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_a_processor_is_fast_in_bfloat16_where_it_has_units_for_it(
    units: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)

    assert loading.fast_dtype(torch.device("cpu")) == expected


def test_of_other_devices_nothing_is_assumed() -> None:
    assert loading.fast_dtype(torch.device("mps")) == torch.float32


def test_a_folder_that_is_replaced_while_it_is_loaded_is_loaded_again(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_folder(model, tokenizer, tmp_path / "model")
    once = iter([True])
    read = loading.read_config

    def replacing(path: str) -> MultiTaskConfig:
        config = read(path)
        if next(once, False):
            torch.nn.init.constant_(next(model.parameters()), 7.0)
            with whole_folder(tmp_path / "model") as partial:
                save_folder(model, tokenizer, partial)
        return config

    monkeypatch.setattr(loading, "read_config", replacing)

    found, _ = loading.load(str(tmp_path / "model"))

    assert (next(found.parameters()) == 7.0).all()
    assert not next(once, False)
