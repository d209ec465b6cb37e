"""The contrastive objective: the cosine of two embeddings should be the similarity of their labels.

SetFit trains its encoder with this loss (Tunstall et al. 2022), on sampled pairs of one task. Here it is the loss of
all pairs of a batch, for every task.

Shapes: B rows, D width of the embedding.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Trainer

from ..tasks_multitask import TaskConfig
from .label_similarity import label_similarity
from .phase_callback import PhaseCallback


class ContrastiveMixin(Trainer):
    """The part of a `MultiTaskTrainer` that has the losses of a micro-batch: of labels, or of pairs of rows."""

    phases: PhaseCallback
    current_gradient_accumulation_steps: int

    def losses_of(
        self, outputs: Any, inputs: dict[str, Any], tasks: list[TaskConfig], *, whole_step: bool
    ) -> dict[str, Tensor]:
        """Return the loss of each task in this micro-batch, (), in the objective of the current phase.

        Pairs are formed within a micro-batch of one process. The loss of a step is their mean.

        Args:
            outputs: The outputs of the model.
            inputs: The micro-batch.
            tasks: All tasks.
            whole_step: Whether the losses of a step are added over its micro-batches and the processes.
        """
        if not self.phases.current.is_contrastive:
            return {name: loss.mean() for name, loss in outputs["task_losses"].items()}
        losses = contrastive_losses(outputs["embeddings"], inputs["labels"], tasks, inputs.get("sample_weight"))
        parts = self.current_gradient_accumulation_steps * self.accelerator.num_processes if whole_step else 1
        return {name: loss / parts for name, loss in losses.items()}


def contrastive_losses(
    embeddings: Tensor, labels: dict[str, Tensor], tasks: list[TaskConfig], sample_weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the loss of each task, (), in float32.

    Args:
        embeddings: (B, D).
        labels: The labels by task name, as for `masked_loss`. A task that is missing has the loss 0.
        tasks: All tasks, in order.
        sample_weight: (B,), the weight of each row.
    """
    embeddings = embeddings.float()
    losses = {task.name: embeddings.sum() * 0 for task in tasks}
    for task in (each for each in tasks if each.name in labels):
        losses[task.name] = pair_loss(embeddings, label_similarity(labels[task.name], task), sample_weight)
    return losses


def pair_loss(embeddings: Tensor, similar: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """Return the mean squared difference between the cosines and the similarities of all pairs, (); 0 without pairs.

    It is the mean of two means, one over similar and one over dissimilar pairs, so that the rarer ones count as much.

    Args:
        embeddings: (B, D).
        similar: (B, B), from 0 to 1, NaN where a label is missing.
        sample_weight: (B,), the weight of each row. That of a pair is the product.
    """
    directions = F.normalize(embeddings, dim=-1)
    known = ~similar.isnan() & ~torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    pairs = known.float()
    if sample_weight is not None:
        pairs = pairs * sample_weight[:, None] * sample_weight
    targets = similar.where(known, 0).clamp(0, 1)  # rounding would make a weight negative
    errors = (directions @ directions.T - targets).square()
    weights = torch.stack([pairs * targets, pairs * (1 - targets)])  # (2, B, B)
    totals = weights.sum(dim=(1, 2))  # (2,)
    means = (weights * errors).sum(dim=(1, 2)) / totals.where(totals > 0, 1)
    return means.sum() / (totals > 0).sum().clamp(min=1)
