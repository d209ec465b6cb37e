"""The parts of a model that a recipe can name: `heads`, `layers.8-11`, `embeddings`."""

import re
import sys

from ..words_multitask import nearest_hint

PARTS_OF_ENCODER = ("backbone", "embeddings", "layers.K", "layers.A-B", "last_layers.N")
PARTS = ("everything", *PARTS_OF_ENCODER, "heads", "heads.TASK")
_LAYERS = re.compile(r"layers\.(\d+)(?:-(\d+))?")
_LAST_LAYERS = re.compile(r"last_layers\.([1-9]\d*)")


def part_problem(part: str, tasks: list[str], layers: int | None = None) -> str | None:
    """Return why this is not a part of a model; `None` if it is.

    Args:
        part: One of `PARTS`, with numbers and names instead of the capital letters.
        tasks: The names of the model's tasks.
        layers: The number of layers of the encoder, if it is known.
    """
    if part in ("everything", "backbone", "embeddings", "heads"):
        return None
    if part.startswith("heads."):
        task = part.removeprefix("heads.")
        return None if task in tasks else f"{part!r}: no such task{nearest_hint(task, tasks)}"
    if (span := layer_span(part, layers or sys.maxsize)) is None:
        return f"{part!r} is not a part of a model; it must be one of {', '.join(PARTS)}{nearest_hint(part, PARTS)}"
    first, last = span
    if not 0 <= first <= last or (layers is not None and last >= layers):
        there = "" if layers is None else f"; this encoder has the layers 0 to {layers - 1}"
        return f"{part!r}: there are no such layers{there}"
    return None


def has_heads(part: str) -> bool:
    """Return whether a part contains a head."""
    return part == "everything" or part.startswith("heads")


def layer_span(part: str, layers: int) -> tuple[int, int] | None:
    """Return the first and the last layer number of a part; `None` if the part is not a range of layers."""
    if numbers := _LAYERS.fullmatch(part):
        return int(numbers[1]), int(numbers[2] or numbers[1])
    if last := _LAST_LAYERS.fullmatch(part):
        return layers - int(last[1]), layers - 1
    return None
