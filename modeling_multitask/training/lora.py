"""Low-rank adapters on the encoder, with peft. The heads train in full."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn
from transformers import PreTrainedConfig

from ..configuration_multitask import MultiTaskConfig
from ..modeling_multitask import MultiTaskModel
from ..words_multitask import unknown_word

# Settings of LoraConfig that users cannot set, and why.
_DECIDED = {
    "modules_to_save": "every head is always trained and saved",
    "task_type": "a multi-task model has no task type of peft",
    "peft_type": "it is always LORA",
    "inference_mode": "new adapters are always trainable",
    "layers_to_transform": "give target_modules a regular expression with the layers' numbers",
    "layers_pattern": "give target_modules a regular expression with the layers' numbers",
    "base_model_name_or_path": "it is set when the adapter is saved",
    "auto_mapping": "it is set when the adapter is saved",
    "alora_invocation_tokens": "aLoRA cannot be merged into the encoder",
}


def add_lora(model: MultiTaskModel, settings: dict[str, Any]) -> PeftModel:
    """Add low-rank adapters to the encoder. The adapters and every head train.

    Args:
        model: The model. It is changed in place, as in peft.
        settings: Fields of peft's `LoraConfig`, such as `r`, `lora_alpha`, `use_dora` and `use_rslora`.
            `target_modules` are names of layers in the encoder, a regular expression or `all-linear`. By default, they
            are those that peft knows for the architecture, or else all linear layers.

    Raises:
        ValueError: If a setting is unknown or cannot be set, or matches no layer of the encoder.
    """
    if (problem := lora_problem(settings)) is not None:
        raise ValueError(f"lora.{problem}")
    targets = target_modules(model, settings.get("target_modules"))
    heads = [f"heads.{task.name}" for task in model.config.tasks]
    wrapped = get_peft_model(model, LoraConfig(**{**settings, "target_modules": targets, "modules_to_save": heads}))
    _check_trainable(wrapped, heads)
    if not _is_multi_task(model.name_or_path):
        # An adapter of this model does not fit a plain encoder, so it must not name one. It is set with the adapter.
        wrapped.peft_config[wrapped.active_adapter].base_model_name_or_path = ""
    return wrapped


def lora_problem(settings: dict[str, Any]) -> str | None:
    """Return why these settings of LoRA are not valid; `None` if they are."""
    allowed = [each.name for each in fields(LoraConfig) if each.init]
    for name in settings:
        if name in _DECIDED:
            return f"{name}: cannot be set; {_DECIDED[name]}"
        if name not in allowed:
            return f"{name}: {unknown_word(name, [each for each in allowed if each not in _DECIDED])}"
    return None


def target_modules(model: MultiTaskModel, given: Sequence[str] | str | None = None) -> str:
    """Return a regular expression for the layers of the encoder that get adapters.

    Args:
        model: The model.
        given: The last parts of layer names, `all-linear`, a regular expression, or nothing.

    Raises:
        ValueError: If a name or the expression matches no layer of the encoder.
    """
    layers = [name for name, module in model.backbone.named_modules() if isinstance(module, nn.Linear)]
    known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.backbone_config.model_type)
    if isinstance(given, str) and given != "all-linear":
        return _expression(given, layers)
    if given is not None and not given:
        raise ValueError("lora.target_modules: is empty; name layers, or leave it out")
    chosen = list(known or ()) if given is None else [] if given == "all-linear" else list(given)
    if not chosen:
        chosen = sorted({name.rpartition(".")[2] for name in layers})
    for name in chosen:
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            last = sorted({layer.rpartition(".")[2] for layer in layers})
            raise ValueError(f"lora.target_modules: no layer is named {name!r}; layers here: {', '.join(last)}")
    return rf"backbone\.(?:.*\.)?(?:{'|'.join(map(re.escape, chosen))})"


def _expression(given: str, layers: list[str]) -> str:
    """Return the user's regular expression, if it matches a layer. peft adds no adapters to the heads."""
    try:
        found = [name for name in layers if re.fullmatch(given, f"backbone.{name}")]
    except re.error as error:
        raise ValueError(f"lora.target_modules: {given!r} is not a valid regular expression ({error})") from None
    if not found:
        raise ValueError(
            f"lora.target_modules: {given!r} matches no layer; layers have names such as 'backbone.{layers[0]}'"
        )
    return given


def _is_multi_task(place: str) -> bool:
    """Return whether a folder, or a repository in the cache, has a multi-task model."""
    try:
        content, _ = PreTrainedConfig.get_config_dict(place, local_files_only=True)
    except (OSError, ValueError):
        return False
    return content.get("model_type") == MultiTaskConfig.model_type


def _check_trainable(model: PeftModel, heads: list[str]) -> None:
    """Check that every head trains, and no encoder layer in full: peft ignores names that it does not find."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    frozen_heads = [head for head in heads if not any(f".{head}.modules_to_save." in name for name in trained)]
    whole = [name for name in trained if ".modules_to_save." in name and not any(f".{head}." in name for head in heads)]
    if frozen_heads or whole:
        raise RuntimeError(
            f"unexpected result of peft: the heads {frozen_heads} are frozen, and {whole[:3]} train in full"
        )
