"""Parts of a model by name, which of them train, and that the others run without dropout."""

import re
import sys

from torch import nn

from ..modeling_multitask import MultiTaskModel
from ..task_problems_multitask import nearest_hint
from .parameter_groups import parameter_depths, plain_name

PARTS = ("everything", "backbone", "embeddings", "layers.K", "layers.A-B", "last_layers.N", "heads", "heads.TASK")
_LAYERS = re.compile(r"layers\.(\d+)(?:-(\d+))?")
_LAST_LAYERS = re.compile(r"last_layers\.([1-9]\d*)")


def part_problem(part: str, tasks: list[str], layers: int | None = None) -> str | None:
    """Why this names no part of a model; `None` if it does.

    Args:
        part: One of `PARTS`, with numbers and names in place of the capitals.
        tasks: The names of the model's tasks.
        layers: How many layers its encoder has, if that is known.
    """
    if part in ("everything", "backbone", "embeddings", "heads"):
        return None
    if part.startswith("heads."):
        task = part.removeprefix("heads.")
        return None if task in tasks else f"{part!r}: no such task{nearest_hint(task, tasks)}"
    if (span := _span(part, layers or sys.maxsize)) is None:
        return f"{part!r} names no part of a model; these are {', '.join(PARTS)}{nearest_hint(part, PARTS)}"
    first, last = span
    if not 0 <= first <= last or (layers is not None and last >= layers):
        there = "" if layers is None else f"; this encoder has the layers 0 to {layers - 1}"
        return f"{part!r}: there are no such layers{there}"
    return None


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
    span = _span(part, top)
    assert span is not None  # `part_problem` saw to it
    return span[0] < depth <= min(span[1] + 1, top)


def _span(part: str, layers: int) -> tuple[int, int] | None:
    """The numbers of the first and the last layer that a part holds, out of so many; `None` if it names none."""
    if numbers := _LAYERS.fullmatch(part):
        return int(numbers[1]), int(numbers[2] or numbers[1])
    if last := _LAST_LAYERS.fullmatch(part):
        return layers - int(last[1]), layers - 1
    return None
