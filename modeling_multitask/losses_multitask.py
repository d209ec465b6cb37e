"""The loss of each problem type over the labels that are there.

A task's mean loss is a sum over its labelled entries and a divisor. The two are kept apart because sums add up
over batches and processes and means do not.

Shapes: B rows, C classes of one task.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .configuration_multitask import TaskConfig

IGNORE_INDEX = -100  # what stands where a label is missing; torch's and transformers' own value


def masked_loss(logits: Tensor, labels: Tensor, task: TaskConfig, divisor: Tensor | None = None) -> Tensor:
    """Mean loss of one task over its labelled entries; 0, still differentiable, if there are none.

    Args:
        logits: (B, C); (B, 1) for a binary task or a regression.
        labels: (B,) class ids; (B, C) zeros and ones for a multi-label task; (B,) numbers for a regression.
            Missing is NaN for a regression and any negative number otherwise, since data sets mark it
            with -1 as well as with -100.
        task: Says the problem type, and the weights and smoothing of its loss.
        divisor: (), what the sum is divided by where these rows are only part of what the mean is over;
            left out, it is `loss_divisor` of these rows.

    Returns:
        (), in float32 at least.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    total = _LOSS_SUMS[task.problem_type](logits, labels, task)
    divisor = loss_divisor(labels, task) if divisor is None else divisor
    return total / divisor.where(divisor > 0, 1).to(total.dtype)


def loss_divisor(labels: Tensor, task: TaskConfig) -> Tensor:
    """What the sum of a task's losses is divided by: its labelled entries, or the sum of their class weights; ()."""
    present = labelled(labels, task.problem_type)
    if task.class_weights is None:
        return present.sum()
    weight = torch.tensor(task.class_weights, device=labels.device)  # (C,)
    return (weight[labels.clamp(min=0)] * present).sum()


def labelled(labels: Tensor, problem_type: str) -> Tensor:
    """Which entries have a label; the same shape as `labels`."""
    return ~labels.isnan() if problem_type == "regression" else labels >= 0


def _cross_entropy(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    return F.cross_entropy(
        logits,
        labels.where(labelled(labels, task.problem_type), IGNORE_INDEX),
        weight=None if task.class_weights is None else logits.new_tensor(task.class_weights),
        ignore_index=IGNORE_INDEX,
        reduction="sum",
        label_smoothing=task.label_smoothing,
    )


def _binary_cross_entropy(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    logits = logits.reshape(labels.shape)  # (B,), or (B, C): every position counts by itself
    targets = labels.clamp(min=0).to(logits.dtype)
    targets = targets * (1 - task.label_smoothing) + task.label_smoothing / 2
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return each.where(labelled(labels, task.problem_type), 0).sum()


def _squared_error(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    present = labelled(labels, task.problem_type)  # (B,)
    # NaN is replaced before it meets the predictions: 0 · NaN would put NaN into the gradient.
    errors = logits.squeeze(-1) - labels.where(present, 0).to(logits.dtype)
    return errors.square().where(present, 0).sum()


_LOSS_SUMS = {
    "single_label_classification": _cross_entropy,
    "binary_classification": _binary_cross_entropy,
    "multi_label_classification": _binary_cross_entropy,
    "regression": _squared_error,
}
