"""The mean loss of each task between two lines of the log."""

import torch
from accelerate import Accelerator
from torch import Tensor


class TaskLossLog:
    """The sums of the task losses, on their device. They are read only when a line is logged, so a step never waits.

    Each loss is a share of the mean of an optimizer step. The sum over micro-batches and processes, divided by the
    number of steps, is the mean loss per step.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps = 0

    def begin_step(self) -> None:
        """Count an optimizer step."""
        self._steps += 1

    def add(self, task_losses: dict[str, Tensor]) -> None:
        """Add the losses of one micro-batch."""
        for name, loss in task_losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(loss.mean())) + loss.detach().mean()

    def read(self, accelerator: Accelerator) -> dict[str, float]:
        """Return the mean `<task>_loss` per optimizer step over all processes, and reset it."""
        if not self._sums:
            return {}
        names = [f"{name}_loss" for name in self._sums]
        totals = accelerator.reduce(torch.stack([*self._sums.values()]), reduction="sum").tolist()
        means = [total / max(self._steps, 1) for total in totals]
        self._sums, self._steps = {}, 0
        return dict(zip(names, means, strict=True))
