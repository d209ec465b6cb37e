"""Batches of a table with the cached output of the frozen encoder part, if it is available.

Shapes: B rows of a batch, T tokens, D width of the encoder.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate.utils import send_to_device
from datasets import Dataset
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import get_worker_info

from ..collator import MultiTaskCollator
from ..label_columns import targets_of_table
from .cache import PrefixCache
from .store import PrefixStore

# Keys of a batch: the states (B, T, D) that enter the first trainable layer, and the origin of the batch.
STATES, ORIGIN = "prefix_states", "prefix_origin"


class Origin:
    """The origin of a batch, to rebuild a batch that was prefetched before the frozen part changed.

    Args:
        rows: The table.
        indices: The row numbers of the batch.
        store: The store of the cached states in the batch.
    """

    def __init__(self, rows: "PrefixRows", indices: list[int], store: PrefixStore) -> None:
        self.rows, self.indices, self.store = rows, indices, store


class PrefixRows(TorchDataset):
    """A dataset that returns whole batches, each in a list of length 1, because their content changes during training.

    Batches hold only tokens if the cache was not prepared for the table. The same is true in the worker processes of a
    data loader, which have no access to the cache.

    Args:
        rows: The table.
        collate: Makes a batch of rows.
        cache: The cached output of the frozen part.
    """

    def __init__(self, rows: Dataset, collate: MultiTaskCollator, cache: PrefixCache) -> None:
        self.rows, self.collate, self.cache = rows, collate, cache
        self._embedded: tuple[PrefixStore, Tensor, dict[str, Any]] | None = None
        self._looked_up: tuple[PrefixStore, bool] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a worker process: without the cache, which holds the model."""
        return {**self.__dict__, "cache": None, "_embedded": None, "_looked_up": None}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        """Return one batch, in a list."""
        store = None if get_worker_info() else self.cache.store
        if store is None or not self._are_in(store):
            return [self.collated(indices)]
        if self.cache.prefix is None:
            embeddings, targets = self._all(store)
            chosen = torch.tensor(indices)
            batch: dict[str, Any] = {"embeddings": embeddings[chosen], **_rows_of(targets, chosen)}
        else:
            batch = self.collated(indices)
            keys, mask = self.cache.keys_of(self.rows), batch["attention_mask"].bool()
            states = torch.cat([store.states(keys[index]) for index in indices])  # without padding
            batch[STATES] = states.new_zeros(*mask.shape, states.shape[1]).masked_scatter(mask.unsqueeze(-1), states)
        batch[ORIGIN] = Origin(self, indices, store)
        return [batch]

    def collated(self, indices: list[int]) -> dict[str, Any]:
        """Return the batch of these rows, with their tokens."""
        return self.collate(self.rows.__getitems__(indices))

    def _are_in(self, store: PrefixStore) -> bool:
        if self._looked_up is None or self._looked_up[0] is not store:
            self._looked_up = store, not store.missing(self.cache.keys_of(self.rows))
        return self._looked_up[1]

    def _all(self, store: PrefixStore) -> tuple[Tensor, dict[str, Any]]:
        """Return the embeddings and targets of all rows, kept in memory: reading them per batch would be slow."""
        if self._embedded is None or self._embedded[0] is not store:
            keys = self.cache.keys_of(self.rows)
            targets = targets_of_table(self.rows, self.collate.config.tasks, self.collate.list_forms)
            self._embedded = store, torch.cat([store.states(key) for key in keys]), targets
        return self._embedded[1], self._embedded[2]


def _rows_of(targets: dict[str, Any], chosen: Tensor) -> dict[str, Any]:
    """Return the targets of these rows. Those of tasks are in a dict."""
    return {name: _rows_of(each, chosen) if isinstance(each, dict) else each[chosen] for name, each in targets.items()}


class HeadsAlone(nn.Module):
    """A wrapper that shows only the heads of a model whose encoder is skipped.

    The Trainer visits all modules and parameters several times at every step. For the whole model, this takes longer
    than the heads themselves.

    Args:
        model: The model, with or without adapters of peft.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.heads = model.heads
        self._whole = (model,)  # in a tuple, so that it is not a submodule

    def forward(self, **inputs: Any) -> Any:
        """Run the whole model."""
        return self._whole[0](**inputs)


def entering(batch: dict[str, Any], cache: PrefixCache | None) -> tuple[dict[str, Any], AbstractContextManager[None]]:
    """Return the arguments of a forward pass with a batch of `PrefixRows`, and the context manager for the pass.

    Args:
        batch: The batch, on the model's device. It is not changed.
        cache: The cache of the rows, if there is one.
    """
    inputs = dict(batch)
    states, origin = inputs.pop(STATES, None), inputs.pop(ORIGIN, None)
    if cache is None or origin is None:
        return inputs, nullcontext()
    if origin.store is not cache.store:  # prefetched before the frozen part changed
        return send_to_device(origin.rows.collated(origin.indices), cache.model.device), nullcontext()
    if cache.accelerator.mixed_precision == "no":  # the model itself may be in half precision
        inputs |= {name: each.to(cache.model.dtype) for name, each in inputs.items() if name == "embeddings"}
        states = None if states is None else states.to(cache.model.dtype)
    return inputs, nullcontext() if cache.prefix is None else cache.prefix.entered_with(states)


def first(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the batch, which is already collated, from its list."""
    return batches[0]
