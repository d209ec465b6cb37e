"""Embeddings and answers for many texts, in the order they were given.

Shapes: N texts, D width of the encoder.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..answers_multitask import answers
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from .batches import Text
from .graphs import GRAPHS, GraphEncoder
from .loading import load
from .text_encoder import ROWS_AT_ONCE, Outputs, TextEncoder

Backend = Literal["torch", "onnx", "openvino"]


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
        settings: `backend`, `dtype` and `tokens_per_batch`, as for `text_encoder`.

    Returns:
        (N, D), float32.
    """
    encoder = text_encoder(model, tokenizer, **settings)
    if isinstance(encoder, TextEncoder):
        return encoder.encode(list(texts), show_progress=show_progress)[0]
    return encoder.run(list(texts)).embeddings


def predict(
    model: MultiTaskModel | str,
    texts: Iterable[Text],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    show_progress: bool = False,
    top_k: int | Literal["answer"] | None = "answer",
    **settings: Any,
) -> list[dict[str, Any]]:
    """Every task's answer to each text, as the pipeline gives them.

    Args:
        model: A model, or where to load one from.
        texts: The texts, in any order of length; or pairs of texts, each a tuple.
        tokenizer: The model's own if left out.
        show_progress: Whether to show a bar.
        top_k: As for the pipeline, that many labels of each task, `None` for all; left out, the answer alone.
        settings: `backend`, `dtype` and `tokens_per_batch`, as for `text_encoder`.
    """
    encoder = text_encoder(model, tokenizer, **settings)
    outputs = encoder.run(list(texts), show_progress=show_progress)
    return answers_of(outputs, encoder.tasks, **({} if top_k == "answer" else {"top_k": top_k}))


def text_encoder(
    model: MultiTaskModel | str,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    backend: Backend = "torch",
    dtype: torch.dtype | str = "auto",
    tokens_per_batch: int | None = None,
) -> TextEncoder | GraphEncoder:
    """A model that is ready for many texts.

    Args:
        model: A model, or where to load one from.
        tokenizer: The model's own if left out.
        backend: What runs it: torch, or a graph that `multitask export` has written into the model's folder.
        dtype: What the encoder computes in, by torch; see [`TextEncoder`].
        tokens_per_batch: Most tokens of a forward pass by torch.

    Raises:
        ValueError: If there is no such backend, or it cannot do what is asked of it.
        OSError: If there is no such model, or no graph of it.
        ImportError: If the backend is not installed.
    """
    if backend == "torch":
        if isinstance(model, str):
            model, own = load(model)
            tokenizer = own if tokenizer is None else tokenizer
        elif tokenizer is None:
            tokenizer = AutoTokenizer.from_pretrained(model.name_or_path)
        return TextEncoder(model, tokenizer, dtype=dtype, tokens_per_batch=tokens_per_batch)
    if backend not in GRAPHS:
        raise ValueError(f"backend is {backend!r}; it must be torch, {' or '.join(GRAPHS)}")
    if not isinstance(model, str):
        raise ValueError(
            f"backend is {backend!r}, whose graph lies in a folder; name the folder and not a loaded model"
        )
    if dtype != "auto" or tokens_per_batch is not None or tokenizer is not None:
        raise ValueError(f"backend is {backend!r}: dtype, tokens_per_batch and tokenizer are the graph's own")
    return GraphEncoder(model, backend)


def answers_of(outputs: Outputs, tasks: list[TaskConfig], **top_k: int | None) -> list[dict[str, Any]]:
    """The labelled answers to all tasks, a dict by task name for each row.

    Args:
        outputs: Of N texts.
        tasks: The model's, in order.
        top_k: As for `answers`.
    """
    found: list[dict[str, Any]] = []
    # A label that depends on another has a score for each pair of the two: of many rows, many gigabytes.
    for start in range(0, len(outputs.embeddings), ROWS_AT_ONCE):
        part = {name: torch.from_numpy(each[start : start + ROWS_AT_ONCE]) for name, each in outputs.logits.items()}
        found += answers(part, tasks, **top_k)
    return found
