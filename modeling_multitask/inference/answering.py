"""Embeddings and answers for many texts, in their given order.

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
    """Return the sentence embedding of each text, which is the input of the heads.

    Args:
        model: A model, or its Hub id or folder.
        texts: The texts, or pairs of texts as tuples. They need not be sorted by length.
        tokenizer: The tokenizer. By default the model's own.
        show_progress: Whether to show a progress bar.
        settings: `backend`, `dtype` and `tokens_per_batch`, as for `text_encoder`.

    Returns:
        (N, D), float32.

    Raises:
        ValueError: If a setting is not allowed.
        OSError: If the model is not found.

    Example:
        >>> from modeling_multitask.inference import encode
        >>> encode("runs/quickstart/model", ["Great soup."]).shape
        (1, 384)
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
    """Return every task's answer to each text, in the format of the pipeline.

    Args:
        model: A model, or its Hub id or folder.
        texts: The texts, or pairs of texts as tuples. They need not be sorted by length.
        tokenizer: The tokenizer. By default the model's own.
        show_progress: Whether to show a progress bar.
        top_k: The number of labels to return for each task, as in the pipeline, or `None` for all labels. By default
            only the answer.
        settings: `backend`, `dtype` and `tokens_per_batch`, as for `text_encoder`.

    Returns:
        For each text `{task: {"label": ..., "score": ...}}`.

    Raises:
        ValueError: If a setting is not allowed.
        OSError: If the model is not found.

    Example:
        >>> from modeling_multitask.inference import predict
        >>> answers = predict("runs/quickstart/model", ["Great soup.", "Never again."])
        >>> sorted(answers[0])
        ['domain', 'sentiment']
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
    """Return an encoder that runs a model on many texts.

    Args:
        model: A model, or its Hub id or folder.
        tokenizer: The tokenizer. By default the model's own.
        backend: The runtime: torch, or the graph that `multitask export` wrote into the model's folder.
        dtype: The dtype of the encoder in torch. See [`TextEncoder`].
        tokens_per_batch: The most tokens of a forward pass in torch.

    Raises:
        ValueError: If the backend is unknown, or a setting is not allowed for it.
        OSError: If the model or its graph is not found.
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
            f"backend is {backend!r}, which reads a graph from a folder; give the folder instead of a loaded model"
        )
    if dtype != "auto" or tokens_per_batch is not None or tokenizer is not None:
        raise ValueError(
            f"backend is {backend!r}: dtype, tokens_per_batch and tokenizer are fixed by the graph; remove them"
        )
    return GraphEncoder(model, backend)


def answers_of(outputs: Outputs, tasks: list[TaskConfig], **top_k: int | None) -> list[dict[str, Any]]:
    """Return the answers to all tasks, for each row a dict by task name.

    Args:
        outputs: The outputs for N texts.
        tasks: The model's tasks, in order.
        top_k: As for `answers`.
    """
    found: list[dict[str, Any]] = []
    # A task that depends on another has a score for each pair of labels, which takes gigabytes for many rows.
    for start in range(0, len(outputs.embeddings), ROWS_AT_ONCE):
        part = {name: torch.from_numpy(each[start : start + ROWS_AT_ONCE]) for name, each in outputs.logits.items()}
        found += answers(part, tasks, **top_k)
    return found
