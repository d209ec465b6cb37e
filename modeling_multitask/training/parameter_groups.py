"""Which parameters share a learning rate and a weight decay.

What is decided here is data: `layer_depths` and `parameter_groups` can be printed and tested without a step.
"""

import re
from typing import Any, NamedTuple

from torch import nn

from ..modeling_multitask import MultiTaskModel
from .arguments import LearningRates

_FIRST_NUMBER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")


class GroupKey(NamedTuple):
    """What the parameters of one group have in common; heads have the depth above the encoder's last."""

    depth: int
    decays: bool


def layer_depths(backbone: nn.Module) -> dict[str, int]:
    """Depth of each of an encoder's parameters by name: 0 for what precedes the layers, then 1, 2, ...

    A parameter's depth is that of the deepest numbered layer registered so far. That holds for every encoder
    family without naming any: a final norm or a pooler comes out at the top, where a rule of "no number, so
    depth 0" would give it the smallest rate. Layers that ALBERT shares are one depth.
    """
    depths, deepest = {}, 0
    for name, _ in backbone.named_parameters():
        if number := _FIRST_NUMBER.search(name):
            deepest = max(deepest, int(number[1]) + 1)
        depths[name] = deepest
    return depths


def parameter_groups(model: MultiTaskModel, rates: LearningRates, weight_decay: float) -> list[dict[str, Any]]:
    """Optimizer groups by depth and decay, the heads first and then the encoder from the top down.

    The heads come first because the Trainer logs the rate of the first group. Every parameter is in exactly one
    group, frozen ones as well, so that they move once they are unfrozen. Decay is for matrices: names would take
    it from the weight of a task called `bias`.

    Returns:
        Dicts with `params` (pairs of name and parameter), `lr` and `weight_decay`, for any optimizer of torch.
    """
    depths = layer_depths(model.backbone)
    top = max(depths.values())
    # By identity: a wrapper such as peft's gives the parameters other names.
    depth_of = {id(parameter): depths[name] for name, parameter in model.backbone.named_parameters()}
    groups: dict[GroupKey, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        key = GroupKey(depth_of.get(id(parameter), top + 1), parameter.ndim >= 2)
        groups.setdefault(key, []).append((name, parameter))
    return [
        {
            "params": groups[key],
            "lr": rates.heads if key.depth > top else rates.backbone * rates.layer_decay ** (top - key.depth),
            "weight_decay": weight_decay if key.decays else 0.0,
        }
        for key in sorted(groups, reverse=True)
    ]
