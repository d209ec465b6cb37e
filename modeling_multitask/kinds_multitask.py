"""The computations of each problem type: the loss, the scores and the decision.

`task.kind` is the kind of a task. The sum and the divisor of a mean loss are separate, because sums can be added over
batches and processes and means cannot.

Labels may be soft: the probability of each label, as a float tensor (B, C). The loss of a soft label is the expectation
of the loss over the labels.

Shapes: B rows, (...) rows in one or more dimensions, D width of the encoder, C classes of one task.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .output_layers_multitask import CumulativeLogits, StandardizedLinear
from .problem_types_multitask import PROBLEM_TYPES, ProblemType
from .tasks_multitask import TaskConfig

IGNORE_INDEX = -100  # a missing label, as in torch and transformers
MISSING_IDS = (-1, IGNORE_INDEX)  # data sets use either for a missing label
_ROUNDING = 1e-4  # probabilities in float32 or bfloat16 may add up to this much more or less than 1
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

    def is_soft(self, labels: Tensor) -> bool:
        """Return whether the labels are probabilities, (B, C), NaN or negative where they are missing."""
        return labels.is_floating_point()

    def labelled_entries(self, labels: Tensor) -> Tensor:
        """Return which losses have a label: (B,), or (B, C) for a multi-label task."""
        present = self.labelled(labels)
        return present.all(dim=-1) if self.is_soft(labels) and self.one_label else present

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Check that each id is a class id or marks a missing label, and that soft labels are probabilities.

        Raises:
            ValueError: If a label is wrong and the labels are on the CPU. On other devices an assertion on the device
                fails later, because reading the labels would make the host wait.
        """
        if self.is_soft(labels):
            _refuse(labels > 1 + _ROUNDING, labels, task, "a probability from 0 to 1")
            if self.one_label:
                sums = labels.sum(dim=-1)
                wrong = self.labelled_entries(labels) & ((sums - 1).abs() > _ROUNDING)
                _refuse(wrong, sums, task, "1, the sum of the probabilities of a row", what="a sum")
            return
        wrong = (labels >= self._ids(task)) | (labels < 0) & (labels != MISSING_IDS[0]) & (labels != MISSING_IDS[1])
        missing = " or ".join(map(str, MISSING_IDS))
        _refuse(wrong, labels, task, f"one of its class ids 0 to {self._ids(task) - 1}, nor {missing} for missing")

    def loss_sum(self, logits: Tensor, labels: Tensor, task: TaskConfig, sample_weight: Tensor | None = None) -> Tensor:
        """Return the sum, (), of the losses of the labelled entries.

        Args:
            logits: (B, `num_logits`), in float32 or float64.
            labels: In the shape that `label_shape` returns, or soft, (B, C).
            task: The task, with its loss, weights and smoothing.
            sample_weight: (B,), the factor of each row's losses. By default 1.
        """
        each = self.entry_losses(logits, labels, task).where(self.labelled_entries(labels), 0)
        return each.sum() if sample_weight is None else (each * _by_row(sample_weight.to(each.dtype), each)).sum()

    def entry_losses(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the loss of each entry, (B,), or (B, C) for a multi-label task. Those of missing labels are finite."""
        raise NotImplementedError

    def loss_divisor(self, labels: Tensor, task: TaskConfig, sample_weight: Tensor | None = None) -> Tensor:
        """Return the divisor of the sum of the losses, (): the number of labelled entries, or their weights."""
        each = self.entry_weights(labels, task)
        if sample_weight is None:
            return each.sum()
        return (each * _by_row(sample_weight.to(_precise(labels)), each)).sum()

    def entry_weights(self, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the weight of each entry in the divisor, (B,) or (B, C): whether it is labelled."""
        return self.labelled_entries(labels)

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

    def _of_labels(self, each: Tensor, labels: Tensor) -> Tensor:
        """Return the losses of these labels, (B,), from the loss of each possible label, (B, C)."""
        if self.is_soft(labels):
            return (_shares(labels).to(each.dtype) * each).sum(dim=-1)
        return each.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)

    def _ids(self, task: TaskConfig) -> int:
        return len(task.labels or ())


class SingleLabel(Kind):
    """One of C labels, with softmax and cross-entropy."""

    def entry_losses(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        logs = logits.log_softmax(dim=-1)  # (B, C)
        each = -logs if task.class_weights is None else -logs * logits.new_tensor(task.class_weights)
        if task.label_smoothing:
            each = each * (1 - task.label_smoothing) + each.mean(dim=-1, keepdim=True) * task.label_smoothing
        if task.loss == "focal":
            each = each * _focus(logs.exp(), task)
        return self._of_labels(each, labels)

    def entry_weights(self, labels: Tensor, task: TaskConfig) -> Tensor:
        present = self.labelled_entries(labels)
        if task.class_weights is None:
            return present
        weight = torch.tensor(task.class_weights, device=labels.device, dtype=_precise(labels))  # (C,)
        if self.is_soft(labels):
            return (_shares(labels).to(weight.dtype) * weight).sum(dim=-1) * present
        return weight[labels.clamp(min=0)] * present

    def probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).softmax(dim=-1)

    def log_probabilities(self, logits: Tensor, task: TaskConfig) -> Tensor:
        return _scaled(logits, task).log_softmax(dim=-1)


