"""What leaves the frozen part of an encoder, computed once for each text, so that epochs start where training begins.

Where the whole encoder is frozen that is the pooled embedding, else the states that enter its first layer that trains.

Shapes: N rows of a table, T tokens of a row, D width of the encoder, the lowest K of whose layers are frozen.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

import torch
from accelerate import Accelerator
from datasets import Dataset
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from ...modeling_multitask import MultiTaskModel
from ..parameter_groups import parameter_depths
from .caching import PrefixCaching
from .frozen import FrozenPrefix, frozen_layers
from .states import frozen_states, table_windows, text_key
from .store import PrefixStore, make_room

logger = logging.get_logger(__name__)

_FORMAT = 2  # of keys and segments; another number makes what is on disk stale


class PrefixCache:
    """Knows what leaves the frozen part of a model for every row, once it was prepared; until then it is false.

    Args:
        caching: Where it is kept.
        model: The model, which peft may have wrapped.
        tokenizer: Its tokenizer.
        accelerator: Of the run, whose processes share the work.
    """

    def __init__(
        self,
        caching: PrefixCaching,
        model: MultiTaskModel,
        tokenizer: PreTrainedTokenizerBase,
        accelerator: Accelerator,
    ) -> None:
        self.caching, self.model, self.tokenizer, self.accelerator = caching, model, tokenizer, accelerator
        self.prefix: FrozenPrefix | None = None  # `None` where the whole encoder is frozen
        self.store: PrefixStore | None = None
        self._keys: dict[str, list[str]] = {}  # of each table by its fingerprint
        self._lengths: dict[str, int] = {}  # the tokens of a text by its key

    def __bool__(self) -> bool:
        return self.store is not None

    def forget(self) -> None:
        """Every pass goes through the whole encoder again."""
        self.prefix = self.store = None

    def keys_of(self, rows: Dataset) -> list[str]:
        """The key of each of N rows."""
        name = rows._fingerprint
        if name not in self._keys:
            texts = chain.from_iterable(table_windows(rows, self.tokenizer, self.model.config))
            lengths = [(text_key(text), sum(map(len, text["input_ids"]))) for text in texts]
            self._keys[name] = [key for key, _ in lengths]
            self._lengths.update(lengths)
        return self._keys[name]

    def prepare(self, tables: Sequence[Dataset], *, show_progress: bool = False) -> None:
        """Computes what is not there yet for the rows of these tables, if the model is frozen so that it pays.

        A warning says where it cannot be done: the encoder cannot be entered in the middle, or there is no room.

        Args:
            tables: With `input_ids`, or a `text`.
            show_progress: Whether to show a bar, with the size of it all.
        """
        self.forget()
        layers, top = frozen_layers(self.model), parameter_depths(self.model)[1]
        if not layers:
            return
        try:
            prefix = None if layers == top else self._enter(layers)
            store = self._store(prefix, layers)
            size = sum(store.bytes_of(self._vectors(self.keys_of(rows), prefix)) for rows in tables)
            if size > self.caching.limit:
                needs = f"{size / 2**30:.2g} GiB, and prefix_cache.gigabytes is {self.caching.gigabytes:g}"
                raise ValueError(f"what leaves them needs {needs}")
            what = "the encoder" if prefix is None else f"layers 0 to {layers - 1}"
            with tqdm(unit=" texts", disable=not show_progress) as bar:
                bar.set_description(f"Frozen, computed once: {what}, {size / 2**20:,.1f} MiB")
                self._complete(prefix, store, tables, bar)
        except (ValueError, OSError) as error:
            logger.warning(f"Frozen layers are computed in every epoch: {error}")
            return
        self.prefix, self.store = prefix, store

    def _enter(self, layers: int) -> FrozenPrefix:
        if self.model.config.long_texts == "windows":
            raise ValueError("long texts are read in windows, which only a wholly frozen encoder allows for")
        return FrozenPrefix(self.model, layers)

    def _store(self, prefix: FrozenPrefix | None, layers: int) -> PrefixStore:
        """The store of this frozen part: another weight, depth, precision or pooling has another."""
        depths, _ = parameter_depths(self.model)
        config, precision = self.model.config, self.accelerator.mixed_precision
        digest = hashlib.blake2b(digest_size=16)
        pooling = (config.pooling, config.normalize) if prefix is None else None
        digest.update(repr((_FORMAT, layers, precision, pooling)).encode())
        digest.update(config.backbone_config.to_json_string(use_diff=False).encode())
        for name, parameter in self.model.named_parameters():
            if depths[name] <= layers:
                numbers = parameter.detach().cpu().contiguous().flatten()
                digest.update(numbers.view(torch.uint8).numpy().data)
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        dtype = torch.float32 if prefix is None else half
        return PrefixStore(self.caching.root / digest.hexdigest(), config.hidden_size, dtype)

    def _vectors(self, keys: Sequence[str], prefix: FrozenPrefix | None) -> int:
        """How many vectors of width D the texts of these keys have."""
        return len(keys) if prefix is None else sum(self._lengths[key] for key in keys)

    def _complete(self, prefix: FrozenPrefix | None, store: PrefixStore, tables: Sequence[Dataset], bar: tqdm) -> None:
        """Each process computes its share; then all of them what is missing still, where disks are not shared."""
        keys = {key for rows in tables for key in self.keys_of(rows)}
        self._together(store.refresh)
        missing = store.missing(keys)
        if not self._anywhere(bool(missing)):
            return
        if self.accelerator.is_main_process:
            needed = store.bytes_of(self._vectors(missing, prefix))
            make_room(self.caching.root, needed, self.caching.limit, own=store.folder)
        processes, own = self.accelerator.num_processes, self.accelerator.process_index
        for share in (slice(own, None, processes), slice(None))[: min(processes, 2)]:
            self._together(partial(self._add_all, prefix, store, tables, share, bar))
            self._together(store.refresh)
        if self._anywhere(bool(store.missing(keys))):
            raise OSError("a part of what leaves them is gone already")

    def _together(self, work: Callable[[], None]) -> None:
        """Where it fails in one process it fails in all, or they would wait for each other."""
        failure: OSError | None = None
        try:
            work()
        except OSError as error:
            failure = error
        if self._anywhere(failure is not None):
            raise failure or OSError("another process could not keep what leaves them")

    def _anywhere(self, found: bool) -> bool:
        """Whether any process has found it so: they go on together, or the one would wait for the other."""
        number = torch.tensor(int(found), device=self.accelerator.device)
        return bool(self.accelerator.reduce(number, reduction="sum") > 0)

    def _add_all(
        self, prefix: FrozenPrefix | None, store: PrefixStore, tables: Sequence[Dataset], share: slice, bar: tqdm
    ) -> None:
        for texts in chain.from_iterable(table_windows(rows, self.tokenizer, self.model.config) for rows in tables):
            by_key = {text_key(text): text for text in texts}
            missing = store.missing(by_key)[share]
            if missing:
                chosen = [by_key[key] for key in missing]
                store.add(missing, frozen_states(self.model, prefix, chosen, self.tokenizer, self.accelerator))
            bar.update(len(texts))
