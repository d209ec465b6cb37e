"""Methods that combine the losses of several tasks into one.

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

DWA_TEMPERATURE = 2.0  # as in Liu et al. 2019


class LossBalancing(ResumingCallback):
    """The weighted sum of the task losses. The state of a subclass is saved with every checkpoint.

    Args:
        tasks: The model's tasks.
        accelerator: The accelerator of the run, for sums over processes.
    """

    needs_parts = False  # whether `combine` uses `parts`

    def __init__(self, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> None:
        self.tasks, self.accelerator = list(tasks), accelerator

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are trained in addition to the model."""
        return []

    def combine(self, losses: dict[str, Tensor], weights: dict[str, float], parts: dict[str, Tensor]) -> Tensor:
        """Return the loss to minimize; ().

        Args:
            losses: The loss by task, (): the share of this micro-batch in the mean of the optimizer step.
            weights: The factor of each task's loss.
            parts: The share of this micro-batch in the labels of the optimizer step, by task, (). The shares sum to 1
                over micro-batches and processes, or are 0 if the step has no label. Empty if not needed.
        """
        return sum((weights[task.name] * losses[task.name] for task in self.tasks), start=torch.tensor(0.0))


class UncertaintyWeighting(LossBalancing):
    """Task weights by learned uncertainty (Kendall et al. 2018).

    With s, the logarithm of the learned variance, the loss is multiplied by exp(-s) for classes and by exp(-s) / 2 for
    numbers. The term s / 2 is added once per optimizer step, and only if the step has labels for the task. Otherwise,
    the variance of a task with few labels would shrink without limit.
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
        # DDP averages the gradients of the model over the processes, but not these.
        gradient = self.log_variances.grad
        if self.accelerator.num_processes > 1 and gradient is not None:
            # On the device: NCCL does not accept CPU tensors.
            gradient = self.accelerator.reduce(gradient.to(self.accelerator.device), reduction="mean")
            self.log_variances.grad = gradient.to(self.log_variances)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.log_variances.grad = None  # the Trainer clears only the gradients of the model

    def attributes(self) -> dict[str, Any]:
        return {"log_variances": self.log_variances.detach().tolist()}

    def restore(self, attributes: dict[str, Any]) -> None:
        values = attributes.get("log_variances", [0.0] * len(self.tasks))
        self.log_variances.data = torch.tensor(values, device=self.log_variances.device)


class DynamicWeightAverage(LossBalancing):
    """Higher weights for tasks whose loss falls slowly from epoch to epoch (Liu et al. 2019).

    A task's ratio is its mean loss in the last epoch over that in the epoch before. The weights are K times the softmax
    of the ratios over 2. In the first two epochs, all weights are 1.
    """

    needs_parts = True

    def __init__(self, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> None:
        super().__init__(tasks, accelerator)
        self.means: list[dict[str, float]] = []  # the mean losses of the last two epochs
        self.sums: dict[str, list[float]] = {}  # in this epoch: the sum of losses and the steps with labels
        self._pending: Tensor | None = None  # (K, 2), this process, since the last step

    @property
    def task_weights(self) -> dict[str, float]:
        """The factor of each task's loss in this epoch."""
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
        """Store the mean losses of the epoch. A task without labels in it keeps its last value."""
        last = self.means[-1] if self.means else {}
        means = {name: total / steps if steps else last.get(name, 0.0) for name, (total, steps) in self.sums.items()}
        if means:
            self.means, self.sums = [*self.means, means][-2:], {}

    def attributes(self) -> dict[str, Any]:
        return {"means": self.means, "sums": self.sums}

    def restore(self, attributes: dict[str, Any]) -> None:
        self.means, self.sums = attributes.get("means", []), attributes.get("sums", {})


def make_balancing(name: str, tasks: Sequence[TaskConfig], accelerator: Accelerator) -> LossBalancing:
    """Return the loss balancing of this name; the plain sum for a method that combines gradients."""
    kinds = {"uncertainty": UncertaintyWeighting, "dwa": DynamicWeightAverage}
    return kinds.get(name, LossBalancing)(tasks, accelerator)


def _dwa(before: dict[str, float], last: dict[str, float]) -> dict[str, float]:
    """Return K times the softmax of last / before over the temperature. Without a value before, the ratio is 1."""
    ratios = [last[name] / before[name] if before.get(name) else 1.0 for name in last]
    weights = torch.tensor(ratios, dtype=torch.float64).div(DWA_TEMPERATURE).softmax(dim=0) * len(ratios)
    return dict(zip(last, weights.tolist(), strict=True))
