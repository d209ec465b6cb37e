"""The detection of a run that diverged.

Shapes: K tasks.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import TrainingArguments

# The distance between two float32 numbers above this value is more than 1. A loss is a difference of logits, so such
# logits no longer separate labels. AdamW with layer norm reaches this value and does not become infinite.
LARGEST_LOSS = 2.0**24
LARGEST_WEIGHT = torch.finfo(torch.float32).max ** 0.5  # the product of two larger weights is infinite
READ_EVERY = 50  # steps
MOST_SKIPPED = 32  # steps in a row that the scaler of fp16 skips; each one halves its factor, which begins at 2 ** 16

_NEVER = torch.iinfo(torch.int64).max


class Fault(NamedTuple):
    """The first fault of a run.

    Args:
        step: The optimizer step.
        what: A text that says which losses, gradient or weights are not usable, and why.
        tasks: The tasks whose loss is not usable.
    """

    step: int
    what: str
    tasks: Sequence[str] = ()


class Divergence:
    """The first optimizer step at which a loss or the gradient was not a usable number.

    The record stays on the device until `fault` reads it, so adding a step does not wait. A loss is not usable if it is
    NaN, infinite, or more than `LARGEST_LOSS` times the larger of 1 and the first loss of the task.

    Args:
        tasks: The names of the tasks.
        accelerator: The accelerator of the run, for the first step over all processes.
    """

    def __init__(self, tasks: list[str], accelerator: Accelerator) -> None:
        self.tasks, self.accelerator = tasks, accelerator
        parts, device = len(tasks) + 2, accelerator.device  # the losses of the tasks, their combination, the gradient
        self._steps = torch.full((parts,), _NEVER, device=device)  # (K + 2,)
        self._values = torch.zeros(parts, device=device)  # (K + 2,), at these steps
        self._first = torch.zeros(len(tasks), device=device)  # (K,), the first loss of each task
        self._skipped: set[int] = set()  # the last steps in a row

    def add_losses(self, losses: dict[str, Tensor], combined: Tensor, step: int) -> None:
        """Add the losses of one micro-batch, (), and their combination, ()."""
        each = torch.stack([losses[task].detach() for task in self.tasks]).to(self._first)  # (K,)
        self._first = self._first.where(self._first > 0, each)
        self._add(0, each, each <= LARGEST_LOSS * self._first.clamp(min=1), step)
        self._add(len(each), combined.detach().reshape(1), True, step)

    def add_gradient(self, gradient: Tensor | float | None, step: int, *, skipped: bool = False) -> None:
        """Add the gradient of a step, or its norm.

        Args:
            gradient: Of any shape. DeepSpeed may give none.
            step: The optimizer step.
            skipped: Whether the scaler of fp16 skipped the step, as it does with infinite gradients. Fewer than
                `MOST_SKIPPED` skipped steps in a row are normal.
        """
        self._skipped = {*self._skipped, step} if skipped else set()  # the Trainer reports the end of an epoch twice
        if gradient is None or 0 < len(self._skipped) < MOST_SKIPPED:
            return
        norm = _local(torch.as_tensor(gradient)).float().norm().reshape(1)
        self._add(len(self.tasks) + 1, norm, not skipped, step)

    def fault(self) -> Fault | None:
        """Return the first fault, or `None`. All processes must call it together. The host waits for the device."""
        steps, values = (self.accelerator.gather(each.unsqueeze(0)) for each in (self._steps, self._values))
        earliest, process = steps.min(dim=0)  # (K + 2,)
        step = int(earliest.min())
        if step == _NEVER:
            return None
        seen = values.gather(0, process.unsqueeze(0))[0].tolist()
        found = [i for i, each in enumerate(earliest.tolist()) if each == step]
        tasks = [self.tasks[i] for i in found if i < len(self.tasks)]
        names = [f"the loss of {task!r}" for task in tasks] or (
            ["the combined loss"] if len(self.tasks) in found else ["the gradient"]
        )
        return Fault(step, ", ".join(map(_is, names, (seen[i] for i in found))), tasks)

    def evaluation_fault(self, losses: dict[str, float], numbers: set[str], step: int) -> Fault | None:
        """Return the fault of an evaluation after a step, or `None`. All processes must call it together.

        Args:
            losses: The losses by task.
            numbers: The regressions. Their loss may have any finite size, because one wrong target makes it large.
            step: The optimizer step.
        """
        first = self.accelerator.gather(self._first.unsqueeze(0)).amax(dim=0).tolist()
        # Without a first loss, only NaN and infinity are known to be wrong.
        limits = {
            task: LARGEST_LOSS * max(loss, 1.0) if loss and task not in numbers else sys.float_info.max
            for task, loss in zip(self.tasks, first, strict=True)
        }
        found = {task: loss for task, loss in losses.items() if not loss <= limits[task]}
        what = ", ".join(_is(f"the loss of {task!r} in the evaluation", loss) for task, loss in found.items())
        return Fault(step, what, list(found)) if found else None

    def weight_fault(self, model: nn.Module, step: int) -> Fault | None:
        """Return the fault of the weights after a step, or `None`. All processes must call it together."""
        found = [~(_local(each).float().abs() <= LARGEST_WEIGHT).all() for each in model.parameters()]
        count = self.accelerator.reduce(torch.stack(found).sum(), reduction="sum")
        names = [name for (name, _), bad in zip(model.named_parameters(), found, strict=True) if count and bad]
        where = f" ({names[0]})" if names else ""
        return Fault(step, f"weights are NaN, infinite or too large{where}") if count else None

    def _add(self, start: int, values: Tensor, usable: Tensor | bool, step: int) -> None:
        part = slice(start, start + len(values))
        values = values.to(self._values)
        new = ~(values.isfinite() & usable) & (self._steps[part] == _NEVER)
        self._steps[part] = self._steps[part].where(~new, step)
        self._values[part] = self._values[part].where(~new, values)


def divergence_message(fault: Fault, groups: list[dict[str, Any]], args: TrainingArguments, checkpoint: Any) -> str:
    """Return the message of a `DivergedError`: the fault, the learning rates, and changes to try.

    Args:
        fault: The first fault.
        groups: The groups of the optimizer.
        args: The arguments of the run.
        checkpoint: The last good checkpoint, or `None`.
    """
    rates = _rates(groups)
    written = [part for part in rates if part != "cut_points"]  # by default ten times the rate of the heads
    highest = max(written, key=lambda part: max(rates[part]), default="")
    tries = [f"a lower rate{f' for the {highest}' if len({*map(max, rates.values())}) > 1 else ''}"]
    tries += [] if args.warmup_steps else ["warm-up (warmup_steps: 0.1)"]
    tries += [f"stronger clipping (max_grad_norm: {min(1.0, (args.max_grad_norm or 10.0) / 10):g})"]
    tries += ["bf16 instead of fp16"] if args.mixed_precision == "fp16" else []
    check = f" Also check the labels of {' and '.join(map(repr, fault.tasks))}." if fault.tasks else ""
    said = ", ".join(f"{part} {' to '.join(f'{rate:.3g}' for rate in found)}" for part, found in rates.items())
    kept = f"The last good checkpoint is {checkpoint}." if checkpoint else "There is no good checkpoint."
    return (
        f"training diverged at step {fault.step}: {fault.what}. Learning rates: {said}. "
        f"Try {', or '.join(tries)}.{check} {kept}"
    )


def _local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that this process has. FSDP2 shards tensors."""
    return getattr(tensor.detach(), "to_local", tensor.detach)()


def _is(name: str, value: float) -> str:
    large = " (too large)" if abs(value) < float("inf") else ""
    return f"{name} is {value:.3g}{large}"


def _rates(groups: Iterable[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the lowest and highest rate of each part that trains, without the factor of the schedule."""
    found: dict[str, set[float]] = {}
    for group in groups:
        if any(parameter.requires_grad for parameter in group["params"]):
            name = group.get("name", "all parameters")
            part = name if name in ("heads", "cut_points", "balancing", "all parameters") else "encoder"
            found.setdefault(part, set()).add(group.get("initial_lr", group["lr"]))
    return {part: sorted({min(rates), max(rates)}) for part, rates in found.items()}
