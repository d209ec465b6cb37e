"""Load a trained model, and choose its device and dtype."""

from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..modeling_multitask import MultiTaskModel, resolve_model_path


def load(model: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Return a trained model, on the accelerator if there is one, and its tokenizer.

    Args:
        model: A Hub id, a folder, or `package:NAME/FOLDER`.

    Raises:
        OSError: If the model is not found, or its weights are not safetensors.
    """
    path = resolve_model_path(model)
    try:
        kind = MultiTaskConfig.get_config_dict(path)[0].get("model_type")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"{model}: not a local folder, and not found on the Hub ({reason})") from error
    if kind != MultiTaskConfig.model_type:
        found = f"its config.json says model_type {kind!r}" if kind else "it has no config.json"
        raise FileNotFoundError(f"{model}: not a multi-task model ({found})")
    # A model from an unknown author must not run code: no pickle is read, and no tokenizer code is loaded.
    loaded: Any = MultiTaskModel.from_pretrained(path, use_safetensors=True)
    return to_accelerator(loaded), AutoTokenizer.from_pretrained(path, trust_remote_code=False)


def to_accelerator(model: Any) -> MultiTaskModel:
    """Return the model on the accelerator, or on the CPU if there is none."""
    return model.to(torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu")


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 for devices that are faster in it (GPUs, and CPUs with AMX or AVX-512 BF16), else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type != "cpu":
        return torch.float32
    units = torch.cpu.get_capabilities()
    return torch.bfloat16 if units.get("amx_bf16") or units.get("avx512_bf16") else torch.float32
