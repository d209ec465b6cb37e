"""Save a model as a folder with weights, code, tokenizer and sentence-transformers files."""

import copy
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from ..modeling_multitask import MultiTaskModel


def save_folder(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Write a Hub repository that loads without this package.

    Args:
        model: The trained model.
        tokenizer: Its tokenizer, which is saved with the model's maximum length. Other limits are removed. For
            example, the tokenizer file of all-MiniLM-L6-v2 truncates and pads every text to 128 tokens.
        folder: The folder, which is created if needed.
    """
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, model.config.max_length, folder)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, max_length: int | None, folder: str | Path) -> None:
    """Write a tokenizer's files with one maximum length and without local paths."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_max_length = max_length
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    for leftover in ("name_or_path", "is_local", "local_files_only", "max_length"):
        tokenizer.init_kwargs.pop(leftover, None)
    tokenizer.save_pretrained(folder)
