"""Parts of a model by name, which of them train, and that the others run without dropout."""

from torch import nn

from ..modeling_multitask import MultiTaskModel
from .parameter_groups import parameter_depths, plain_name
from .parts import layer_span, part_problem


def parameters_of(model: MultiTaskModel, part: str) -> set[str]:
    """The names of the parameters that a part holds.

    Raises:
        ValueError: If there is no such part.
    """
    depths, top = parameter_depths(model)
    problem = part_problem(part, [task.name for task in model.config.tasks], top)
    if problem is not None:
        raise ValueError(problem)
    return {name for name, depth in depths.items() if _holds(part, plain_name(name), depth, top)}


def trained_parameters(model: MultiTaskModel, train: tuple[str, ...], freeze: tuple[str, ...]) -> set[str]:
    """The names of the parameters that some parts hold, without those of others.

    Args:
        model: The model, which peft may have wrapped.
        train: The parts that train.
        freeze: The parts that do not, though one of those holds them.

    Raises:
        ValueError: If there is no such part.
    """
    wanted = set().union(*(parameters_of(model, part) for part in train))
    return wanted.difference(*(parameters_of(model, part) for part in freeze))


def train_only(model: MultiTaskModel, names: set[str]) -> None:
    """Lets the parameters of these names take a gradient and all others none; changes the model in place."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)


def frozen_modules(module: nn.Module) -> list[nn.Module]:
    """The modules within one all of whose parameters are frozen, with what lies within these, such as dropout.

    They are to run in eval mode, so that what is frozen always gives the same.
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
    assert span is not None  # `part_problem` saw to it
    return span[0] < depth <= min(span[1] + 1, top)
