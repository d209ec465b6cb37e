"""What a trained model looks like to those who load it."""

from .adapter import save_adapter
from .folder import save_folder

__all__ = ["save_adapter", "save_folder"]
