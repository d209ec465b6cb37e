"""The encoder inside a multi-task model: its class, its files, its width and the number of its positions.

Shapes: T tokens, D width of the encoder's states.
"""

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    PreTrainedConfig,
    PreTrainedModel,
)

from .configuration_multitask import MultiTaskConfig

_TOKENS = 16  # T, of the text that measures the width: some encoders need more than a few


def build_backbone(config: Any) -> PreTrainedModel:
    """Return an encoder with random weights."""
    return _model_class(config)._from_config(config, **_no_pooler(config))


def read_backbone_config(
    path: str, hub_kwargs: dict[str, Any], kwargs: dict[str, Any]
) -> tuple[PreTrainedConfig, dict[str, Any]]:
    """Return the encoder's configuration with the user's changes, and the arguments that are not part of it.

    Raises:
        ValueError: If the encoder needs remote code, or the files are those of a multi-task model.
    """
    content, _ = PreTrainedConfig.get_config_dict(path, **hub_kwargs)
    if content.get("model_type") == MultiTaskConfig.model_type:
        raise ValueError(
            f"{path} is a multi-task model, not a plain encoder; train it further with start_from in a recipe, or load "
            "it with from_pretrained"
        )
    if "auto_map" in content and content.get("model_type") not in CONFIG_MAPPING:
        raise ValueError(
            f"{path} needs remote code of its own, which a saved model cannot contain; "
            "choose a backbone whose architecture is part of transformers"
        )
    config, unused = AutoConfig.from_pretrained(path, return_unused_kwargs=True, **hub_kwargs, **kwargs)
    return config, unused


def load_backbone(path: str, config: Any, **kwargs: Any) -> tuple[PreTrainedModel, int]:
    """Return a pretrained encoder without its pooler, and the width of its states, D.

    Args:
        path: Hub id or folder.
        config: The encoder's configuration.
        kwargs: Arguments of `from_pretrained`.

    Raises:
        ValueError: If weights are missing, or the encoder does not return one state for each token id.
    """
    backbone, info = _loaded(path, config, kwargs)
    if _no_pooler(config):
        backbone.pooler = None  # removed after loading, so that its weights are not reported as unexpected
    kind = type(backbone).__name__
    if missing := sorted(name for name in info["missing_keys"] if "pooler" not in name):
        raise ValueError(
            f"{path}: its weights lack {len(missing)} tensors of {kind}, such as {missing[0]}, which would be random; "
            "choose another backbone"
        )
    states = _states(path, backbone.eval(), "its token ids")
    if states.shape[:2] != (1, _TOKENS):
        raise ValueError(
            f"{path}: {kind} returns {states.shape[1]} states for {_TOKENS} tokens, but each token needs its own; "
            "choose another backbone"
        )
    if "token_type_ids" in inspect.signature(backbone.forward).parameters:
        segments = torch.zeros((1, _TOKENS), dtype=torch.long, device=backbone.device)
        _states(path, backbone, "its token ids and one segment of each token", token_type_ids=segments)
    return backbone, states.shape[2]


def _loaded(path: str, config: Any, kwargs: dict[str, Any]) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Return an encoder, and which of its weights are missing."""
    kind = _model_class(config)
    try:
        return kind.from_pretrained(path, config=config, output_loading_info=True, **kwargs)
    except ImportError as error:
        reason = str(error).strip().split(". ")[0]
        raise ValueError(
            f"{path}: {kind.__name__} needs a package that is not installed ({reason}); choose another backbone"
        ) from error


def _states(path: str, backbone: PreTrainedModel, what: str, **inputs: Tensor) -> Tensor:
    """Return the states of a text, (1, T, D)."""
    ids = torch.ones((1, _TOKENS), dtype=torch.long, device=backbone.device)
    try:
        with torch.no_grad():
            return backbone(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs).last_hidden_state
    except Exception as error:  # an architecture for other inputs can raise anything
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(
            f"{path}: {type(backbone).__name__} cannot encode a text from {what} ({type(error).__name__}: {reason}); "
            "choose another backbone"
        ) from error


def most_tokens(backbone: PreTrainedModel) -> float:
    """Return the number of tokens that the encoder's table of positions allows, or infinity if it has none."""
    limits = [math.inf]
    for name, table in backbone.named_modules():
        weight = getattr(table, "weight", None)
        if name.endswith("position_embeddings") and isinstance(weight, Tensor):
            # RoBERTa and its relatives count positions from the padding id, so no token uses the first ones.
            padding = getattr(table, "padding_idx", None)
            limits.append(weight.shape[0] - (0 if padding is None else padding + 1))
    return min(limits)


def _model_class(config: Any) -> Any:
    """Return the class of an encoder: of an encoder-decoder such as T5, that of the encoder alone."""
    is_part = getattr(type(config), "is_encoder_decoder", False)
    classes = (AutoModelForTextEncoding if is_part else AutoModel)._model_mapping
    if type(config) not in classes and is_part:
        raise ValueError(
            f"{config.model_type!r} is an encoder-decoder, and transformers cannot load its encoder alone; "
            "choose another backbone"
        )
    if type(config) not in classes:
        raise ValueError(f"transformers has no encoder for {config.model_type!r}; choose another backbone")
    found = classes[type(config)]
    return found[0] if isinstance(found, tuple) else found  # not the base model of Funnel, with fewer states


def _no_pooler(config: Any) -> dict[str, bool]:
    """Return `add_pooling_layer=False` if the encoder accepts it. DDP fails on an unused pooler without gradient."""
    known = "add_pooling_layer" in inspect.signature(_model_class(config).__init__).parameters
    return {"add_pooling_layer": False} if known else {}
