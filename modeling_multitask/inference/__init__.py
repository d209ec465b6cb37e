"""Embeddings and answers for many texts, from one pass each."""

from .predict import encode, predict

__all__ = ["encode", "predict"]
