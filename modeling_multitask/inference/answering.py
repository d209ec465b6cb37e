"""Embeddings and answers for many texts, in their given order.

Shapes: N texts, D width of the encoder.
"""

from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..answers_multitask import answers
from ..hub_access import hub_access
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig, chosen_tasks
from ..texts_multitask import Text, each_text, is_one_text, read_text
from .frames import answer_frame, cells_of
from .graphs import GRAPHS, GraphEncoder
from .loading import load
from .text_encoder import ROWS_AT_ONCE, Outputs, TextEncoder

Backend = Literal["torch", "onnx", "openvino"]


def encode(  # noqa: PLR0913, as sentence-transformers has it
    model: MultiTaskModel | str,
    texts: Any,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    normalize_embeddings: bool = False,
    convert_to_numpy: bool = True,
    convert_to_tensor: bool = False,
    show_progress: bool = False,
    show_progress_bar: bool | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
    **settings: Any,
) -> Any:
    """Return the sentence embedding of one text or of each of several, which is the input of the heads.

    Args:
        model: A model, or its Hub id or folder.
        texts: The texts, as for `predict`.
        tokenizer: The tokenizer. By default the model's own.
        normalize_embeddings: Whether to scale each embedding to the length 1.
        convert_to_numpy: Whether to return one array. If false, the result is a list of tensors.
        convert_to_tensor: Whether to return one tensor on the model's device instead of an array.
        show_progress: Whether to show a progress bar.
        show_progress_bar: The name of `show_progress` in sentence-transformers.
        prompt_name: The name of one of the model's prompts, to put before each text instead of the default one.
        prompt: A text to put before each text, instead of a name. An empty text is no prompt.
        settings: `backend`, `dtype`, `tokens_per_batch` and `batch_size`, as for `text_encoder`.

    Returns:
        (D,) float32 for one text, and (N, D) for several.

    Raises:
        ValueError: If an input is not a text, the model has no such prompt, or a setting is not allowed.
        OSError: If the model is not found.

    Example:
        >>> from modeling_multitask.inference import encode
        >>> encode("runs/quickstart/model", ["Great soup."]).shape
        (1, 384)
    """
    given, is_one = _read(texts)
    encoder = text_encoder(model, tokenizer, prompt_name=prompt_name, prompt=prompt, **settings)
    show = show_progress or bool(show_progress_bar)
    if isinstance(encoder, TextEncoder):
        embeddings = encoder.encode(given, show_progress=show)[0]
    else:
        embeddings = encoder.run(given, show_progress=show).embeddings
    if normalize_embeddings:
        embeddings = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True).clip(min=1e-12)  # as torch does
    found: Any = embeddings
    if convert_to_tensor or not convert_to_numpy:
        found = torch.from_numpy(embeddings).to(encoder.device)
    if is_one:
        return found[0]
    return found if convert_to_numpy or convert_to_tensor else list(found)


def predict(
    model: MultiTaskModel | str,
    texts: Any,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    show_progress: bool = False,
    top_k: int | Literal["answer"] | None = "answer",
    tasks: list[str] | None = None,
    as_frame: bool = False,
    **settings: Any,
) -> Any:
    """Return every task's answer to one text or to each of several, in the format of the pipeline.

    Args:
        model: A model, or its Hub id or folder.
        texts: One text, a pair of texts as a tuple of two strings or a dict with `text` and `text_pair`, or several of
            these: a list or another iterable, a Series, a DataFrame with the column `text` (and `text_pair` for pairs),
            or a `datasets` data set with these columns. They need not be sorted by length.
        tokenizer: The tokenizer. By default the model's own.
        show_progress: Whether to show a progress bar.
        top_k: The number of labels to return for each task, as in the pipeline, or `None` for all labels. By default
            only the answer.
        tasks: The names of the tasks to answer. By default all.
        as_frame: Whether to return a DataFrame with the columns that `multitask predict` adds: `<task>` and
            `<task>_score`. A multi-label task has lists, and a regression has only its number. The index of a Series
            or DataFrame is kept, and texts of polars give a DataFrame of polars.
        settings: `backend`, `dtype`, `tokens_per_batch` and `batch_size`, as for `text_encoder`.

    Returns:
        For one text a dictionary with the answer of each task, and a list of these for several texts. A DataFrame with
        a row for each text if `as_frame`.

    Raises:
        ValueError: If an input is not a text, a task is unknown, or a setting is not allowed. The message about an
            input has its place in the list, counted from 0.
        OSError: If the model is not found.

    Example:
        >>> from modeling_multitask.inference import predict
        >>> answers = predict("runs/quickstart/model", ["Great soup.", "Never again."])
        >>> sorted(answers[0])
        ['domain', 'sentiment']
    """
    if as_frame and top_k != "answer":
        raise ValueError(f"as_frame has one column for each answer, but top_k is {top_k!r}; leave top_k out")
    given, is_one = _read(texts)
    encoder = text_encoder(model, tokenizer, **settings)
    chosen = chosen_tasks(encoder.tasks, tasks)
    outputs = encoder.run(given, show_progress=show_progress)
    every = answers_of(outputs, encoder.tasks, **({} if top_k == "answer" else {"top_k": top_k}))
    found = [{task.name: each[task.name] for task in chosen} for each in every]
    if as_frame:
        return answer_frame(found, chosen, texts)
    return found[0] if is_one else found


def _read(texts: Any) -> tuple[list[Text], bool]:
    """Return the texts as a list, and whether only one was given, not a list."""
    if is_one_text(texts):
        return [read_text(texts)], True
    return list(each_text(cells_of(texts))), False


def text_encoder(  # noqa: PLR0913, as sentence-transformers has it
    model: MultiTaskModel | str,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    backend: Backend = "torch",
    dtype: torch.dtype | str = "auto",
    tokens_per_batch: int | None = None,
    batch_size: int | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
) -> TextEncoder | GraphEncoder:
    """Return an encoder that runs a model on many texts.

    Args:
        model: A model, or its Hub id or folder.
        tokenizer: The tokenizer. By default the model's own.
        backend: The runtime: torch, or the graph that `multitask export` wrote into the model's folder.
        dtype: The dtype of the encoder in torch. `auto` is bfloat16 where the processor has units for it: scores then
            differ from those of the pipeline by up to about 0.01. `float32` gives those of the pipeline.
        tokens_per_batch: The most tokens of a forward pass in torch.
        batch_size: The most texts of a forward pass. In torch, `tokens_per_batch` holds as well.
        prompt_name: The name of one of the model's prompts, to put before each text instead of the default one.
        prompt: A text to put before each text, instead of a name.

    Raises:
        ValueError: If the backend or the prompt is unknown, or a setting is not allowed for the backend.
        OSError: If the model or its graph is not found.
        ImportError: If the backend is not installed.
    """
    if backend == "torch":
        if isinstance(model, str):
            model, own = load(model)
            tokenizer = own if tokenizer is None else tokenizer
        elif tokenizer is None:
            with hub_access(model.name_or_path):
                tokenizer = AutoTokenizer.from_pretrained(model.name_or_path)
        limits = {"tokens_per_batch": tokens_per_batch, "batch_size": batch_size}
        return TextEncoder(model, tokenizer, dtype=dtype, prompt_name=prompt_name, prompt=prompt, **limits)
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
    return GraphEncoder(model, backend, batch_size=batch_size, prompt_name=prompt_name, prompt=prompt)


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
