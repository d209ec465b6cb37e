"""The number of labels of each task in an optimizer step, and the share of one micro-batch."""

from typing import Any

import torch
from torch import Tensor

from ..losses_multitask import loss_divisor
from ..tasks_multitask import TaskConfig


def count_labels(batches: list[Any], task: TaskConfig) -> Tensor:
    """Return the divisor of a task's loss over several micro-batches, (). Some of them may lack the task."""
    counts = [_divisor(batch, task) for batch in batches if task.name in batch["labels"]]
    # In float64, because float32 sums of class weights depend on the order. MPS has no float64.
    precise = torch.float32 if any(count.device.type == "mps" for count in counts) else torch.float64
    return sum((count.to(precise) for count in counts), start=torch.tensor(0.0, dtype=precise))


def label_parts(
    batch: dict[str, Any], divisors: dict[str, Tensor] | None, tasks: list[TaskConfig]
) -> dict[str, Tensor]:
    """Return the share of this micro-batch in the labels of the optimizer step, by task; ()."""
    parts = {}
    for task in tasks:
        own = _divisor(batch, task) if task.name in batch["labels"] else torch.tensor(0)
        whole = own if divisors is None else divisors[task.name]
        parts[task.name] = own / whole.where(whole > 0, 1)
    return parts


def _divisor(batch: dict[str, Any], task: TaskConfig) -> Tensor:
    return loss_divisor(batch["labels"][task.name], task, batch.get("sample_weight"))
