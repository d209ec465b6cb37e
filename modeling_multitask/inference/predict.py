"""Embeddings and answers for many texts, in the order they were given.

Shapes: N texts, D width of the encoder.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..answers_multitask import answers
from ..modeling_multitask import MultiTaskModel
from .batches import Text
from .loading import load
from .text_encoder import ROWS_AT_ONCE, Outputs, TextEncoder


def encode(
    model: MultiTaskModel | str,
    texts: Iterable[Text],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    show_progress: bool = False,
    **settings: Any,
) -> np.ndarray:
    """The sentence embedding of each text, as the heads see it.

    Args:
        model: A model, or where to load one from.
        texts: The texts, in any order of length; or pairs of texts, each a tuple.
        tokenizer: The model's own if left out.
        show_progress: Whether to show a bar.
        settings: `dtype` and `tokens_per_batch`, as for [`TextEncoder`].

    Returns:
        (N, D), float32.
    """
    model, tokenizer = _loaded(model, tokenizer)
    return TextEncoder(model, tokenizer, **settings).encode(list(texts), show_progress=show_progress)[0]


def predict(
    model: MultiTaskModel | str,
    texts: Iterable[Text],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    show_progress: bool = False,
    dtype: torch.dtype | str = "auto",
    tokens_per_batch: int | None = None,
    **top_k: int | None,
) -> list[dict[str, Any]]:
    """Every task's answer to each text, as the pipeline gives them.

    Args:
        model: A model, or where to load one from.
        texts: The texts, in any order of length; or pairs of texts, each a tuple.
        tokenizer: The model's own if left out.
        show_progress: Whether to show a bar.
        dtype: As for [`TextEncoder`].
        tokens_per_batch: Likewise.
        top_k: `top_k=n` or `top_k=None`, as for the pipeline.
    """
    model, tokenizer = _loaded(model, tokenizer)
    encoder = TextEncoder(model, tokenizer, dtype=dtype, tokens_per_batch=tokens_per_batch)
    return answers_of(encoder.run(list(texts), show_progress=show_progress), model, **top_k)


def answers_of(outputs: Outputs, model: MultiTaskModel, **top_k: int | None) -> list[dict[str, Any]]:
    """The labelled answers to all tasks, a dict by task name for each row."""
    tasks, found = model.config.tasks, []
    # A label that depends on another has a score for each pair of the two: of many rows, many gigabytes.
    for start in range(0, len(outputs.lengths), ROWS_AT_ONCE):
        part = {name: torch.from_numpy(each[start : start + ROWS_AT_ONCE]) for name, each in outputs.logits.items()}
        found += answers(part, tasks, **top_k)
    return found


def _loaded(
    model: MultiTaskModel | str, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    if isinstance(model, str):
        return load(model)
    return model, AutoTokenizer.from_pretrained(model.name_or_path) if tokenizer is None else tokenizer
