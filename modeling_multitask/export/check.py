"""Whether an exported graph says what the model says.

Shapes: B rows, T tokens, C classes of one task.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..answers_multitask import decide
from ..inference.predict_onnx import Arrays
from ..tasks_multitask import TaskConfig

TOLERANCE = 1e-4  # of float32, relative to numbers above 1
MOST_TOKENS = 512  # in the batch of several rows, whose attention would else need gigabytes
_ROWS = 7


@dataclass(frozen=True)
class Equality:
    """How far a graph is from the model.

    Args:
        shapes: The (B, T) that were tried.
        largest_difference: Of all numbers, relative to those above 1.
    """

    shapes: list[tuple[int, ...]]
    largest_difference: float


def probe_shapes(max_length: int) -> list[tuple[int, int]]:
    """The (B, T) at which a graph is held against its model: one row and several, short and as long as can be."""
    short = min(3, max_length)
    return [(1, short), (_ROWS, short), (1, max_length), (_ROWS, min(max_length, MOST_TOKENS))]


def check_equal(
    graph: Callable[[Arrays], Arrays],
    expected: Callable[..., dict[str, Tensor]],
    batches: list[dict[str, Tensor]],
    tasks: list[TaskConfig],
) -> Equality:
    """Holds a graph against the model that it was made from, on batches of several shapes.

    Its decisions must be those that the model's own code makes of its logits: of scores that are all but equal, the
    model's logits may choose another.

    Args:
        graph: From inputs (B, T) to outputs, by name.
        expected: The same, by the model.
        batches: Inputs, by name.
        tasks: The model's.

    Raises:
        ValueError: If the graph does not run, a number differs by more than `TOLERANCE`, or a decision is another.
    """
    largest = 0.0
    for batch in batches:
        found = _run(graph, batch)
        with torch.no_grad():
            wanted = expected(**batch)
        own = decide({task.name: torch.from_numpy(found[f"{task.name}.logits"]) for task in tasks}, tasks)
        wanted |= {f"{name}.{part}": getattr(each, part) for name, each in own.items() for part in ("chosen", "asked")}
        for name, value in wanted.items():
            difference = _difference(found[name], value.numpy())
            if not difference <= TOLERANCE:  # NaN is no number below it
                raise ValueError(
                    f"the exported graph differs from the model: {name} by {difference:.1g} at {_shape(batch)} tokens, "
                    f"where {TOLERANCE:.0e} is allowed; this encoder cannot be exported"
                )
            largest = max(largest, difference)
    return Equality([tuple(batch["input_ids"].shape) for batch in batches], largest)


def _run(graph: Callable[[Arrays], Arrays], batch: dict[str, Tensor]) -> Arrays:
    try:
        return graph({name: each.numpy() for name, each in batch.items()})
    except Exception as error:  # of the runtime, which has kinds of its own
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the exported graph does not run at {_shape(batch)} tokens ({reason}); this encoder cannot be exported"
        ) from error


def _shape(batch: dict[str, Tensor]) -> str:
    return " x ".join(map(str, batch["input_ids"].shape))


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    return float((np.abs(found - wanted) / np.abs(wanted).clip(min=1)).max())
