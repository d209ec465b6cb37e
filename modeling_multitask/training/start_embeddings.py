"""The embeddings of a table's texts before training. They are computed once and cached with the rows.

Shapes: N rows of a table, B rows of a batch, D width of the encoder.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from ..inference import encode
from ..inference.tensor_digest import add_tensors, add_tokenizer
from ..modeling_multitask import MultiTaskModel
from ..texts_multitask import Text
from .mapped_texts import map_texts

logger = logging.get_logger(__name__)

EMBEDDING = "embedding"  # the column in the cache of `datasets`
START = "start_embedding"  # the column of training rows, and the key of a batch


def embedded_rows(
    rows: Mapping[str, Dataset],
    model: MultiTaskModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    purpose: str,
) -> dict[str, Dataset]:
    """Return a table with the column `embedding`, (N, D), for each table: the embeddings of its texts, in eval mode.

    They are cached with the rows, for other runs on the same rows that start from the same weights.

    Args:
        rows: Tables with `text`, and maybe `text_pair`, by name.
        model: The model, with or without adapters of peft. It is not changed.
        tokenizer: The tokenizer of the model.
        purpose: The first word of the progress bar, such as `Baseline`.

    Raises:
        RowError: If a text is not a string.
    """
    model = model.get_base_model() if isinstance(model, PeftModel) else model
    key, began, computed = _digest(model, tokenizer), time.perf_counter(), 0

    def embed(texts: Sequence[Text]) -> dict[str, np.ndarray]:
        nonlocal computed
        computed += len(texts)
        return {EMBEDDING: encode(model, texts, tokenizer=tokenizer)}

    found = {
        name: map_texts(each, embed, keys=[EMBEDDING], digest=key, desc=f"{purpose}: embedding the {name} rows")
        for name, each in rows.items()
    }
    if computed:
        logger.warning(f"{purpose}: {computed:,} texts were embedded in {time.perf_counter() - began:.0f} s.")
    return found


def embeddings_of(embedded: Dataset) -> np.ndarray:
    """Return the embeddings of a table of `embedded_rows`, (N, D)."""
    return embedded.with_format("numpy")[:][EMBEDDING]


def with_start_embeddings(
    rows: Dataset, model: MultiTaskModel | PeftModel, tokenizer: PreTrainedTokenizerBase
) -> Dataset:
    """Return the training rows with the column `start_embedding`, (N, D).

    Args:
        rows: The training rows, with `text`.
        model: The model before training.
        tokenizer: The tokenizer of the model.

    Raises:
        RowError: If a text is not a string.
    """
    found = embedded_rows({"train": rows}, model, tokenizer, purpose="keep_embedding")["train"]
    return concatenate_datasets([rows, found.rename_column(EMBEDDING, START)], axis=1)


def start_embeddings_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Return the start embeddings of the rows of a batch, (B, D), under their key; nothing if the rows have none."""
    if not rows or START not in rows[0]:
        return {}
    return {START: torch.tensor(np.array([row[START] for row in rows], dtype=np.float32))}


def _digest(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a hash of the encoder, its tokenizer, and of what makes embeddings from its states."""
    config = model.config
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr([config.embedding_words, config.prompt, config.max_length, config.long_texts]).encode())
    digest.update(config.backbone_config.to_json_string(use_diff=False).encode())
    add_tokenizer(digest, tokenizer)
    add_tensors(digest, (*model.backbone.state_dict().values(), *model.dense.state_dict().values()))
    return digest.hexdigest()
