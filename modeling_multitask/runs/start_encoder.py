"""The encoder of a recipe before training."""

from dataclasses import replace

import torch
from transformers import PreTrainedTokenizerBase

from .. import MultiTaskModel, TaskConfig
from ..recipes.recipe import Recipe
from .start import build_model, load_start


def with_own_words(recipe: Recipe) -> Recipe:
    """Return the recipe with the encoder's own pooling, prompt and normalisation."""
    return replace(recipe, pooling=None, normalize=None, prompt_name=None, prompt=None)


def start_encoder(
    recipe: Recipe, tasks: list[TaskConfig], device: torch.device
) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Return the untrained model of a recipe, without adapters, and its tokenizer.

    Args:
        recipe: The recipe, with the encoder.
        tasks: The tasks of the model.
        device: Where the encoder runs.
    """
    plain = replace(recipe, lora=None)
    trained, tokenizer = load_start(plain)
    return build_model(plain, tasks, tokenizer, trained).to(device), tokenizer
