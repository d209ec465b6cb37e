"""The folder that anyone loads: weights, code, tokenizer and sentence-transformers files."""

import copy
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from ..modeling_multitask import MultiTaskModel


def save_folder(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Writes a Hub repository that loads without this package.

    Args:
        model: The trained model.
        tokenizer: Its tokenizer; saved with the model's one length limit. A tokenizer's file may carry limits of
            its own (that of all-MiniLM-L6-v2 cuts and pads every text to 128 tokens), which readers of the
            file alone would follow.
        folder: Made if it is not there.
    """
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, model.config.max_length, folder)


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, max_length: int | None, folder: str | Path) -> None:
    """Writes a tokenizer's files with one length limit, and without the path of this machine."""
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_max_length = max_length
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    for leftover in ("name_or_path", "is_local", "local_files_only", "max_length"):
        tokenizer.init_kwargs.pop(leftover, None)
    tokenizer.save_pretrained(folder)
