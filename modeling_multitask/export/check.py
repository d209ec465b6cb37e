"""Compare an exported graph with its model.

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

TOLERANCE = 1e-4  # for float32, in the unit of each task, and relative for numbers above it
MOST_TOKENS = 512  # in the batch of several rows, because longer attention needs gigabytes
_ROWS = 7


@dataclass(frozen=True)
class Equality:
    """The largest difference between a graph and its model.

    Args:
        shapes: The (B, T) of the compared batches.
        largest_difference: The largest difference of all numbers, relative for numbers above 1.
    """

    shapes: list[tuple[int, ...]]
    largest_difference: float


def probe_shapes(max_length: int) -> list[tuple[int, int]]:
    """Return the (B, T) for comparing a graph with its model: one row and several, short and of maximum length."""
    short = min(3, max_length)
    return [(1, short), (_ROWS, short), (1, max_length), (_ROWS, min(max_length, MOST_TOKENS))]


def check_equal(
    graph: Callable[[Arrays], Arrays],
    expected: Callable[..., dict[str, Tensor]],
    batches: list[dict[str, Tensor]],
    tasks: list[TaskConfig],
) -> Equality:
    """Compare a graph with its model on batches of several shapes.

    The graph's decisions are compared with those that the model's code makes from the graph's logits. The model's own
    logits could give another decision for almost equal scores.

    Args:
        graph: A function from inputs (B, T) to outputs, by name.
        expected: The same function of the model.
        batches: The inputs, by name.
        tasks: The model's tasks.

    Returns:
        The compared shapes and the largest difference.

    Raises:
        ValueError: If the graph does not run, a number differs by more than `TOLERANCE`, or a decision differs.
    """
    units = {task.name: task.unit for task in tasks}
    largest = 0.0
    for batch in batches:
        found = _run(graph, batch)
        with torch.no_grad():
            reference = expected(**batch)
        own = decide({task.name: torch.from_numpy(found[f"{task.name}.logits"]) for task in tasks}, tasks)
        reference |= {
            f"{name}.{part}": getattr(each, part) for name, each in own.items() for part in ("chosen", "asked")
        }
        for name, value in reference.items():
            unit = units.get(name.split(".")[0], 1.0)
            difference = float(differences(found[name], value.numpy(), unit).max())
            if not difference <= TOLERANCE:  # also true for NaN
                raise ValueError(
                    f"the exported graph differs from the model: {name} by {difference:.1g} at {_shape(batch)} tokens, "
                    f"where {TOLERANCE:.0e} is allowed; this encoder cannot be exported"
                )
            largest = max(largest, difference)
    return Equality([tuple(batch["input_ids"].shape) for batch in batches], largest)


def differences(found: np.ndarray, expected: np.ndarray, unit: float) -> np.ndarray:
    """Return the differences to compare with `TOLERANCE`: in this unit, and relative for numbers above it."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    return np.abs(found - expected) / np.abs(expected).clip(min=unit)


def _run(graph: Callable[[Arrays], Arrays], batch: dict[str, Tensor]) -> Arrays:
    try:
        return graph({name: each.numpy() for name, each in batch.items()})
    except Exception as error:  # the runtimes have their own exception types
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the exported graph does not run at {_shape(batch)} tokens ({reason}); this encoder cannot be exported"
        ) from error


def _shape(batch: dict[str, Tensor]) -> str:
    return " x ".join(map(str, batch["input_ids"].shape))
