"""Properties asserted by several tests, so that every new loss, head or schedule is checked for all of them."""

import torch
from torch import Tensor, nn

from modeling_multitask import TaskConfig
from modeling_multitask.kinds_multitask import IGNORE_INDEX
from modeling_multitask.losses_multitask import loss_divisor, masked_loss


def assert_unlabelled_rows_change_nothing(task: TaskConfig, logits: Tensor, labels: Tensor, present: Tensor) -> None:
    """Assert that value and gradient are those of the labelled rows, and the gradient of other rows is exactly zero.

    Args:
        task: The task, with its problem type and loss.
        logits: (B, C), in float64, so that the order of sums makes no difference.
        labels: The labels of a batch.
        present: (B,), the rows that keep their labels.
    """
    every, alone = logits.clone().requires_grad_(), logits[present].clone().requires_grad_()

    with_gaps = masked_loss(every, hide(labels, ~present), task)
    without = masked_loss(alone, labels[present], task)
    with_gaps.backward()
    without.backward()

    assert torch.isclose(with_gaps, without, rtol=1e-12, atol=0)
    assert torch.allclose(every.grad[present], alone.grad, rtol=1e-12, atol=0)
    assert torch.count_nonzero(every.grad[~present]) == 0


def assert_parts_add_up(task: TaskConfig, logits: Tensor, labels: Tensor, part_of_row: Tensor) -> None:
    """Assert that the losses of the parts of a batch, with one divisor, add up to the loss of the batch (to 1e-12)."""
    divisor = loss_divisor(labels, task)
    parts = [part_of_row == part for part in part_of_row.unique()]

    total = sum(masked_loss(logits[part], labels[part], task, divisor) for part in parts)

    assert torch.isclose(total, masked_loss(logits, labels, task), rtol=1e-12, atol=1e-12)


def hide(labels: Tensor, rows: Tensor) -> Tensor:
    """Return the labels, with those of the rows (B,) made missing."""
    hidden = labels.clone()
    hidden[rows] = float("nan") if labels.is_floating_point() else IGNORE_INDEX
    return hidden


def assert_same_gradients(one: nn.Module, other: nn.Module, *, tolerance: float) -> None:
    """Assert that the norm of the difference of the gradients is at most `tolerance` times the norm of the first."""
    first, second = whole_gradient(one), whole_gradient(other)
    assert first.norm() > 0
    assert (first - second).norm() <= tolerance * first.norm()


def whole_gradient(module: nn.Module) -> Tensor:
    """Return the gradients of all parameters in one vector, with zeros where there is none."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def assert_no_gradient(module: nn.Module) -> None:
    """Assert that every gradient exists, as DDP requires, and is exactly zero."""
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.count_nonzero(parameter.grad) == 0, name
