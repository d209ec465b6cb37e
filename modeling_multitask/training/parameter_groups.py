"""Which parameters share a learning rate and a weight decay.

What is decided here is data: `layer_depths` and `parameter_groups` can be printed and tested without a step.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from ..modeling_multitask import MultiTaskModel
from .rates import LearningRates

FIRST_NUMBER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")
# Of MPNet; of DeBERTa, whose norm is that of its relative positions.
SHARED_POSITIONS = re.compile(r"^encoder\.(relative_attention_bias|rel_embeddings|LayerNorm)\.")
# What peft puts before, after and into the names of parameters.
_WRAPPING = re.compile(r"^base_model\.model\.|(?<=\.)(?:base_layer|original_module|modules_to_save\.default)\.")


class GroupKey(NamedTuple):
    """What the parameters of one group have in common; heads have the depth above the encoder's last."""

    depth: int
    decays: bool
    rates: tuple[float, ...]


def layer_depths(backbone: nn.Module) -> dict[str, int]:
    """Depth of each of an encoder's parameters by name: 0 for what precedes the layers, then 1, 2, ...

    A parameter's depth is that of the deepest numbered layer registered so far. That holds for every encoder
    family without naming any: a final norm or a pooler comes out at the top, where a rule of "no number, so
    depth 0" would give it the smallest rate. Layers that ALBERT shares are one depth. The exception are relative
    positions that all layers share: they are registered last, but the first layer depends on them already.
    """
    depths, deepest = {}, 0
    for name, _ in backbone.named_parameters():
        if number := FIRST_NUMBER.search(name):
            deepest = max(deepest, int(number[1]) + 1)
        depths[name] = 0 if SHARED_POSITIONS.search(name) else deepest
    return depths


def parameter_depths(model: MultiTaskModel) -> tuple[dict[str, int], int]:
    """Depth of each of a model's parameters by name, heads one above the rest; and that of the topmost layer."""
    depths = layer_depths(model.backbone)
    top = max(depths.values())
    # By identity: a wrapper such as peft's gives the parameters other names.
    depth_of = {id(parameter): depths[name] for name, parameter in model.backbone.named_parameters()}
    return {name: depth_of.get(id(parameter), top + 1) for name, parameter in model.named_parameters()}, top


def parameter_groups(
    model: MultiTaskModel, rates: LearningRates | Sequence[LearningRates], weight_decay: float
) -> list[dict[str, Any]]:
    """Optimizer groups by depth and decay, the heads first and then the encoder from the top down.

    The heads come first because the Trainer logs the rate of the first group. Every parameter is in exactly one
    group, frozen ones as well, so that they move once they are unfrozen. Decay is for matrices: names would take
    it from the weight of a task called `bias`.

    Args:
        model: The model, which peft may have wrapped.
        rates: Its learning rates; several, if training has phases with rates of their own.
        weight_decay: That of matrices.

    Returns:
        Dicts with `params` (pairs of name and parameter), `lr`, `weight_decay`, the `name` of the part, and its
        `rates` in each phase, for any optimizer of torch. What has no rate, since it does not train, has the rate 0.
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
            "name": part_name(key.depth, top),
            "rates": key.rates,
        }
        for key in sorted(groups, reverse=True)
    ]


def part_name(depth: int, top: int) -> str:
    """`heads`, `layers.3` or `embeddings`."""
    return "heads" if depth > top else f"layers.{depth - 1}" if depth else "embeddings"


def plain_name(name: str) -> str:
    """A parameter's name without what peft adds to it."""
    return _WRAPPING.sub("", name)
