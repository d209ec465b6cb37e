"""The contrastive objective: texts with similar labels get similar embeddings.

It is the supervised contrastive loss (Khosla et al. 2020) of all pairs of a batch, for every task. Their labels are the
same or not; here the similarity of two labels may also lie between 0 and 1.

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

TEMPERATURE = 0.1  # of the cosines, as in SupCon


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
        similar = label_similarity(labels[task.name], task)
        losses[task.name] = supervised_contrastive_loss(embeddings, similar, sample_weight)
    return losses


def supervised_contrastive_loss(embeddings: Tensor, similar: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """Return the supervised contrastive loss (Khosla et al. 2020, equation 2), (); 0 without similar pairs.

    For each row, it is the cross-entropy between the softmax of its cosines to the other rows and their similarities,
    as shares of their sum. The loss is the mean over the rows that are similar to another one.

    Args:
        embeddings: (B, D).
        similar: (B, B), from 0 to 1, NaN where a label is missing.
        sample_weight: (B,), the weight of each row. A row with the weight 2 counts like two rows.
    """
    weights = torch.ones_like(embeddings[:, 0]) if sample_weight is None else sample_weight
    known = ~similar.isnan() & ~torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    targets = similar.where(known, 0).clamp(min=0) * weights  # rounding would make a similarity negative
    totals = targets.sum(dim=-1)  # (B,)
    directions = F.normalize(embeddings, dim=-1)
    cosines = directions @ directions.T / TEMPERATURE
    lowest = torch.finfo(cosines.dtype).min
    normalisers = (cosines + weights.log()).masked_fill(~known, lowest).logsumexp(dim=-1)  # (B,)
    losses = normalisers - (targets * cosines).sum(dim=-1) / totals.where(totals > 0, 1)
    weights = weights * (totals > 0)
    return (weights * losses).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)
