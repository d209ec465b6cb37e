"""The mean loss of a task over the labels that are there.

Shapes: B rows, C classes of one task.
"""

import torch
from torch import Tensor

from .tasks_multitask import TaskConfig


def masked_loss(logits: Tensor, labels: Tensor, task: TaskConfig, divisor: Tensor | None = None) -> Tensor:
    """Mean loss of one task over its labelled entries; 0, still differentiable, if there are none.

    Args:
        logits: (B, C); (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        labels: (B,) class ids; (B, C) zeros and ones for a multi-label task; (B,) numbers for a regression.
            Missing is NaN for a regression, and -1 or -100 otherwise.
        task: Its kind, and its loss with weights and smoothing.
        divisor: (), what the sum is divided by where these rows are only part of what the mean is over;
            left out, it is `loss_divisor` of these rows.

    Returns:
        (), in float32 at least.

    Raises:
        ValueError: If a label on the CPU is neither one of the task nor missing.
    """
    task.kind.check_labels(labels, task)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    total = task.kind.loss_sum(logits, labels, task)
    divisor = loss_divisor(labels, task) if divisor is None else divisor
    # Where all weights are 0 the smoothing would still have a sum; times (divisor > 0), it has none.
    return total * (divisor > 0) / divisor.where(divisor > 0, 1).to(total.dtype)


def loss_divisor(labels: Tensor, task: TaskConfig) -> Tensor:
    """What the sum of a task's losses is divided by: its labelled entries, or the sum of their class weights; ()."""
    return task.kind.loss_divisor(labels, task)
