"""The rows of a table as batches that start behind the frozen part of the encoder, where that is known.

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
from .cache import PrefixCache
from .store import PrefixStore

# What a batch calls the states (B, T, D) that enter the first layer that trains; and where it comes from.
STATES, ORIGIN = "prefix_states", "prefix_origin"


class Origin:
    """Where a batch comes from; one that was fetched before the frozen part became another is made anew.

    Args:
        rows: The table.
        indices: The numbers of its rows.
        store: What the batch starts from.
    """

    def __init__(self, rows: "PrefixRows", indices: list[int], store: PrefixStore) -> None:
        self.rows, self.indices, self.store = rows, indices, store


class PrefixRows(TorchDataset):
    """Gives whole batches, each in a list of its own, since what they hold changes as training goes on.

    A process that only loads data does not hear of that, and its batches hold tokens alone; so do those of a table that
    the cache was not prepared for.

    Args:
        rows: The table.
        collate: Makes a batch of rows.
        cache: Knows what leaves the frozen part.
    """

    def __init__(self, rows: Dataset, collate: MultiTaskCollator, cache: PrefixCache) -> None:
        self.rows, self.collate, self.cache = rows, collate, cache
        self._embedded: tuple[PrefixStore, Tensor, dict[str, Tensor]] | None = None
        self._looked_up: tuple[PrefixStore, bool] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For a process that loads data: without the cache, which holds the model."""
        return {**self.__dict__, "cache": None, "_embedded": None, "_looked_up": None}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        """One batch."""
        store = None if get_worker_info() else self.cache.store
        if store is None or not self._are_in(store):
            return [self.collated(indices)]
        if self.cache.prefix is None:
            embeddings, labels = self._all(store)
            chosen = torch.tensor(indices)
            own = {name: each[chosen] for name, each in labels.items()}
            batch: dict[str, Any] = {"embeddings": embeddings[chosen], "labels": own}
        else:
            batch = self.collated(indices)
            keys, mask = self.cache.keys_of(self.rows), batch["attention_mask"].bool()
            states = torch.cat([store.states(keys[index]) for index in indices])  # without padding
            batch[STATES] = states.new_zeros(*mask.shape, states.shape[1]).masked_scatter(mask.unsqueeze(-1), states)
        batch[ORIGIN] = Origin(self, indices, store)
        return [batch]

    def collated(self, indices: list[int]) -> dict[str, Any]:
        """The batch of these rows, with their tokens."""
        return self.collate(self.rows.__getitems__(indices))

    def _are_in(self, store: PrefixStore) -> bool:
        if self._looked_up is None or self._looked_up[0] is not store:
            self._looked_up = store, not store.missing(self.cache.keys_of(self.rows))
        return self._looked_up[1]

    def _all(self, store: PrefixStore) -> tuple[Tensor, dict[str, Tensor]]:
        """The embeddings and labels of all rows; a frozen encoder trains so fast that fetching them would be felt."""
        if self._embedded is None or self._embedded[0] is not store:
            keys = self.cache.keys_of(self.rows)
            names = [task.name for task in self.collate.config.tasks if task.name in self.rows.column_names]
            labels = self.collate.labels_of(list(self.rows.select_columns(names)) if names else [{}] * len(self.rows))
            self._embedded = store, torch.cat([store.states(key) for key in keys]), labels
        return self._embedded[1], self._embedded[2]


class HeadsAlone(nn.Module):
    """A model whose encoder rests, with its heads alone to walk through.

    The Trainer walks through all modules and parameters several times at every step, which takes longer than the heads.

    Args:
        model: The model, which peft may have wrapped.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.heads = model.heads
        self._whole = (model,)  # no module of this one

    def forward(self, **inputs: Any) -> Any:
        """As the model's."""
        return self._whole[0](**inputs)


def entering(batch: dict[str, Any], cache: PrefixCache | None) -> tuple[dict[str, Any], AbstractContextManager[None]]:
    """The arguments of a forward pass with a batch of `PrefixRows`, and what must be entered for the pass.

    Args:
        batch: On the model's device; left as it is.
        cache: That of the rows, if there is one.
    """
    inputs = dict(batch)
    states, origin = inputs.pop(STATES, None), inputs.pop(ORIGIN, None)
    if cache is None or origin is None:
        return inputs, nullcontext()
    if origin.store is not cache.store:  # fetched before the frozen part became another
        return send_to_device(origin.rows.collated(origin.indices), cache.model.device), nullcontext()
    if cache.accelerator.mixed_precision == "no":  # the model itself may be in half precision
        inputs |= {name: each.to(cache.model.dtype) for name, each in inputs.items() if name == "embeddings"}
        states = None if states is None else states.to(cache.model.dtype)
    return inputs, nullcontext() if cache.prefix is None else cache.prefix.entered_with(states)


def first(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """What is collated already, out of its list."""
    return batches[0]
