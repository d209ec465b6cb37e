"""A hash of weights and tokenizers, for caches of what a model computes."""

import json
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase


class Digest(Protocol):
    """A hash of `hashlib` that is not finished."""

    def update(self, data: memoryview | bytes, /) -> None:
        """Add bytes."""


def add_tensors(digest: Digest, tensors: Iterable[Tensor]) -> None:
    """Add the bytes of each tensor to a hash. Its name, shape and type are not part of it."""
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def add_tokenizer(digest: Digest, tokenizer: PreTrainedTokenizerBase) -> None:
    """Add everything that the tokens of a text depend on to a hash, except the maximum length."""
    if tokenizer.is_fast:
        words = json.loads(tokenizer.backend_tokenizer.to_str())
        words |= {"truncation": None, "padding": None}  # left by the last call
    else:
        words = {"type": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
        words["special"] = {name: str(each) for name, each in tokenizer.special_tokens_map.items()}
    digest.update(json.dumps([words, tokenizer.truncation_side], sort_keys=True).encode())
