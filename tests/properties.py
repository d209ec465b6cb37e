"""Properties that several tests assert, so that each new loss, head or schedule gets the whole list."""

import torch
from torch import Tensor, nn


def assert_same_gradients(one: nn.Module, other: nn.Module, *, tolerance: float) -> None:
    """The norm of the difference of the whole gradient is at most `tolerance` of its norm."""
    first, second = whole_gradient(one), whole_gradient(other)
    assert first.norm() > 0
    assert (first - second).norm() <= tolerance * first.norm()


def whole_gradient(module: nn.Module) -> Tensor:
    """Every parameter's gradient in one vector, zeros where there is none."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients])


def assert_no_gradient(module: nn.Module) -> None:
    """Every gradient is there, as DDP asks, and exactly zero."""
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.count_nonzero(parameter.grad) == 0, name
