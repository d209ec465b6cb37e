"""The cache of a frozen encoder part: its output is computed once per text, and later epochs start from it.

If the whole encoder is frozen, the output is the pooled embedding. Otherwise, it is the hidden states that enter the
first trainable layer.

Shapes: N rows of a table, T tokens of a row, D width of the encoder, K frozen layers at the bottom.
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

from ...inference.tensor_digest import add_tensors
from ...modeling_multitask import MultiTaskModel
from ..parameter_groups import parameter_depths
from .caching import PrefixCaching
from .frozen import FrozenPrefix, frozen_layers
from .states import frozen_states, table_windows, text_key
from .store import PrefixStore, make_room

logger = logging.get_logger(__name__)

_FORMAT = 2  # of keys and segments; a new number makes the files on disk invalid


class PrefixCache:
    """The output of the frozen part of a model for every row. It is false until it is prepared.

    Args:
        caching: The folder and the size of the cache.
        model: The model, with or without adapters of peft.
        tokenizer: The tokenizer of the model.
        accelerator: The accelerator of the run, whose processes share the work.
    """

    def __init__(
        self,
        caching: PrefixCaching,
        model: MultiTaskModel,
        tokenizer: PreTrainedTokenizerBase,
        accelerator: Accelerator,
    ) -> None:
        self.caching, self.model, self.tokenizer, self.accelerator = caching, model, tokenizer, accelerator
        self.prefix: FrozenPrefix | None = None  # `None` if the whole encoder is frozen
        self.store: PrefixStore | None = None
        self._keys: dict[str, list[str]] = {}  # the keys of each table, by its fingerprint
        self._lengths: dict[str, int] = {}  # the number of tokens of each text, by its key

    def __bool__(self) -> bool:
        return self.store is not None

    def forget(self) -> None:
        """Stop using the cache: every pass runs the whole encoder again."""
        self.prefix = self.store = None

    def keys_of(self, rows: Dataset) -> list[str]:
        """Return the key of each of N rows."""
        name = rows._fingerprint
        if name not in self._keys:
            texts = chain.from_iterable(table_windows(rows, self.tokenizer, self.model.config))
            lengths = [(text_key(text), sum(map(len, text["input_ids"]))) for text in texts]
            self._keys[name] = [key for key, _ in lengths]
            self._lengths.update(lengths)
        return self._keys[name]

    def prepare(self, tables: Sequence[Dataset], *, show_progress: bool = False) -> None:
        """Compute the missing outputs for the rows of these tables, if the lowest layers are frozen.

        Logs a warning if this is not possible: the encoder cannot be started at a middle layer, or the disk or the
        cache is too small.

        Args:
            tables: Tables with `input_ids` or `text`.
            show_progress: Whether to show a progress bar with the size of the cached outputs.
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
                raise ValueError(f"their output needs {needs}; raise this limit, or set prefix_cache to false")
            what = "the encoder" if prefix is None else f"layers 0 to {layers - 1}"
            with tqdm(unit=" texts", disable=not show_progress) as bar:
                bar.set_description(f"Caching the output of {what} (frozen), {size / 2**20:,.1f} MiB")
                self._complete(prefix, store, tables, bar)
        except (ValueError, OSError) as error:
            logger.warning(f"Frozen layers are not cached, and run in every epoch: {error}")
            return
        self.prefix, self.store = prefix, store

    def _enter(self, layers: int) -> FrozenPrefix:
        if self.model.config.long_texts == "windows":
            raise ValueError("with long_texts 'windows', only a fully frozen encoder can be cached")
        return FrozenPrefix(self.model, layers)

    def _store(self, prefix: FrozenPrefix | None, layers: int) -> PrefixStore:
        """Return the store of this frozen part. Other weights, depths, precisions or poolings have other stores."""
        depths, _ = parameter_depths(self.model)
        config, precision = self.model.config, self.accelerator.mixed_precision
        digest = hashlib.blake2b(digest_size=16)
        words = config.embedding_words if prefix is None else None
        digest.update(repr((_FORMAT, layers, precision, words)).encode())
        digest.update(config.backbone_config.to_json_string(use_diff=False).encode())
        add_tensors(digest, (each for name, each in self.model.named_parameters() if depths[name] <= layers))
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
        dtype = torch.float32 if prefix is None else half
        width = config.embedding_size if prefix is None else config.hidden_size
        return PrefixStore(self.caching.root / digest.hexdigest(), width, dtype)

    def _vectors(self, keys: Sequence[str], prefix: FrozenPrefix | None) -> int:
        """Return the number of vectors of width D for the texts of these keys."""
        return len(keys) if prefix is None else sum(self._lengths[key] for key in keys)

    def _complete(self, prefix: FrozenPrefix | None, store: PrefixStore, tables: Sequence[Dataset], bar: tqdm) -> None:
        """Compute each process's share. If the disk is not shared, each process then computes the rest."""
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
            raise OSError("a part of their cached output was removed before it was used")

    def _together(self, work: Callable[[], None]) -> None:
        """Do the work in all processes. If one fails, all fail: otherwise, they would wait for each other."""
        failure: OSError | None = None
        try:
            work()
        except OSError as error:
            failure = error
        if self._anywhere(failure is not None):
            raise failure or OSError("another process could not write their output to disk")

    def _anywhere(self, found: bool) -> bool:
        """Return whether `found` is true in any process. All processes then decide alike, and none waits."""
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
