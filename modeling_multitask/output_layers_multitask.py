"""The last layers of heads that need more than a linear layer: of a regression and of an ordinal regression.

Shapes: B rows, D width of the layer before, C classes of one task.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization

from .tasks_multitask import TargetStatistics


class StandardizedLinear(nn.Linear):
    """The last layer of a regression: a linear layer, then a fixed scale and shift to the units of the targets.

    Mean and standard deviation are those of the training targets, or with `transform: log1p` of their logarithms. They
    are float32 buffers in a model of any dtype: in bfloat16, the numbers from 1,024 to 2,048 are 8 apart.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, width: int, targets: TargetStatistics | None = None) -> None:
        super().__init__(width, 1)
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))
        self.standardize(targets)

    def standardize(self, targets: TargetStatistics | None) -> None:
        """Set the mean and the standard deviation. `None` is for a new head: mean 0 and standard deviation 1."""
        self.targets = targets or TargetStatistics()
        self.reset_buffers()

    @torch.no_grad()
    def reset_buffers(self) -> None:
        """Set the buffers to the statistics of the targets."""
        initialization.constant_(self.target_mean, self.targets.mean)
        initialization.constant_(self.target_std, self.targets.std)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the logits, (B, 1) in float32 or more precise, from hidden states, (B, D)."""
        standardized = super().forward(hidden)
        standardized = standardized.to(torch.promote_types(standardized.dtype, torch.float32))
        return standardized * self.target_std + self.target_mean

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "StandardizedLinear":
        before = self.target_mean, self.target_std
        super()._apply(fn, recurse)
        if self.target_mean.dtype != before[0].dtype:
            self.target_mean, self.target_std = (each.to(self.target_mean.device) for each in before)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        # A checkpoint of version 0.1 has no buffers.
        for name, value in (("target_mean", 0.0), ("target_std", 1.0)):
            state_dict.setdefault(f"{prefix}{name}", torch.tensor(value))
        super()._load_from_state_dict(state_dict, prefix, *args)


class CumulativeLogits(nn.Module):
    """Logits for "above this label", for each of C ordered labels except the last: a score minus the cut point.

    Cut points increase by construction, so that no class has a negative probability (the proportional-odds model of
    McCullagh 1980).
    """

    def __init__(self, width: int, cuts: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.cuts = nn.Parameter(torch.zeros(cuts))  # the first cut point, then the gaps before softplus

    @torch.no_grad()
    def start_from(self, counts: Tensor) -> None:
        """Set the cut points so that a score of 0 gives each label its share of the training rows.

        Args:
            counts: (C,), the number of rows with each label. Half a row is added to each, because a share of 0 would
                have an infinite logit.
        """
        shares = (counts.double() + 0.5) / (counts + 0.5).sum()
        cuts = shares.cumsum(dim=0)[:-1].logit()  # (C - 1,)
        self.cuts.copy_(torch.cat([cuts[:1], cuts.diff().expm1().log()]))  # the inverse of softplus

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits, (B, C - 1), from hidden states, (B, D)."""
        return self.score(hidden) - torch.cat([self.cuts[:1], F.softplus(self.cuts[1:])]).cumsum(dim=0)
