"""The optimizer groups: parameters that share a learning rate and a weight decay.

`layer_depths` and `parameter_groups` return plain data, which can be printed and tested without training.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from ..modeling_multitask import MultiTaskModel
from .rates import CUT_POINTS, LearningRates

FIRST_NUMBER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")
# In MPNet, and in DeBERTa, where this LayerNorm belongs to the relative positions.
SHARED_POSITIONS = re.compile(r"^encoder\.(relative_attention_bias|rel_embeddings|LayerNorm)\.")
# The additions of peft to the names of parameters.
_WRAPPING = re.compile(r"^base_model\.model\.|(?<=\.)(?:base_layer|original_module|modules_to_save\.default)\.")


class GroupKey(NamedTuple):
    """The key of one optimizer group. The depth of heads is one above the last layer of the encoder."""

    depth: int
    decays: bool
    rates: tuple[float, ...]


def layer_depths(backbone: nn.Module) -> dict[str, int]:
    """Return the depth of each parameter of an encoder by name: 0 before the layers, then 1, 2, ...

    The depth of a parameter is that of the deepest numbered layer registered so far. This rule needs no list of encoder
    families. A final norm or a pooler gets the depth of the top layer, not 0, which would have the smallest rate. The
    shared layers of ALBERT have one depth. The exception is relative positions that all layers share: they are
    registered last, but the first layer depends on them, so their depth is 0.
    """
    depths, deepest = {}, 0
    for name, _ in backbone.named_parameters():
        if number := FIRST_NUMBER.search(name):
            deepest = max(deepest, int(number[1]) + 1)
        depths[name] = 0 if SHARED_POSITIONS.search(name) else deepest
    return depths


def parameter_depths(model: MultiTaskModel) -> tuple[dict[str, int], int]:
    """Return the depth of each parameter of a model by name, and the depth of the top layer.

    Heads are one above it. Dense layers after pooling have the depth of the top layer, like a final norm.
    """
    depths = layer_depths(model.backbone)
    top = max(depths.values())
    # By identity, because wrappers such as peft rename the parameters.
    depth_of = {id(parameter): depths[name] for name, parameter in model.backbone.named_parameters()}
    depth_of |= {id(parameter): top for parameter in model.dense.parameters()}
    return {name: depth_of.get(id(parameter), top + 1) for name, parameter in model.named_parameters()}, top


def highest_rate(groups: list[dict[str, Any]]) -> float:
    """Return the highest rate of the groups. Schedules with a minimum rate lower all rates by its share of this one.

    Cut points are left out if there are others, because their rate is ten times that of the heads.
    """
    rates = [group["lr"] for group in groups if group["name"] != "cut_points"]
    return max(rates, default=0.0) or max(group["lr"] for group in groups)


def parameter_groups(
    model: MultiTaskModel, rates: LearningRates | Sequence[LearningRates], weight_decay: float
) -> list[dict[str, Any]]:
    """Return optimizer groups by depth and weight decay: first the heads, then the encoder from the top down.

    The heads come first because the Trainer logs the rate of the first group. Every parameter is in exactly one group.
    Frozen parameters are included, so that they train after they are unfrozen. Weight decay applies to matrices. A
    rule by name would exclude the weight of a task with the name `bias`.

    Args:
        model: The model, with or without adapters of peft.
        rates: The learning rates, or a list of them with one per phase.
        weight_decay: The weight decay of matrices.

    Returns:
        Dicts with `params` (pairs of name and parameter), `lr`, `weight_decay`, the `name` of the part, and its
        `rates` in each phase, for any optimizer of torch. A parameter without a rate, which does not train, has the
        rate 0.
    """
    phases = [rates] if isinstance(rates, LearningRates) else list(rates)
    depths, top = parameter_depths(model)
    groups: dict[GroupKey, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        own = tuple(phase.rate(plain_name(name), depths[name], top) or 0.0 for phase in phases)
        groups.setdefault(GroupKey(depths[name], parameter.ndim >= 2, own), []).append((name, parameter))
    return [
        {
            "params": groups[key],
            "lr": key.rates[0],
            "weight_decay": weight_decay if key.decays else 0.0,
            "name": "cut_points" if groups[key][0][0].endswith(CUT_POINTS) else part_name(key.depth, top),
            "rates": key.rates,
        }
        for key in sorted(groups, reverse=True)
    ]


def part_name(depth: int, top: int) -> str:
    """Return the name of the part at a depth: `heads`, `layers.3` or `embeddings`."""
    return "heads" if depth > top else f"layers.{depth - 1}" if depth else "embeddings"


def plain_name(name: str) -> str:
    """Return the name of a parameter without the additions of peft."""
    return _WRAPPING.sub("", name)
