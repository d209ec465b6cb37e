"""What each problem type computes: the loss of its logits, the scores, the decision.

`task.kind` is the one of a task. A mean loss is a sum over labelled entries and a divisor, which are kept apart
because sums add up over batches and processes and means do not.

Shapes: B rows, (...) rows in one dimension or more, D width of the encoder, C classes of one task.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .problem_types_multitask import PROBLEM_TYPES, ProblemType
from .tasks_multitask import TaskConfig

IGNORE_INDEX = -100  # a missing label; torch's and transformers' own value
MISSING_IDS = (-1, IGNORE_INDEX)  # data sets mark a missing label with either
DEFAULT_THRESHOLD = 0.5  # above which a label is part of the answer, unless its task says otherwise


class Kind(ProblemType):
    """A problem type with what it computes. One label for each row, unless a subclass says otherwise."""

    label_dtype = torch.long
    missing: float = IGNORE_INDEX

    def num_logits(self, labels: int) -> int:
        """The width of the head's output for a task with that many labels."""
        return labels

    def output_layer(self, width: int, labels: int) -> nn.Module:
        """The last layer of a head: (B, `width`) to (B, `num_logits`)."""
        return nn.Linear(width, self.num_logits(labels))

    def label_shape(self, logits: Tensor) -> torch.Size:
        """The shape of the labels that belong to these logits."""
        return logits.shape[:-1]

    def labelled(self, labels: Tensor) -> Tensor:
        """Which entries have a label; the same shape as `labels`."""
        return labels >= 0

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Refuse ids that are neither those of labels nor mark a missing one.

        Raises:
            ValueError: If the labels are on the CPU. Elsewhere an assertion of the device fails: to look at the labels
                would make the host wait for it.
        """
        wrong = (labels >= self._ids(task)) | (labels < 0) & (labels != MISSING_IDS[0]) & (labels != MISSING_IDS[1])
        missing = " or ".join(map(str, MISSING_IDS))
        _refuse(wrong, labels, task, f"one of its class ids 0 to {self._ids(task) - 1}, nor {missing} for missing")

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """The sum of the losses of the labelled entries; ().

        Args:
            logits: (B, `num_logits`), in float32 at least.
            labels: As `label_shape` gives it.
            task: Its loss, weights and smoothing.
        """
        raise NotImplementedError

    def loss_divisor(self, labels: Tensor, task: TaskConfig) -> Tensor:
        """What the sum of the losses is divided by: the number of labelled entries; ()."""
        return self.labelled(labels).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        """The score of each label (..., C), both labels of a binary task; (..., 1) the number of a regression."""
        raise NotImplementedError

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        """The logarithms of the scores of a kind of one label, finite where these are 0; (..., C)."""
        scores = self.probabilities(logits, task)
        return scores.clamp(min=torch.finfo(scores.dtype).tiny).log()

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        """The decision by `probabilities`: ids (...), zeros and ones (..., C) of several labels, or numbers (...)."""
        return scores.argmax(dim=-1)

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        """A number that grows with the score of a label, or with the number itself; (...)."""
        return logits[..., label]

    def _ids(self, task: TaskConfig) -> int:
        return len(task.labels or ())


class SingleLabel(Kind):
    """One of C labels: softmax and cross-entropy."""

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
        # Rounded to float32, a sum would depend on the order in which batches and processes are added up.
        precise = torch.float32 if labels.device.type == "mps" else torch.float64
        weight = torch.tensor(task.class_weights, device=labels.device, dtype=precise)  # (C,)
        return (weight[labels.clamp(min=0)] * self.labelled(labels)).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).softmax(dim=-1)

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).log_softmax(dim=-1)


class Binary(Kind):
    """One of two labels by one logit, that of the second label: sigmoid and binary cross-entropy."""

    def num_logits(self, labels: int) -> int:
        return 1

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        logits = logits.reshape(labels.shape)  # (B,), or (B, C): each label counts by itself
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
    """Any number of C labels: each is a binary decision by a logit of its own. Labels are (B, C) zeros and ones."""

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
    """A number. Its label is NaN where it is missing."""

    label_dtype = torch.float32
    missing = math.nan

    def num_logits(self, labels: int) -> int:
        return 1

    def labelled(self, labels: Tensor) -> Tensor:
        return ~labels.isnan()

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Any number is a label."""

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        present = self.labelled(labels)  # (B,)
        # NaN is replaced before it meets the predictions: 0 · NaN would put NaN into the gradient.
        targets = labels.where(present, 0).to(logits.dtype)
        if task.loss == "huber":
            each = F.huber_loss(logits.squeeze(-1), targets, reduction="none", delta=task.huber_delta)
        else:
            each = F.mse_loss(logits.squeeze(-1), targets, reduction="none")
        return each.where(present, 0).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return logits.float()

    def decide(self, scores: Tensor, task: TaskConfig) -> Tensor:
        return scores[..., 0]

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits[..., 0]


class Ordinal(Kind):
    """One of C labels in order: for each but the last, the logit of lying above it (Cao et al. 2020)."""

    def num_logits(self, labels: int) -> int:
        return labels - 1

    def output_layer(self, width: int, labels: int) -> nn.Module:
        return CumulativeLogits(width, self.num_logits(labels))

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """The binary cross-entropies of "is it above the k-th label?", summed over all k."""
        above = labels.unsqueeze(-1) > torch.arange(logits.shape[-1], device=labels.device)  # (B, C - 1)
        each = F.binary_cross_entropy_with_logits(logits, above.to(logits.dtype), reduction="none").sum(dim=-1)
        return each.where(self.labelled(labels), 0).sum()

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        above = _scaled(logits, task).sigmoid()  # (..., C - 1), descending
        each = torch.cat([torch.ones_like(above[..., :1]), above], -1) - torch.cat([above, 0 * above[..., :1]], -1)
        return each.clamp(min=0)  # of equal logits one may come out a last digit larger

    def logit_of(self, logits: Tensor, label: int) -> Tensor:
        return logits.mean(dim=-1)  # each is one score less a cut point


class CumulativeLogits(nn.Module):
    """For each but the last of C ordered labels, the logit of lying above it: a score less that label's cut point.

    Cut points ascend by construction, so that no class gets a negative probability (the proportional-odds model of
    McCullagh 1980).
    """

    def __init__(self, width: int, cuts: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        self.cuts = nn.Parameter(torch.zeros(cuts))  # the first cut point; then what the softplus of is the next gap

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, D) to (B, C - 1)."""
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
    """Raises a `ValueError` if any label is wrong; not on the CPU, the device notices it later on."""
    try:
        torch._assert_async(~wrong.any(), f"task {task.name!r}: a label is not {allowed}")
    except RuntimeError:
        raise ValueError(f"task {task.name!r}: {labels[wrong][0].item()} is not {allowed}") from None


def _scaled(logits: Tensor, task: TaskConfig) -> Tensor:
    return logits.float() / task.temperature


def _thresholds(scores: Tensor, task: TaskConfig) -> Tensor:
    return scores.new_tensor(task.thresholds or [DEFAULT_THRESHOLD])


def _focus(true: Tensor, task: TaskConfig) -> Tensor:
    """What the focal loss (Lin et al. 2017) multiplies by: little where the true class is likely already."""
    return (1 - true).clamp(min=1e-6) ** task.focal_gamma  # the root of 0 has no derivative
