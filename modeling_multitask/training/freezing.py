"""Parts of a model by name: which of them train, and which are frozen and run without dropout."""

from collections.abc import Sequence

from torch import nn

from ..modeling_multitask import MultiTaskModel
from .parameter_groups import parameter_depths, plain_name
from .parts import layer_span, part_problem
from .phases import Phase


def parameters_of(model: MultiTaskModel, part: str) -> set[str]:
    """Return the names of the parameters in a part.

    Raises:
        ValueError: If the model has no such part.
    """
    depths, top = parameter_depths(model)
    problem = part_problem(part, [task.name for task in model.config.tasks], top)
    if problem is not None:
        raise ValueError(problem)
    return {name for name, depth in depths.items() if _holds(part, plain_name(name), depth, top)}


def trained_parameters(model: MultiTaskModel, train: tuple[str, ...], freeze: tuple[str, ...]) -> set[str]:
    """Return the names of the parameters in the trained parts and not in the frozen parts.

    Args:
        model: The model, with or without adapters of peft.
        train: The parts that train.
        freeze: The parts that stay frozen, also inside a part of `train`.

    Raises:
        ValueError: If the model has no such part.
    """
    chosen = set().union(*(parameters_of(model, part) for part in train))
    return chosen.difference(*(parameters_of(model, part) for part in freeze))


def trains_encoder(model: MultiTaskModel, phases: Sequence[Phase], trainable: set[str]) -> bool:
    """Return whether a phase trains a parameter of the encoder or an adapter in it.

    Args:
        model: The model, with or without adapters of peft.
        phases: The phases of the run.
        trainable: The names of the parameters that may train.
    """
    trained = set().union(*(trained_parameters(model, each.train, each.freeze) for each in phases))
    return any(not plain_name(name).startswith("heads.") for name in trained & trainable)


def train_only(model: MultiTaskModel, names: set[str]) -> None:
    """Make the parameters with these names trainable, and freeze all others, in place."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)


def frozen_modules(module: nn.Module) -> list[nn.Module]:
    """Return the submodules whose parameters are all frozen, with the modules in them, such as dropout.

    They run in eval mode, so that the output of frozen parts never varies.
    """
    trainable = [parameter.requires_grad for parameter in module.parameters()]
    if trainable and not any(trainable):
        return list(module.modules())
    return [each for child in module.children() for each in frozen_modules(child)]


def _holds(part: str, name: str, depth: int, top: int) -> bool:
    if part == "everything":
        return True
    if part == "backbone":
        return depth <= top
    if part == "embeddings":
        return depth == 0
    if part.startswith("heads"):
        return depth > top and f"{name}.".startswith(f"{part}.")
    span = layer_span(part, top)
    assert span is not None  # `part_problem` has checked it
    return span[0] < depth <= min(span[1] + 1, top)
