"""The answers of a teacher on disk, by text, so that a fold or a later run on the same texts does not ask it again.

Shapes: N texts, L labels of the teacher.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from datasets import config as datasets_config
from tqdm import tqdm
from transformers.utils import logging

from ..inference.shards import Process
from ..texts_multitask import Text
from ..training.prefix.store import PrefixStore
from .teacher_sources import ModelTeacher

logger = logging.get_logger(__name__)

FOLDER = "multitask_teachers"  # in the cache of data sets
AT_ONCE = 2_000  # texts whose answers are written together

_FORMAT = 1  # of keys and answers; a new number makes the files on disk invalid


class CachedSource:
    """A model that teaches, whose answers are read from disk if they are there.

    Args:
        source: The model.
    """

    def __init__(self, source: ModelTeacher) -> None:
        self.source = source
        self._stores: dict[str, PrefixStore] = {}

    def answers(self, texts: Sequence[Text], keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the answers by key, (N, L) float32, NaN without one. Those that are not on disk are computed."""
        self.complete(texts, keys)
        return {key: self._stored(key, texts) for key in keys}

    def complete(
        self, texts: Sequence[Text], keys: Sequence[str], report: Callable[[int], object] | None = None
    ) -> None:
        """Compute the answers that are not on disk.

        Args:
            texts: The texts.
            keys: The keys of the answers.
            report: Called with the number of texts after each part.
        """
        by_key = {_text_key(text): text for text in texts}
        missing = list(dict.fromkeys(each for key in keys for each in self._store(key).missing(by_key)))
        for start in range(0, len(missing), AT_ONCE):
            part = missing[start : start + AT_ONCE]
            found = self.source.answers([by_key[each] for each in part], keys)
            for key in keys:
                self._store(key).add(part, torch.from_numpy(found[key].astype(np.float32)).split(1))
            if report is not None:
                report(len(part))

    def refresh(self) -> None:
        """Read the answers that other processes have written."""
        for store in self._stores.values():
            store.refresh()

    @cached_property
    def _digest(self) -> str:
        return self.source.digest()

    def _store(self, key: str) -> PrefixStore:
        if key not in self._stores:
            name = hashlib.blake2b(repr((_FORMAT, self._digest, key)).encode(), digest_size=16).hexdigest()
            folder = Path(datasets_config.HF_DATASETS_CACHE) / FOLDER / name
            self._stores[key] = PrefixStore(folder, self.source.width(key), torch.float32)
            self._stores[key].refresh()
        return self._stores[key]

    def _stored(self, key: str, texts: Sequence[Text]) -> np.ndarray:
        store = self._store(key)
        found = np.empty((len(texts), store.width), np.float32)
        for row, text in enumerate(texts):
            found[row] = store.states(_text_key(text))
        return found


def ask_together(
    source: CachedSource,
    keys: Sequence[str],
    texts: Sequence[Text],
    *,
    name: str,
    process: Process,
    show_progress: bool = False,
) -> None:
    """Compute the answers that are not on disk. Each process computes a share, and the rest if the disk is not shared.

    A process therefore waits only for shares of the same size. Logs the number of truncated texts.

    Args:
        source: The model.
        keys: The keys of the answers.
        texts: The texts.
        name: The name of the model.
        process: This process.
        show_progress: Whether to show a progress bar.
    """
    distinct = list(dict.fromkeys(texts))
    for share in (distinct[process.index :: process.count], distinct)[: min(process.count, 2)]:
        with tqdm(total=len(share), unit=" texts", desc=f"Teacher {name}", disable=not show_progress) as bar:
            source.complete(share, keys, bar.update)
        process.meet()
        source.refresh()
    if cut := source.source.cut:
        logger.warning(
            f"The teacher {name}: {cut:,} texts have more than {source.source.max_length:,} tokens; it reads only "
            "their beginning"
        )


def _text_key(text: Text) -> str:
    """Return a hash of a text or a pair of texts."""
    return hashlib.blake2b(repr(text).encode(), digest_size=16).hexdigest()
