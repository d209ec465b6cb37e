"""Runs: from a recipe to a trained model in a folder."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .run import train

__all__ = ["train"]

__getattr__ = lazy_names(__name__, {"run": ["train"]})
