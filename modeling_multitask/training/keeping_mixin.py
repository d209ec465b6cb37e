"""The part of the Trainer that implements `keep_embedding`.

Shapes: B rows of a micro-batch, D width of the encoder, P shared trainable parameters (single numbers, not tensors).
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Trainer

from .arguments import MultiTaskTrainingArguments
from .gradients import TaskGradients
from .loss_log import TaskLossLog
from .start_callback import StartCallback
from .start_embeddings import START, with_start_embeddings
from .text_rows import made_by_one

KEPT = "keep_embedding"  # the name of the term among the losses


class KeepEmbeddingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that keeps the embedding near that of the start encoder.

    Each training row has the embedding of its text before training. The distance is 1 - cosine. Like a task loss, the
    term is the mean over all rows of the optimizer step, so it does not depend on micro-batches and processes. The
    distance between the cosines of every two rows would.
    """

    args: MultiTaskTrainingArguments
    data_collator: Any
    train_dataset: Any
    task_losses: TaskLossLog
    kept_gradients: TaskGradients
    _embedded: tuple[Any, Any] = (None, None)  # the training rows without and with embeddings of this trainer
    _step_rows: Tensor | None = None  # (), of the optimizer step

    def embed_rows(self) -> None:
        """Compute the embeddings of the training rows with the model as it is now, if they are kept.

        A checkpoint to resume is loaded later. The rows keep their embeddings for the next training, unless
        `model_init` then returns another model.
        """
        self.pop_callback(StartCallback)
        if self.args.keep_embedding is None:
            return
        given, embedded = self._embedded
        if self.model_init is not None and self.train_dataset is embedded:
            self.train_dataset = given
        if START not in self.train_dataset.column_names:
            given = self.train_dataset
            embed = partial(with_start_embeddings, model=self.model, tokenizer=self.data_collator.tokenizer)
            self.train_dataset = made_by_one(self.args, given, embed)
            self._embedded = given, self.train_dataset
        self.add_callback(StartCallback(self.train_dataset[0][START]))

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        """Return the micro-batches of one optimizer step, and count their rows over all processes."""
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._step_rows = None
        if batches and self.args.keep_embedding is not None and self.args.n_gpu <= 1:
            # By the labels: a batch of a frozen encoder, which is rebuilt if a phase has begun, has no embeddings.
            rows = sum(len(next(iter(batch["labels"].values()))) for batch in batches)
            self._step_rows = self.accelerator.reduce(torch.tensor(rows, device=device), reduction="sum")
        return batches, count

    def kept_loss(self, embeddings: Tensor, start: Tensor | None, shared: list[nn.Parameter] | None) -> Tensor | float:
        """Return the weighted term of one micro-batch, (), and log it; 0 if the encoder does not train.

        Args:
            embeddings: (B, D).
            start: The embeddings of the same texts before training, (B, D).
            shared: The trainable parameters of the encoder, if gradients are balanced. The gradient of the term is then
                added to the balanced one, so that the weight has the same effect as without balancing.
        """
        if start is None or not embeddings.requires_grad or (keeping := self.args.keeping()) is None:
            return 0.0
        distances = 1 - F.cosine_similarity(embeddings.float(), start.float(), dim=-1)  # (B,)
        loss = distances.mean() if self._step_rows is None else distances.sum() / self._step_rows
        self.task_losses.add({KEPT: loss})
        loss = keeping.weight * loss
        if shared is not None:
            self.kept_gradients.add({KEPT: loss}, shared)
        return loss

    def take_kept_gradient(self) -> Tensor | float:
        """Return the gradient of the term in one optimizer step, (P,), and reset it; 0 if there was no term."""
        return self.kept_gradients.take()[0] if self.kept_gradients else 0.0
