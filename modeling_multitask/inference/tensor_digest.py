"""A hash of tensors, for caches of what a model computes."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor


class Digest(Protocol):
    """A hash of `hashlib` that is not finished."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""


def add_tensors(digest: Digest, tensors: Iterable[Tensor]) -> None:
    """Add the bytes of each tensor to a hash. Its name, shape and type are not part of it."""
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
