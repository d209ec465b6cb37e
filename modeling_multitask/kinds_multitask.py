"""The computations of each problem type: the loss, the scores and the decision.

`task.kind` is the kind of a task. The sum and the divisor of a mean loss are separate, because sums can be added over
batches and processes and means cannot.

Shapes: B rows, (...) rows in one or more dimensions, D width of the encoder, C classes of one task.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization

from .problem_types_multitask import PROBLEM_TYPES, ProblemType
from .tasks_multitask import TargetStatistics, TaskConfig

IGNORE_INDEX = -100  # a missing label, as in torch and transformers
MISSING_IDS = (-1, IGNORE_INDEX)  # data sets use either for a missing label
_LEAST_GAP = 1e-6  # between cut points; the logarithm of a smaller gap may be infinite
_LARGEST_LOG = 80.0  # the number of a larger logit would be infinite in float32
DEFAULT_THRESHOLD = 0.5  # labels with a higher score are part of the answer, unless the task has thresholds


class Kind(ProblemType):
    """A problem type and its computations. The default is one label for each row; subclasses override it."""

    label_dtype = torch.long
    missing: float = IGNORE_INDEX

    def num_logits(self, labels: int) -> int:
        """Return the width of the head's output for a task with this number of labels."""
        return labels

    def output_layer(self, width: int, task: TaskConfig) -> nn.Module:
        """Return the last layer of a head: (B, `width`) to (B, `num_logits`)."""
        return nn.Linear(width, task.num_logits)

    def label_shape(self, logits: Tensor) -> torch.Size:
        """Return the shape of the labels for these logits."""
        return logits.shape[:-1]

    def labelled(self, labels: Tensor) -> Tensor:
        """Return which entries have a label. The shape is that of `labels`."""
        return labels >= 0

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Check that each id is a class id or marks a missing label.

        Raises:
            ValueError: If an id is wrong and the labels are on the CPU. On other devices an assertion on the device
                fails later, because reading the labels would make the host wait.
        """
        wrong = (labels >= self._ids(task)) | (labels < 0) & (labels != MISSING_IDS[0]) & (labels != MISSING_IDS[1])
        missing = " or ".join(map(str, MISSING_IDS))
        _refuse(wrong, labels, task, f"one of its class ids 0 to {self._ids(task) - 1}, nor {missing} for missing")

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the sum, (), of the losses of the labelled entries.

        Args:
            logits: (B, `num_logits`), in float32 or float64.
            labels: In the shape that `label_shape` returns.
            task: The task, with its loss, weights and smoothing.
        """
        raise NotImplementedError

    def loss_divisor(self, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the divisor of the sum of the losses, (): the number of labelled entries."""
        return self.labelled(labels).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        """Return the score of each label, (..., C), where C is 2 for a binary task. A regression gives (..., 1)."""
        raise NotImplementedError

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        """Return the logarithms of the scores, (..., C), for kinds of one label. They are finite for scores of 0."""
        scores = self.probabilities(logits, task)
        return scores.clamp(min=torch.finfo(scores.dtype).tiny).log()

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        """Return the decision by these scores: ids (...), zeros and ones (..., C) for several labels, numbers (...)."""
        return scores.argmax(dim=-1)

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        """Return a value, (...), that increases with the score of a label. For a number it is the logit."""
        return logits[..., label]

    def _ids(self, task: TaskConfig) -> int:
        return len(task.labels or ())


class SingleLabel(Kind):
    """One of C labels, with softmax and cross-entropy."""

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        present = self.labelled(labels)
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

    def loss_divisor(self, labels: Tensor, task: TaskConfig) -> Tensor:
        if task.class_weights is None:
            return super().loss_divisor(labels, task)
        # In float32 the sum would depend on the order in which batches and processes are added.
        precise = torch.float32 if labels.device.type == "mps" else torch.float64
        weight = torch.tensor(task.class_weights, device=labels.device, dtype=precise)  # (C,)
        return (weight[labels.clamp(min=0)] * self.labelled(labels)).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).softmax(dim=-1)

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).log_softmax(dim=-1)


class Binary(Kind):
    """One of two labels, with one logit for the second label, sigmoid and binary cross-entropy."""

    def num_logits(self, labels: int) -> int:
        return 1

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        logits = logits.reshape(labels.shape)  # (B,), or (B, C) where each label is a separate decision
        signs = labels.clamp(min=0).to(logits.dtype)
        each = F.binary_cross_entropy_with_logits(
            logits,
            signs * (1 - task.label_smoothing) + task.label_smoothing / 2,
            reduction="none",
            pos_weight=None if task.pos_weight is None else logits.new_tensor(task.pos_weight),
        )
        if task.loss == "focal":
            each = each * _focus((logits * (2 * signs - 1)).sigmoid(), task)
        return each.where(self.labelled(labels), 0).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        logits = _scaled(logits, task)
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=-1)

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        logits = _scaled(logits, task)
        return F.logsigmoid(torch.cat([-logits, logits], dim=-1))

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        return (scores[..., 1] > _thresholds(scores, task)[0]).long()

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits[..., 0] * (1 if label == 1 else -1)


class MultiLabel(Binary):
    """Any number of C labels. Each is a binary decision with its own logit. Labels are (B, C) zeros and ones."""

    def num_logits(self, labels: int) -> int:
        return labels

    def label_shape(self, logits: Tensor) -> torch.Size:
        return logits.shape

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).sigmoid()

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        return (scores > _thresholds(scores, task)).long()

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits[..., label]

    def _ids(self, task: TaskConfig) -> int:
        return 2


class Regression(Kind):
    """A number. A missing label is NaN."""

    label_dtype = torch.float32
    missing = math.nan

    def num_logits(self, labels: int) -> int:
        return 1

    def labelled(self, labels: Tensor) -> Tensor:
        return ~labels.isnan()

    def output_layer(self, width: int, task: TaskConfig) -> nn.Module:
        return StandardizedLinear(width, task.targets)

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Accept every number; with `transform: log1p`, every number from 0."""
        if task.transform == "log1p":
            _refuse(labels < 0, labels, task, "a number from 0, which transform: log1p needs")

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the sum of the losses of the errors in units of the standard deviation of the training targets."""
        present = self.labelled(labels)  # (B,)
        # NaN is replaced before it is combined with the predictions: 0 · NaN would put NaN into the gradient.
        targets = labels.where(present, 0).to(logits.dtype)
        targets = targets.log1p() if task.transform == "log1p" else targets
        errors = (logits.squeeze(-1) - targets) / task.unit
        if task.loss == "huber":
            each = F.huber_loss(errors, torch.zeros_like(errors), reduction="none", delta=task.huber_delta)
        else:
            each = errors.square()
        return each.where(present, 0).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        """Return the number in the units of the targets, (..., 1)."""
        numbers = logits.float()
        return numbers.clamp(max=_LARGEST_LOG).expm1() if task.transform == "log1p" else numbers

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        return scores[..., 0]

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits[..., 0]


class Ordinal(Kind):
    """One of C ordered labels. Each label except the last has a logit for "above this label" (Cao et al. 2020)."""

    def num_logits(self, labels: int) -> int:
        return labels - 1

    def output_layer(self, width: int, task: TaskConfig) -> nn.Module:
        return CumulativeLogits(width, task.num_logits)

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the sum of the negative log-likelihoods of the labels.

        A label has the probability σ(a) - σ(b), where a and b are the logits of "above the label before it" and of
        "above it". Its logarithm is log σ(a) + log σ(-b) + log(1 - exp(b - a)).
        """
        end, place = torch.full_like(logits[..., :1], torch.inf), labels.clamp(min=0).unsqueeze(-1)
        a = torch.cat([end, logits], dim=-1).gather(-1, place).squeeze(-1)  # (B,)
        b = torch.cat([logits, -end], dim=-1).gather(-1, place).squeeze(-1)
        gap = (a - b).clamp(min=_LEAST_GAP)
        each = -(F.logsigmoid(a) + F.logsigmoid(-b) + (-(-gap).expm1()).log())
        return each.where(self.labelled(labels), 0).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        above = _scaled(logits, task).sigmoid()  # (..., C - 1), descending
        each = torch.cat([torch.ones_like(above[..., :1]), above], -1) - torch.cat([above, 0 * above[..., :1]], -1)
        return each.clamp(min=0)  # rounding may make one of two equal values larger in the last digit

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        """Return the ids of the medians, (...), or with `decision: mode` those of the most probable labels.

        The median has the smallest expected error in steps.
        """
        if task.decision == "mode":
            return super().decide(scores, task)
        below = scores.cumsum(dim=-1)[..., :-1]  # (..., C - 1)
        return (below < 0.5).sum(dim=-1)

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits.mean(dim=-1)  # each is the score minus a cut point


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


_CLASSES = {
    "single_label_classification": SingleLabel,
    "multi_label_classification": MultiLabel,
    "binary_classification": Binary,
    "regression": Regression,
    "ordinal_regression": Ordinal,
}
KINDS = {name: _CLASSES[name](**vars(facts)) for name, facts in PROBLEM_TYPES.items()}


def _refuse(wrong: Tensor, labels: Tensor, task: TaskConfig, allowed: str) -> None:
    """Raise a `ValueError` if a label on the CPU is wrong. Other devices report it later."""
    try:
        torch._assert_async(~wrong.any(), f"task {task.name!r}: a label is not {allowed}")
    except RuntimeError:
        raise ValueError(f"task {task.name!r}: {labels[wrong][0].item()} is not {allowed}") from None


def _scaled(logits: Tensor, task: TaskConfig) -> Tensor:
    return logits.float() / task.temperature


def _thresholds(scores: Tensor, task: TaskConfig) -> Tensor:
    return scores.new_tensor(task.thresholds or [DEFAULT_THRESHOLD])


def _focus(true: Tensor, task: TaskConfig) -> Tensor:
    """Return the factor of the focal loss (Lin et al. 2017), which is small if the true class is already likely."""
    return (1 - true).clamp(min=1e-6) ** task.focal_gamma  # the root of 0 has no derivative
