"""The batches of training, and the order of rows in evaluation."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers import Trainer

from datasets_builder.label_lists import ListForm

from .arguments import MultiTaskTrainingArguments
from .label_similarity import label_classes
from .phase_callback import PhaseCallback
from .samplers import EpochCallback, EpochSampler, TokenBatchSampler, load_token_batches, row_groups
from .soft_targets import row_weights_of
from .tokens import row_lengths


class SamplingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that implements `sampling` and `tokens_per_batch`."""

    args: MultiTaskTrainingArguments
    data_collator: Any
    phases: PhaseCallback
    list_forms: Mapping[str, ListForm]

    def get_train_dataloader(self) -> DataLoader:
        """Return the training batches: by number of rows, or by token budget."""
        budget = self.args.tokens_per_batch
        if budget is None:
            return super().get_train_dataloader()
        lengths = row_lengths(self.train_dataset, self.processing_class, self.model.config)
        sampler = TokenBatchSampler(lengths, budget, seed=self._data_seed, processes=self.args.world_size)
        self._follow_epochs(sampler)
        rows = self._remove_unused_columns(self.train_dataset, description="training")
        return self._load_token_batches(rows, sampler, self.data_collator)

    def _load_token_batches(self, rows: Any, sampler: TokenBatchSampler, collate: Callable) -> DataLoader:
        return load_token_batches(rows, sampler, collate, self.args)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        rows = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy not in ("random", "group_by_length") or not hasattr(rows, "__len__"):
            return super()._get_train_sampler(train_dataset)
        by_length = self.args.train_sampling_strategy == "group_by_length"
        sampler = EpochSampler(
            row_groups(rows, self.args.sampler()),
            self.args.sampler(),
            seed=self._data_seed,
            epochs=self._epochs(len(rows)),
            lengths=row_lengths(rows, self.processing_class, self.model.config) if by_length else None,
            batch_size=self.args.train_batch_size * self.args.world_size * self.args.gradient_accumulation_steps,
            weights=row_weights_of(rows) if isinstance(rows, Dataset) else None,
        )
        sampler.paired = self._pairing(rows)
        self._follow_epochs(sampler)
        return sampler

    def _pairing(self, rows: Any) -> Callable[[], np.ndarray | None]:
        """Return a function that returns the classes of the rows in an epoch that begins in a contrastive phase."""
        schedule = self.args.schedule
        if not isinstance(rows, Dataset) or not any(phase.is_contrastive for phase in schedule):
            return lambda: None
        classes = label_classes(rows, self.model.config.tasks, self.list_forms)  # (N, K)
        return lambda: classes if self.phases.of_epoch.is_contrastive else None

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler | None:
        # With "group_by_length", transformers would also shuffle these rows. The order of the predictions would then be
        # unknown.
        is_simple = hasattr(eval_dataset, "__len__") and self.args.world_size == 1
        return SequentialSampler(eval_dataset) if is_simple else None

    def steps_per_epoch(self, rows: int) -> int:
        """Return the optimizer steps for a number of rows, in batches of a fixed number of rows."""
        in_step = self.args.train_batch_size * self.args.world_size * self.args.gradient_accumulation_steps
        return math.ceil(rows / in_step)

    def _epochs(self, rows: int) -> float:
        of_steps = self.args.max_steps / self.steps_per_epoch(rows)
        return math.ceil(of_steps) if self.args.max_steps > 0 else self.args.num_train_epochs

    @property
    def _data_seed(self) -> int:
        return self.args.seed if self.args.data_seed is None else self.args.data_seed

    def _follow_epochs(self, sampler: Any) -> None:
        self.pop_callback(EpochCallback)
        self.add_callback(EpochCallback(sampler))
