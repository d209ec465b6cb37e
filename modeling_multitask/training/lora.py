"""Low-rank adapters on the encoder, by peft; the heads train whole."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn

from ..modeling_multitask import MultiTaskModel
from ..words_multitask import unknown_word

# Settings of LoraConfig that are not for the user to say.
_DECIDED = {
    "modules_to_save": "every head is trained and saved anyway",
    "task_type": "a multi-task model is none of peft's kinds",
    "peft_type": "it is LoRA",
    "inference_mode": "adapters are here to be trained",
    "layers_to_transform": "give target_modules a regular expression with the layers' numbers",
    "layers_pattern": "give target_modules a regular expression with the layers' numbers",
    "base_model_name_or_path": "it is written where the adapter is kept",
    "auto_mapping": "it is written where the adapter is kept",
}


def add_lora(model: MultiTaskModel, settings: dict[str, Any]) -> PeftModel:
    """The model with low-rank adapters on its encoder; what trains are these and every head.

    Args:
        model: Changed in place, as peft does.
        settings: Any fields of peft's `LoraConfig`, such as `r`, `lora_alpha`, `use_dora` and `use_rslora`.
            `target_modules` are names of layers within the encoder, or `all-linear`; left out, they are those
            that peft knows for its architecture, else all linear ones.

    Raises:
        ValueError: If a setting is unknown or not for the user to say, or names no layer of the encoder.
    """
    if (problem := lora_problem(settings)) is not None:
        raise ValueError(f"lora.{problem}")
    targets = target_modules(model, settings.get("target_modules"))
    heads = [f"heads.{task.name}" for task in model.config.tasks]
    wrapped = get_peft_model(model, LoraConfig(**{**settings, "target_modules": targets, "modules_to_save": heads}))
    _check_trainable(wrapped, heads)
    return wrapped


def lora_problem(settings: dict[str, Any]) -> str | None:
    """Why these cannot be settings of LoRA; `None` if they can."""
    allowed = [each.name for each in fields(LoraConfig) if each.init]
    for name in settings:
        if name in _DECIDED:
            return f"{name}: is not to be set; {_DECIDED[name]}"
        if name not in allowed:
            return f"{name}: {unknown_word(name, [each for each in allowed if each not in _DECIDED])}"
    return None


def target_modules(model: MultiTaskModel, given: Sequence[str] | str | None = None) -> str:
    """A regular expression for the encoder's layers that get adapters.

    Args:
        model: The model.
        given: Last parts of the layers' names, `all-linear`, a regular expression, or nothing.

    Raises:
        ValueError: If a name is that of no layer of the encoder.
    """
    layers = [name for name, module in model.backbone.named_modules() if isinstance(module, nn.Linear)]
    known = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.backbone_config.model_type)
    if isinstance(given, str) and given != "all-linear":
        return _expression(given, layers)
    if given is not None and not given:
        raise ValueError("lora.target_modules: is empty; name layers, or leave it out")
    wanted = list(known or ()) if given is None else [] if given == "all-linear" else list(given)
    if not wanted:
        wanted = sorted({name.rpartition(".")[2] for name in layers})
    for name in wanted:
        if not any(layer == name or layer.endswith(f".{name}") for layer in layers):
            last = sorted({layer.rpartition(".")[2] for layer in layers})
            raise ValueError(f"lora.target_modules: no layer is called {name!r}; there are {', '.join(last)}")
    return rf"backbone\.(?:.*\.)?(?:{'|'.join(map(re.escape, wanted))})"


def _expression(given: str, layers: list[str]) -> str:
    """The user's regular expression, if it matches a layer; peft itself leaves alone what is saved whole."""
    try:
        found = [name for name in layers if re.fullmatch(given, f"backbone.{name}")]
    except re.error as error:
        raise ValueError(f"lora.target_modules: {given!r} is no regular expression ({error})") from None
    if not found:
        raise ValueError(f"lora.target_modules: {given!r} matches no layer; these are like 'backbone.{layers[0]}'")
    return given


def _check_trainable(model: PeftModel, heads: list[str]) -> None:
    """Sees that every head trains, and no layer whole: peft takes a name it does not find for no mistake."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    frozen_heads = [head for head in heads if not any(f".{head}.modules_to_save." in name for name in trained)]
    whole = [name for name in trained if ".modules_to_save." in name and not any(f".{head}." in name for head in heads)]
    if frozen_heads or whole:
        raise RuntimeError(f"peft left {frozen_heads} frozen and lets {whole[:3]} train")
