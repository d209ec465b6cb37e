"""How many labels of each task an optimizer step holds, and how many of these one micro-batch."""

from typing import Any

import torch
from torch import Tensor

from ..losses_multitask import loss_divisor
from ..tasks_multitask import TaskConfig


def count_labels(batches: list[Any], task: TaskConfig) -> Tensor:
    """The divisor of a task's loss over several micro-batches, some of which may leave the task out; ()."""
    given = [batch["labels"][task.name] for batch in batches if task.name in batch["labels"]]
    counts = [loss_divisor(labels, task) for labels in given]
    # In float64, for class weights rounded to float32 add up to something else in every order; MPS has none.
    precise = torch.float32 if any(count.device.type == "mps" for count in counts) else torch.float64
    return sum((count.to(precise) for count in counts), start=torch.tensor(0.0, dtype=precise))


def label_parts(
    labels: dict[str, Tensor], divisors: dict[str, Tensor] | None, tasks: list[TaskConfig]
) -> dict[str, Tensor]:
    """By task, the share of an optimizer step's labels that this micro-batch holds; ()."""
    parts = {}
    for task in tasks:
        own = loss_divisor(labels[task.name], task) if task.name in labels else torch.tensor(0)
        whole = own if divisors is None else divisors[task.name]
        parts[task.name] = own / whole.where(whole > 0, 1)
    return parts
