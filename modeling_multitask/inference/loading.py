"""A trained model, where and in which number format it runs."""

from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..modeling_multitask import MultiTaskModel, resolve_model_path


def load(model: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """A trained model, on the accelerator if there is one, and its tokenizer.

    Args:
        model: Hub id, folder, or `package:NAME/FOLDER`.

    Raises:
        OSError: If there is no such model, or its weights are not safetensors.
    """
    path = resolve_model_path(model)
    try:
        kind = MultiTaskConfig.get_config_dict(path)[0].get("model_type")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"{model}: no such folder, nor a model that the Hub gives ({reason})") from error
    if kind != MultiTaskConfig.model_type:
        found = f"its config.json says model_type {kind!r}" if kind else "it has no config.json"
        raise FileNotFoundError(f"{model}: not a multi-task model ({found})")
    # A stranger's folder runs no code: no pickle is read, and no tokenizer of its own.
    loaded: Any = MultiTaskModel.from_pretrained(path, use_safetensors=True)
    return to_accelerator(loaded), AutoTokenizer.from_pretrained(path, trust_remote_code=False)


def to_accelerator(model: Any) -> MultiTaskModel:
    """The model, on the accelerator if there is one."""
    return model.to(torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu")


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where a device computes in it faster than in float32: GPUs, and processors with AMX or AVX-512 BF16."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type != "cpu":
        return torch.float32
    units = torch.cpu.get_capabilities()
    return torch.bfloat16 if units.get("amx_bf16") or units.get("avx512_bf16") else torch.float32
