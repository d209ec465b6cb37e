"""What a trained model looks like to those who load it."""

from .folder import save_folder

__all__ = ["save_folder"]
