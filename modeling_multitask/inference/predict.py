"""Texts through a model in batches of similar length, in the order they were given.

Shapes: N texts, D width of the encoder.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..answers_multitask import answers
from ..configuration_multitask import MultiTaskConfig
from ..modeling_multitask import MultiTaskModel, MultiTaskOutput, resolve_model_path
from ..pipeline_multitask import DEFAULT_BATCH_SIZE

Text = str | tuple[str, str]


def load(model: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """A trained model, on the accelerator if there is one, and its tokenizer.

    Args:
        model: Hub id, folder, or `package:NAME/FOLDER`.

    Raises:
        OSError: If there is no such model, or its weights are not safetensors.
    """
    path = resolve_model_path(model)
    try:
        kind = MultiTaskConfig.get_config_dict(path)[0].get("model_type")
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"{model}: no such folder, nor a model that the Hub gives ({reason})") from error
    if kind != MultiTaskConfig.model_type:
        found = f"its config.json says model_type {kind!r}" if kind else "it has no config.json"
        raise FileNotFoundError(f"{model}: not a multi-task model ({found})")
    # A stranger's folder runs no code: no pickle is read, and no tokenizer of its own.
    loaded: Any = MultiTaskModel.from_pretrained(path, use_safetensors=True)
    return to_accelerator(loaded), AutoTokenizer.from_pretrained(path, trust_remote_code=False)


def to_accelerator(model: Any) -> MultiTaskModel:
    """The model, on the accelerator if there is one."""
    return model.to(torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu")


def encode(
    model: MultiTaskModel | str,
    texts: Iterable[Text],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    show_progress: bool = False,
) -> np.ndarray:
    """The sentence embedding of each text, as the heads see it.

    Args:
        model: A model, or where to load one from.
        texts: The texts, in any order of length; or pairs of texts, each a tuple.
        tokenizer: The model's own if left out.
        batch_size: Texts in one forward pass.
        show_progress: Whether to show a bar.

    Returns:
        (N, D), float32.
    """
    model, tokenizer = _loaded(model, tokenizer)
    texts = list(texts)
    rows = run_batches(
        model,
        tokenizer,
        texts,
        lambda output: output.embeddings.float().cpu(),
        batch_size=batch_size,
        show_progress=show_progress,
    )
    return torch.stack(rows).numpy() if rows else np.empty((0, model.config.hidden_size), dtype=np.float32)


def predict(
    model: MultiTaskModel | str,
    texts: Iterable[Text],
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    show_progress: bool = False,
    **top_k: int | None,
) -> list[dict[str, Any]]:
    """Every task's answer to each text, equal to those of the pipeline.

    Args:
        model: A model, or where to load one from.
        texts: The texts, in any order of length; or pairs of texts, each a tuple.
        tokenizer: The model's own if left out.
        batch_size: Texts in one forward pass.
        show_progress: Whether to show a bar.
        top_k: `top_k=n` or `top_k=None`, as for the pipeline.
    """
    model, tokenizer = _loaded(model, tokenizer)
    tasks = model.config.tasks

    def read(output: MultiTaskOutput) -> list[dict[str, Any]]:
        return answers({name: logits.cpu() for name, logits in output.logits.items()}, tasks, **top_k)

    return run_batches(model, tokenizer, list(texts), read, batch_size=batch_size, show_progress=show_progress)


def run_batches(
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: list[Text],
    read: Callable[[MultiTaskOutput], Iterable[Any]],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    show_progress: bool = False,
) -> list[Any]:
    """What `read` makes of each text's row in the model's output; in eval mode, without gradients.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        texts: N texts, or pairs of texts.
        read: Makes one result for each row of a batch.
        batch_size: Texts in one forward pass.
        show_progress: Whether to show a bar.

    Returns:
        N results, in the order of the texts.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), tqdm(total=len(texts), unit=" texts", disable=not show_progress) as bar:
            results: list[Any] = [None] * len(texts)
            for rows, batch in _batches(model, tokenizer, texts, batch_size):
                for row, result in zip(rows, read(model(**batch)), strict=True):
                    results[row] = result
                bar.update(len(rows))
            return results
    finally:
        if was_training:
            model.train()


def _loaded(
    model: MultiTaskModel | str, tokenizer: PreTrainedTokenizerBase | None
) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    if isinstance(model, str):
        return load(model)
    return model, AutoTokenizer.from_pretrained(model.name_or_path) if tokenizer is None else tokenizer


def _batches(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, texts: list[Text], batch_size: int
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Row numbers and their padded batch, the longest texts first: if memory is short, it fails at once."""
    if not texts:
        return
    encoded = tokenizer(texts, truncation=True, max_length=model.config.max_length)
    order = sorted(range(len(texts)), key=lambda row: len(encoded["input_ids"][row]), reverse=True)
    for start in range(0, len(texts), batch_size):
        rows = order[start : start + batch_size]
        columns = {name: [values[row] for row in rows] for name, values in encoded.items()}
        batch = tokenizer.pad(columns, return_tensors="pt")
        yield rows, {name: tensor.to(model.device) for name, tensor in batch.items()}
