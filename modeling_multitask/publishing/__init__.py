"""Cards and demos for trained models, and their upload to the Hub."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .card.trainer import trainer_card

__all__ = ["trainer_card"]

__getattr__ = lazy_names(__name__, {"card.trainer": ["trainer_card"]})
