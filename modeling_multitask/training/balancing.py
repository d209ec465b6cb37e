"""How the losses of several tasks become one.

Shapes: K tasks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import TrainerControl, TrainerState, TrainingArguments

from ..tasks_multitask import TaskConfig
from .resuming import ResumingCallback

DWA_TEMPERATURE = 2.0  # that of Liu et al. 2019


class LossBalancing(ResumingCallback):
    """The weighted sum of the task losses; what a subclass learns or counts is saved with every checkpoint.

    Args:
        tasks: The model's tasks.
        accelerator: Adds up over processes.
    """

    needs_parts = False  # whether `combine` looks at the parts of the labels

    def __init__(self, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> None:
        self.tasks, self.accelerator = list(tasks), accelerator

    def parameters(self) -> list[nn.Parameter]:
        """What is to be learned beside the model."""
        return []

    def combine(self, losses: dict[str, Tensor], weights: dict[str, float], parts: dict[str, Tensor]) -> Tensor:
        """The loss to go down; ().

        Args:
            losses: By task, (), this micro-batch's share of the optimizer step's mean.
            weights: By task, what its loss is multiplied by.
            parts: By task, (), the share of the optimizer step's labels that this micro-batch holds; these add up
                to 1 over micro-batches and processes, or are 0 where the step has none. Empty if not needed.
        """
        return sum((weights[task.name] * losses[task.name] for task in self.tasks), start=torch.tensor(0.0))


class UncertaintyWeighting(LossBalancing):
    """Each task's loss over its learned variance, whose logarithm is added (Kendall et al. 2018).

    A loss of classes is multiplied by exp(-s), that of numbers by half of it, and s / 2 is added, where s is the
    logarithm of the variance. The addend counts once in an optimizer step, and only if the task has labels in it:
    else the variance of a scarce task would shrink without end.
    """

    needs_parts = True

    def __init__(self, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> None:
        super().__init__(tasks, accelerator)
        self.log_variances = nn.Parameter(torch.zeros(len(self.tasks)))  # (K,)

    def parameters(self) -> list[nn.Parameter]:
        return [self.log_variances]

    def combine(self, losses: dict[str, Tensor], weights: dict[str, float], parts: dict[str, Tensor]) -> Tensor:
        total = torch.tensor(0.0)
        for task, s in zip(self.tasks, self.log_variances, strict=True):
            precision = (-s).exp() * (0.5 if task.kind.is_number else 1.0)
            loss = losses[task.name]
            each = precision.to(loss) * loss + parts[task.name].to(loss) * s.to(loss) / 2
            total = total + weights[task.name] * each
        return total

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # DDP makes the model's gradients the same in all processes; these are not among them.
        gradient = self.log_variances.grad
        if self.accelerator.num_processes > 1 and gradient is not None:
            # Where the processes can add up: NCCL takes nothing from the CPU.
            gradient = self.accelerator.reduce(gradient.to(self.accelerator.device), reduction="mean")
            self.log_variances.grad = gradient.to(self.log_variances)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.log_variances.grad = None  # the Trainer clears the gradients of the model alone

    def attributes(self) -> dict[str, Any]:
        return {"log_variances": self.log_variances.detach().tolist()}

    def restore(self, attributes: dict[str, Any]) -> None:
        values = attributes.get("log_variances", [0.0] * len(self.tasks))
        self.log_variances.data = torch.tensor(values, device=self.log_variances.device)


class DynamicWeightAverage(LossBalancing):
    """Tasks whose loss falls slowly from one epoch to the next weigh more (Liu et al. 2019).

    The weights are K times the softmax of each task's ratio of the last two epochs' mean losses, over 2; 1 for all
    in the first two epochs.
    """

    needs_parts = True

    def __init__(self, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> None:
        super().__init__(tasks, accelerator)
        self.means: list[dict[str, float]] = []  # of the last two epochs
        self.sums: dict[str, list[float]] = {}  # of this epoch: each task's losses, and the steps that had labels of it
        self._pending: Tensor | None = None  # (K, 2), of this process's micro-batches since the last step

    @property
    def task_weights(self) -> dict[str, float]:
        """What each task's loss is multiplied by in this epoch."""
        return dict.fromkeys((task.name for task in self.tasks), 1.0) if len(self.means) < 2 else _dwa(*self.means)

    def combine(self, losses: dict[str, Tensor], weights: dict[str, float], parts: dict[str, Tensor]) -> Tensor:
        seen = torch.stack(
            [torch.stack([losses[t.name].detach(), parts[t.name].to(losses[t.name])]) for t in self.tasks]
        )
        self._pending = seen if self._pending is None else self._pending + seen
        own = self.task_weights
        return super().combine(losses, {name: weight * own[name] for name, weight in weights.items()}, parts)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._pending is None:
            return
        totals = self.accelerator.reduce(self._pending, reduction="sum").tolist()
        for task, total in zip(self.tasks, totals, strict=True):
            before = self.sums.get(task.name, [0.0, 0.0])
            self.sums[task.name] = [before[0] + total[0], before[1] + total[1]]
        self._pending = None

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Takes the mean losses of the epoch; a task without labels in it keeps its last."""
        last = self.means[-1] if self.means else {}
        means = {name: total / steps if steps else last.get(name, 0.0) for name, (total, steps) in self.sums.items()}
        if means:
            self.means, self.sums = [*self.means, means][-2:], {}

    def attributes(self) -> dict[str, Any]:
        return {"means": self.means, "sums": self.sums}

    def restore(self, attributes: dict[str, Any]) -> None:
        self.means, self.sums = attributes.get("means", []), attributes.get("sums", {})


def make_balancing(name: str, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> LossBalancing:
    """The balancing of losses of this name; for one that combines gradients, the plain sum."""
    kinds = {"uncertainty": UncertaintyWeighting, "dwa": DynamicWeightAverage}
    return kinds.get(name, LossBalancing)(tasks, accelerator)


def _dwa(before: dict[str, float], last: dict[str, float]) -> dict[str, float]:
    """K times the softmax of last / before over the temperature; a task not seen before counts as unchanged."""
    ratios = [last[name] / before[name] if before.get(name) else 1.0 for name in last]
    weights = torch.tensor(ratios, dtype=torch.float64).div(DWA_TEMPERATURE).softmax(dim=0) * len(ratios)
    return dict(zip(last, weights.tolist(), strict=True))
