"""The part of the Trainer that fits the heads when a phase with `fit_heads` begins."""

from collections.abc import Callable
from typing import Any

import torch
from accelerate.utils import broadcast
from datasets import Dataset
from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

from .arguments import MultiTaskTrainingArguments
from .head_fitting import fit_heads
from .label_columns import targets_of_table
from .phase_callback import PhaseCallback
from .resuming import ResumingCallback
from .start_embeddings import embedded_rows, embeddings_of
from .text_rows import made_by_one


class HeadFittingCallback(ResumingCallback):
    """A callback that fits the heads when a phase with `fit_heads` begins, once, also in a resumed run.

    Args:
        phases: The callback that freezes parts. It must come before this callback.
        fit: Fits the heads that train.
    """

    def __init__(self, phases: PhaseCallback, fit: Callable[[], None]) -> None:
        self.phases, self.fit = phases, fit
        self.fitted = -1  # the number of the last phase whose heads were fitted

    def attributes(self) -> dict[str, Any]:
        return {"fitted": self.fitted}

    def restore(self, attributes: dict[str, Any]) -> None:
        self.fitted = attributes.get("fitted", -1)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._fit_once()  # before an average of the weights begins

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._fit_once()  # a phase may begin in the middle of an epoch

    def _fit_once(self) -> None:
        if self.phases.current.fit_heads and self.fitted < self.phases.index:
            self.fit()
            self.fitted = self.phases.index


class HeadFittingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that fits the heads to the training rows."""

    args: MultiTaskTrainingArguments
    data_collator: Any
    train_dataset: Any
    list_forms: Any

    def fit_heads(self) -> None:
        """Fit the heads that train to the embeddings of all training rows, as `head_fitting.fit_heads` does."""

        def embed(rows: Dataset) -> Dataset:
            return embedded_rows({"train": rows}, self.model, self.data_collator.tokenizer, purpose="fit_heads")[
                "train"
            ]

        embedded = made_by_one(self.args, self.train_dataset, embed)
        targets = targets_of_table(self.train_dataset, self.model.config.tasks, self.list_forms)
        device = self.args.device
        weight = targets.get("sample_weight")
        fit_heads(
            self.model,
            torch.tensor(embeddings_of(embedded), device=device),
            {name: each.to(device) for name, each in targets["labels"].items()},
            None if weight is None else weight.to(device),
        )
        for parameter in self.model.heads.parameters():  # GPUs may round differently
            parameter.data = broadcast(parameter.data)