class Binary(Kind):
    """One of two labels, with one logit for the second label, sigmoid and binary cross-entropy."""

    def num_logits(self, labels: int) -> int:
        return 1

    def entry_losses(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        positive = self._positive(labels).to(logits.dtype)
        logits = logits.reshape(positive.shape)  # (B,), or (B, C) where each label is a separate decision
        if task.loss == "focal" and self.is_soft(labels):  # its factor is not linear in the label
            ones = torch.ones_like(positive)
            return positive * _binary_losses(logits, ones, task) + (1 - positive) * _binary_losses(
                logits, 0 * ones, task
            )
        return _binary_losses(logits, positive, task)

    def _positive(self, labels: Tensor) -> Tensor:
        """Return the probability of the second label, (B,)."""
        return _shares(labels)[..., 1] if self.is_soft(labels) else labels.clamp(min=0)

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

    def _positive(self, labels: Tensor) -> Tensor:
        """Return the probability of each label, (B, C)."""
        return _shares(labels)

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

    def is_soft(self, labels: Tensor) -> bool:
        return False

    def output_layer(self, width: int, task: TaskConfig) -> nn.Module:
        return StandardizedLinear(width, task.targets)

    def check_labels(self, labels: Tensor, task: TaskConfig) -> None:
        """Accept every number; with `transform: log1p`, every number from 0."""
        if task.transform == "log1p":
            _refuse(labels < 0, labels, task, "a number from 0, which transform: log1p needs")

    def entry_losses(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the losses of the errors in units of the standard deviation of the training targets."""
        # NaN is replaced before it is combined with the predictions: 0 · NaN would put NaN into the gradient.
        targets = labels.where(self.labelled(labels), 0).to(logits.dtype)  # (B,)
        targets = targets.log1p() if task.transform == "log1p" else targets
        errors = (logits.squeeze(-1) - targets) / task.unit
        if task.loss == "huber":
            return F.huber_loss(errors, torch.zeros_like(errors), reduction="none", delta=task.huber_delta)
        return errors.square()

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

    def entry_losses(self, logits: Tensor, labels: Tensor, task: TaskConfig) -> Tensor:
        """Return the negative log-likelihoods of the labels.

        A label has the probability σ(a) - σ(b), where a and b are the logits of "above the label before it" and of
        "above it". Its logarithm is log σ(a) + log σ(-b) + log(1 - exp(b - a)).
        """
        end = torch.full_like(logits[..., :1], torch.inf)
        a, b = torch.cat([end, logits], dim=-1), torch.cat([logits, -end], dim=-1)  # (B, C)
        gap = (a - b).clamp(min=_LEAST_GAP)
        return self._of_labels(-(F.logsigmoid(a) + F.logsigmoid(-b) + (-(-gap).expm1()).log()), labels)

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


_CLASSES = {
    "single_label_classification": SingleLabel,
    "multi_label_classification": MultiLabel,
    "binary_classification": Binary,
    "regression": Regression,
    "ordinal_regression": Ordinal,
}
KINDS = {name: _CLASSES[name](**vars(facts)) for name, facts in PROBLEM_TYPES.items()}


def _binary_losses(logits: Tensor, positive: Tensor, task: TaskConfig) -> Tensor:
    each = F.binary_cross_entropy_with_logits(
        logits,
        positive * (1 - task.label_smoothing) + task.label_smoothing / 2,
        reduction="none",
        pos_weight=None if task.pos_weight is None else logits.new_tensor(task.pos_weight),
    )
    return each * _focus((logits * (2 * positive - 1)).sigmoid(), task) if task.loss == "focal" else each


def _shares(labels: Tensor) -> Tensor:
    """Return soft labels with 0 where they are missing."""
    return labels.where(labels >= 0, 0)


def _by_row(weights: Tensor, entries: Tensor) -> Tensor:
    """Return weights of rows, (B,), in a shape that multiplies entries, (B,) or (B, C)."""
    return weights.view(-1, *[1] * (entries.ndim - 1))


def _precise(labels: Tensor) -> torch.dtype:
    """Return the type of sums of weights: in float32 they would depend on the order of batches and processes."""
    return torch.float32 if labels.device.type == "mps" else torch.float64


def _refuse(wrong: Tensor, labels: Tensor, task: TaskConfig, allowed: str, *, what: str = "a label") -> None:
    """Raise a `ValueError` if a label on the CPU is wrong. Other devices report it later."""
    try:
        torch._assert_async(~wrong.any(), f"task {task.name!r}: {what} is not {allowed}")
    except RuntimeError:
        raise ValueError(f"task {task.name!r}: {labels[wrong][0].item()} is not {allowed}") from None


def _scaled(logits: Tensor, task: TaskConfig) -> Tensor:
    return logits.float() / task.temperature


def _thresholds(scores: Tensor, task: TaskConfig) -> Tensor:
    return scores.new_tensor(task.thresholds or [DEFAULT_THRESHOLD])


def _focus(true: Tensor, task: TaskConfig) -> Tensor:
    """Return the factor of the focal loss (Lin et al. 2017), which is small if the true class is already likely."""
    return (1 - true).clamp(min=1e-6) ** task.focal_gamma  # the root of 0 has no derivative
