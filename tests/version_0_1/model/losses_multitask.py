"""The loss of each problem type over the labels that are there.

A task's mean loss is a sum over its labelled entries and a divisor. The two are kept apart because sums add up
over batches and processes and means do not.

Shapes: B rows, C classes of one task.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .tasks_multitask import TaskConfig

IGNORE_INDEX = -100  # what stands where a label is missing; torch's and transformers' own value


def masked_loss(logits: Tensor, labels: Tensor, task: TaskConfig, divisor: Tensor | None = None) -> Tensor:
    """Mean loss of one task over its labelled entries; 0, still differentiable, if there are none.

    Args:
        logits: (B, C); (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        labels: (B,) class ids; (B, C) zeros and ones for a multi-label task; (B,) numbers for a regression.
            Missing is NaN for a regression and any negative number otherwise, since data sets mark it
            with -1 as well as with -100.
        task: Says the problem type and the loss with its weights and smoothing.
        divisor: (), what the sum is divided by where these rows are only part of what the mean is over;
            left out, it is `loss_divisor` of these rows.

    Returns:
        (), in float32 at least.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    total = _LOSS_SUMS[task.problem_type](logits, labels, task)
    divisor = loss_divisor(labels, task) if divisor is None else divisor
    # Where all weights are 0 the smoothing would still have a sum; times (divisor > 0), it has none.
    return total * (divisor > 0) / divisor.where(divisor > 0, 1).to(total.dtype)


def loss_divisor(labels: Tensor, task: TaskConfig) -> Tensor:
    """What the sum of a task's losses is divided by: its labelled entries, or the sum of their class weights; ()."""
    present = labelled(labels, task.problem_type)
    if task.class_weights is None:
        return present.sum()
    # Rounded to float32, a sum would depend on the order in which batches and processes are added up.
    precise = torch.float32 if labels.device.type == "mps" else torch.float64
    weight = torch.tensor(task.class_weights, device=labels.device, dtype=precise)  # (C,)
    return (weight[labels.clamp(min=0)] * present).sum()


def labelled(labels: Tensor, problem_type: str) -> Tensor:
    """Which entries have a label; the same shape as `labels`."""
    return ~labels.isnan() if problem_type == "regression" else labels >= 0


def _cross_entropy(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    present = labelled(labels, task.problem_type)
    each = F.cross_entropy(
        logits,
        labels.where(present, IGNORE_INDEX),
        weight=None if task.class_weights is None else logits.new_tensor(task.class_weights),
        ignore_index=IGNORE_INDEX,
        reduction="none",
        label_smoothing=task.label_smoothing,
    )  # (B,)
    if task.loss == "focal":
        true = logits.log_softmax(dim=-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1).exp()
        each = each * _focus(true, task)
    return each.where(present, 0).sum()


def _binary_cross_entropy(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    logits = logits.reshape(labels.shape)  # (B,), or (B, C): every position counts by itself
    signs = labels.clamp(min=0).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(
        logits,
        signs * (1 - task.label_smoothing) + task.label_smoothing / 2,
        reduction="none",
        pos_weight=None if task.pos_weight is None else logits.new_tensor(task.pos_weight),
    )
    if task.loss == "focal":
        each = each * _focus((logits * (2 * signs - 1)).sigmoid(), task)
    return each.where(labelled(labels, task.problem_type), 0).sum()


def _focus(true: Tensor, task: TaskConfig) -> Tensor:
    """What the focal loss (Lin et al. 2017) multiplies by: little where the true class is likely already."""
    return (1 - true).clamp(min=1e-6) ** task.focal_gamma  # the root of 0 has no derivative


def _error(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    present = labelled(labels, task.problem_type)  # (B,)
    # NaN is replaced before it meets the predictions: 0 · NaN would put NaN into the gradient.
    targets = labels.where(present, 0).to(logits.dtype)
    if task.loss == "huber":
        each = F.huber_loss(logits.squeeze(-1), targets, reduction="none", delta=task.huber_delta)
    else:
        each = F.mse_loss(logits.squeeze(-1), targets, reduction="none")
    return each.where(present, 0).sum()


def _cumulative_logits(logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
    """Binary cross-entropy of "is it above the k-th label?" over all k, summed (Cao et al. 2020)."""
    above = labels.unsqueeze(-1) > torch.arange(logits.shape[-1], device=labels.device)  # (B, C - 1)
    each = F.binary_cross_entropy_with_logits(logits, above.to(logits.dtype), reduction="none").sum(dim=-1)
    return each.where(labelled(labels, task.problem_type), 0).sum()


_LOSS_SUMS = {
    "single_label_classification": _cross_entropy,
    "binary_classification": _binary_cross_entropy,
    "multi_label_classification": _binary_cross_entropy,
    "regression": _error,
    "ordinal_regression": _cumulative_logits,
}
