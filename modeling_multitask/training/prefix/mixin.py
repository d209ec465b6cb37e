"""The part of the Trainer that uses the cache of frozen layers."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler
from transformers.trainer_utils import TrainOutput

from ..batches import SamplingMixin
from ..collator import MultiTaskCollator
from ..evaluation_mixin import changed
from ..phase_callback import PhaseCallback
from ..samplers import TokenBatchSampler
from .cache import PrefixCache
from .callback import PrefixCallback
from .rows import ORIGIN, STATES, HeadsAlone, PrefixRows, entering, first


class PrefixCacheMixin(SamplingMixin):
    """The part of a `MultiTaskTrainer` that caches the output of frozen layers and starts forward passes after them.

    During training, the data loaders return batches of `PrefixRows`. `_prepare_inputs` turns a batch into arguments of
    the model, and `compute_loss_context_manager` skips the frozen layers in its forward pass.
    """

    phases: PhaseCallback
    prefix_cache: PrefixCache | None = None
    _signature_columns: list[str] | None
    _entered: AbstractContextManager[None] = nullcontext()

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train with the cache. Afterwards, also after an error, every pass runs the whole encoder."""
        try:
            return super().train(*args, **kwargs)
        finally:
            if self.prefix_cache is not None:
                self.prefix_cache.forget()

    def set_cache(self) -> None:
        """Set the cache of this run, after its arguments, model and rows are set."""
        self.prefix_cache = self._make_cache()
        self.pop_callback(PrefixCallback)
        if self.prefix_cache is not None:  # after the callback of the phases, which freezes
            self.add_callback(PrefixCallback(self.prefix_cache, self.phases, self._tables()))

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Run one micro-batch. The Trainer gets only the heads if the encoder is skipped."""
        return super().training_step(self._awake(model), inputs, num_items_in_batch)

    def compute_loss_context_manager(self) -> ExitStack:
        """Return the context of the loss, which skips the frozen layers if the last batch has cached states."""
        stack = super().compute_loss_context_manager()
        stack.enter_context(self._entered)
        self._entered = nullcontext()
        return stack

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return the number of operations; 0 if the encoder is skipped."""
        return 0 if "embeddings" in inputs else super().floating_point_ops(inputs)

    def _make_cache(self) -> PrefixCache | None:
        """Return the cache, or `None` if it is switched off or not possible.

        It is not possible for a model that is compiled or sharded over processes, for streamed rows, or with a custom
        collator.
        """
        caching, collator = self.args.prefix_caching(), self.data_collator
        spread = self.is_fsdp_enabled or self.is_deepspeed_enabled or self.args.n_gpu > 1
        usable = isinstance(collator, MultiTaskCollator) and isinstance(self.train_dataset, Dataset)
        if caching is None or spread or self.args.torch_compile or not usable:
            return None
        return PrefixCache(caching, self.model, collator.tokenizer, self.accelerator)

    def _tables(self) -> list[Dataset]:
        """Return the tables of training and of its evaluations."""
        judged = self.eval_dataset if self.args.eval_strategy != "no" else None
        judged = list(judged.values()) if isinstance(judged, dict) else [judged]
        return [rows for rows in (self.train_dataset, *judged) if isinstance(rows, Dataset)]

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs, self._entered = entering(super()._prepare_inputs(inputs), self.prefix_cache)
        return inputs

    def _awake(self, model: nn.Module) -> nn.Module:
        """Return the part of the model that the Trainer must visit: only the heads if the encoder is skipped."""
        skipped = self.prefix_cache and self.prefix_cache.prefix is None and self.accelerator.num_processes == 1
        return HeadsAlone(self.model) if skipped else model

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        return super()._clip_grad_norm(self._awake(model))

    def _load_token_batches(self, rows: Any, sampler: TokenBatchSampler, collate: Callable) -> DataLoader:
        if self.prefix_cache is not None:
            rows, collate = PrefixRows(rows, self.data_collator, self.prefix_cache), first
        return super()._load_token_batches(rows, sampler, collate)

    def _get_dataloader(self, dataset: Any, *args: Any, **kwargs: Any) -> DataLoader:
        if self.prefix_cache is None or not isinstance(dataset, Dataset):
            return super()._get_dataloader(dataset, *args, **kwargs)
        rows = PrefixRows(dataset, self.data_collator, self.prefix_cache)
        with changed(self, data_collator=first):
            return super()._get_dataloader(rows, *args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        rows = train_dataset.rows if isinstance(train_dataset, PrefixRows) else train_dataset
        return super()._get_train_sampler(rows)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns = list(dict.fromkeys([*(self._signature_columns or ()), STATES, ORIGIN]))
