"""The mean loss of a task over its labelled entries.

Shapes: B rows, C classes of one task.
"""

import torch
from torch import Tensor

from .tasks_multitask import TaskConfig


def masked_loss(
    logits: Tensor,
    labels: Tensor,
    task: TaskConfig,
    divisor: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Return the mean loss of one task over its labelled entries. Without any, it is 0 and still differentiable.

    Args:
        logits: (B, C). (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        labels: (B,) class ids, (B, C) zeros and ones for a multi-label task, or (B,) numbers for a regression.
            Missing labels are NaN for a regression, and -1 or -100 otherwise. Soft labels are (B, C) probabilities in
            a float type, NaN where they are missing; their loss is the expectation over the labels.
        task: The task, with its kind, its loss, weights and smoothing.
        divisor: (), the divisor of the sum if the mean is over more than these rows. The default is `loss_divisor` of
            these rows.
        sample_weight: (B,), the factor of each row in the sum and in the divisor, at least 0. The default is 1.

    Returns:
        (), in float32 or float64.

    Raises:
        ValueError: If a label on the CPU is not a label of the task and not missing.
    """
    task.kind.check_labels(labels, task)
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    total = task.kind.loss_sum(logits, labels, task, sample_weight)
    divisor = loss_divisor(labels, task, sample_weight) if divisor is None else divisor
    # If all weights are 0, smoothing still gives a sum. The factor (divisor > 0) removes it.
    return total * (divisor > 0) / divisor.where(divisor > 0, 1).to(total.dtype)


def loss_divisor(labels: Tensor, task: TaskConfig, sample_weight: Tensor | None = None) -> Tensor:
    """Return the divisor of a task's summed loss, (): the number of labelled entries, or the sum of their weights.

    Args:
        labels: The labels, as for `masked_loss`.
        task: The task, which may have class weights.
        sample_weight: (B,), the weight of each row.
    """
    return task.kind.loss_divisor(labels, task, sample_weight)
