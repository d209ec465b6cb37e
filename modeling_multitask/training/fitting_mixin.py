"""The part of the Trainer that fits the heads when a phase with `fit_heads` begins."""

from typing import Any

import torch
from accelerate.utils import broadcast
from datasets import Dataset
from transformers import Trainer

from .arguments import MultiTaskTrainingArguments
from .head_fitting import fit_heads
from .label_columns import targets_of_table
from .start_embeddings import embedded_rows, embeddings_of
from .text_rows import made_by_one


class HeadFittingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that fits the heads to the training rows."""

    args: MultiTaskTrainingArguments
    data_collator: Any
    train_dataset: Any
    list_forms: Any

    def fit_heads(self) -> None:
        """Fit the heads that train to the embeddings of all training rows, as `head_fitting.fit_heads` does."""
        tokenizer = self.data_collator.tokenizer

        def embed(rows: Dataset) -> Dataset:
            return embedded_rows({"train": rows}, self.model, tokenizer, purpose="fit_heads")["train"]

        embedded = made_by_one(self.args, self.train_dataset, embed)
        targets = targets_of_table(self.train_dataset, self.model.config.tasks, self.list_forms)
        device, weight = self.args.device, targets.get("sample_weight")
        fit_heads(
            self.model,
            torch.tensor(embeddings_of(embedded), device=device),
            {name: each.to(device) for name, each in targets["labels"].items()},
            None if weight is None else weight.to(device),
        )
        for parameter in self.model.heads.parameters():  # GPUs may round differently
            parameter.data = broadcast(parameter.data)
