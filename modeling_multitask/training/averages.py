"""Averages of weights over a training: an exponential one over steps, or a plain one over the last evaluations.

`AveragedModel` of torch is not used, only its functions: it copies the whole model with its frozen parts, and keeps the
average in the precision of the model. In bf16, an average with 0.999 would never move.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from .averaging import Averaging

Weights = Mapping[str, Tensor]

_WINDOW, _MEAN, _COUNT, _TAKEN_AT = "window.", "mean.", "count", "taken_at"


class WeightAverage:
    """The average of some weights. Without `begin`, there is none.

    Attributes:
        names: The names of the weights.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()

    def begin(self, weights: Weights) -> None:
        """Begin a new average of these weights."""
        self.names = set(weights)

    def add_step(self, weights: Weights) -> None:
        """Add the weights after an optimizer step."""

    def add_evaluation(self, weights: Weights, step: int) -> None:
        """Add the weights of an evaluation or a checkpoint. The same step counts once."""

    def means(self) -> dict[str, Tensor]:
        """Return the average by name; empty if there is none yet."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""
        return {}

    def restore(self, state: Weights, device: torch.device) -> None:
        """Restore the state of a checkpoint, for weights on this device."""


class MovingAverage(WeightAverage):
    """An exponential moving average over the optimizer steps.

    Args:
        decay: The share of the average that stays at a step, if `moving_decay` is not lower.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay, self.count = decay, 0
        self._means: dict[str, Tensor] = {}

    def begin(self, weights: Weights) -> None:
        super().begin(weights)
        self.count, self._means = 0, {name: _precise(each) for name, each in weights.items()}

    def add_step(self, weights: Weights) -> None:
        move_means(self._means, weights, moving_decay(self.decay, self.count))
        self.count += 1

    def means(self) -> dict[str, Tensor]:
        return self._means

    def state(self) -> dict[str, Tensor]:
        return {f"{_MEAN}{name}": each for name, each in self._means.items()} | {_COUNT: torch.tensor(self.count)}

    def restore(self, state: Weights, device: torch.device) -> None:
        self._means = {name: each.to(device) for name, each in _with_prefix(state, _MEAN).items()}
        self.count = int(state[_COUNT])
        self.names = set(self._means)


class WindowAverage(WeightAverage):
    """The mean of the weights at the last evaluations or checkpoints.

    The weights are in main memory, also if the model is on an accelerator.

    Args:
        last: The maximum number of evaluations or checkpoints.
    """

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last, self.taken_at = last, -1
        self._window: list[dict[str, Tensor]] = []

    def begin(self, weights: Weights) -> None:
        super().begin(weights)
        self._window, self.taken_at = [], -1

    def add_evaluation(self, weights: Weights, step: int) -> None:
        if step != self.taken_at:
            copied = {name: each.detach().to("cpu", copy=True) for name, each in weights.items()}
            self._window, self.taken_at = [*self._window, copied][-self.last :], step

    def means(self) -> dict[str, Tensor]:
        return mean_weights(self._window)

    def state(self) -> dict[str, Tensor]:
        window = {f"{_WINDOW}{i}.{n}": each for i, weights in enumerate(self._window) for n, each in weights.items()}
        return window | {_COUNT: torch.tensor(len(self._window)), _TAKEN_AT: torch.tensor(self.taken_at)}

    def restore(self, state: Weights, device: torch.device) -> None:
        self._window = [_with_prefix(state, f"{_WINDOW}{i}.") for i in range(int(state[_COUNT]))]
        self.taken_at = int(state[_TAKEN_AT])
        self.names = set(self._window[-1]) if self._window else set()


def make_average(averaging: Averaging) -> WeightAverage:
    """Return the average of a run, which has not begun."""
    if averaging.last is not None:
        return WindowAverage(averaging.last)
    assert averaging.ema is not None  # one of the two is given
    return MovingAverage(averaging.ema)


def moving_decay(decay: float, count: int) -> float:
    """Return the share of a moving average that stays at its next step.

    It is at most (1 + n) / (10 + n) after n steps, as in TensorFlow and diffusers. With a constant share of 0.999, 63 %
    of the average would still be the start weights after 464 steps. With this limit, more than 90 % of it comes from
    the last quarter of the steps.

    Args:
        decay: The share after many steps.
        count: The number of steps so far.
    """
    return min(decay, (1 + count) / (10 + count))


def move_means(means: Mapping[str, Tensor], weights: Weights, decay: float) -> None:
    """Move averages to the current weights, in place: to decay · mean + (1 - decay) · weight."""
    if means:
        current = [weights[name].detach().to(mean.dtype) for name, mean in means.items()]
        get_ema_multi_avg_fn(decay)(list(means.values()), current, 0)


def mean_weights(window: Sequence[Weights]) -> dict[str, Tensor]:
    """Return the mean of several weights by name, in float32 if they have a lower precision."""
    means: dict[str, Tensor] = {name: _precise(each) for name, each in window[0].items()} if window else {}
    for i, weights in enumerate(window[1:], start=1):
        get_swa_multi_avg_fn()(list(means.values()), [weights[name].to(mean) for name, mean in means.items()], i)
    return means


@torch.no_grad()
def copy_weights(model: nn.Module, weights: Weights) -> None:
    """Copy weights into the parameters of a model by name. Other parameters and all buffers stay."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


@contextmanager
def with_weights(model: nn.Module, weights: Weights) -> Iterator[None]:
    """Give a model other weights for the time of a `with` block. Its own come back bit for bit, also after an error."""
    own = {name: each.detach().clone() for name, each in model.named_parameters() if name in weights}
    copy_weights(model, weights)
    try:
        yield
    finally:
        copy_weights(model, own)


def _precise(weight: Tensor) -> Tensor:
    """Return a copy in float32, or in the precision of the weight if it is higher."""
    return weight.detach().to(torch.promote_types(weight.dtype, torch.float32), copy=True)


def _with_prefix(state: Weights, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}
