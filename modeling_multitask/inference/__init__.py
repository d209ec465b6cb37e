"""Embeddings and answers for many texts, with one pass for all tasks."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .answering import encode, predict

__all__ = ["encode", "predict"]

__getattr__ = lazy_names(__name__, {"answering": ["encode", "predict"]})
