"""The encoder of a recipe before training, with its own pooling, prompt and normalisation."""

from dataclasses import replace

import torch
from transformers import PreTrainedTokenizerBase

from .. import MultiTaskModel, TaskConfig
from ..recipes.recipe import Recipe
from .start import build_model, load_start


def start_encoder(
    recipe: Recipe, tasks: list[TaskConfig], device: torch.device
) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Return the untrained model of a recipe, without the recipe's pooling, prompt, normalisation and adapters.

    Args:
        recipe: The recipe, with the encoder.
        tasks: The tasks of the model.
        device: Where the encoder runs.
    """
    own = replace(recipe, pooling=None, normalize=None, prompt_name=None, prompt=None, lora=None)
    trained, tokenizer = load_start(own)
    return build_model(own, tasks, tokenizer, trained).to(device), tokenizer
