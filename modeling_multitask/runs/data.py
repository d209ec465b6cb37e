"""The data of a recipe: a summary of it, and its repository on the Hub."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder import MultiTaskBuilder
from datasets_builder.columns import TEXT, TEXT_PAIR
from datasets_builder.look import Look, look_at

from ..errors import RecipeError
from ..modeling_multitask import resolve_model_path
from ..publishing.dataset import write_repository
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..sentence_transformers_multitask import read_embedding_settings
from ..training.samplers import row_groups
from .prepare import load_start, load_tokenizer
from .rows import build_rows, label_warnings, open_sources

logger = logging.get_logger(__name__)

CHUNK = 1_000  # texts per call of the tokenizer
OF_DATA = ("data", "tasks", "seed")  # the words of a recipe that define its data


@dataclass(frozen=True)
class Data:
    """The built tables of a recipe.

    Args:
        builder: The builder of the tables.
        dataset: The multi-task table of each split.
        look: The summary of the data.
    """

    builder: MultiTaskBuilder
    dataset: dict[str, Dataset]
    look: Look


def build_data(recipe: Recipe) -> Data:
    """Build the recipe's tables as a training does, and summarise them. Text lengths need the encoder's tokenizer.

    Raises:
        RecipeError: If the tasks are invalid, the model of `start_from` cannot be loaded, or the training rows are
            streamed.
        DataError: If a table is invalid.
    """
    if recipe.data.streaming:
        raise RecipeError(recipe.path, ["data.streaming: streamed rows cannot be summarised; set data.streaming=false"])
    trained = None if recipe.start_from is None else load_start(recipe)[0]
    builder = open_sources(recipe, trained)
    dataset, tasks = build_rows(recipe, builder, trained)
    with as_recipe_error(recipe, "sampling"):
        row_groups(dataset["train"], recipe.sampling)
    notes = [*builder.notes, *label_warnings(dataset["train"], tasks)]
    lengths, max_length = {}, recipe.max_length
    try:
        tokenizer, max_length = _tokenizer(recipe)
        lengths = {name: text_lengths(rows, tokenizer) for name, rows in dataset.items()}
    except RecipeError as error:
        logger.warning(error.problems[0])  # not in the notes: they are pushed, and the error contains local paths
        notes.append("text lengths are unknown: the tokenizer of the recipe's encoder is not available")
    look = look_at(dataset, tasks, notes=notes, lengths=lengths, max_length=max_length)
    return Data(builder, dataset, look)


def text_lengths(rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Return the number of tokens of each text or pair of texts, without truncation, (N,)."""
    names = [name for name in (TEXT, TEXT_PAIR) if name in rows.column_names]
    lengths: list[int] = []
    for chunk in rows.select_columns(names).iter(CHUNK):
        ids = tokenizer(*(chunk[name] for name in names), truncation=False, verbose=False)["input_ids"]
        lengths += map(len, ids)
    return np.array(lengths)


def write_data_repository(recipe: Recipe, data: Data, repo_id: str, folder: Path) -> None:
    """Write the files of a data set repository into a folder.

    Args:
        recipe: The recipe of the data. It is part of the repository.
        data: The data.
        repo_id: The id of the repository.
        folder: An empty folder.
    """
    overrides = [each for each in recipe.overrides if re.split("[.=]", each)[0] in OF_DATA]
    write_repository(folder, repo_id, data.builder, data.look, recipe.data.card, recipe.path, overrides)


def paths_of_this_machine(recipe: Recipe) -> list[str]:
    """Return the absolute paths in the recipe's file that exist on this machine."""
    words = re.findall(r"(?<![\w:/.])(?:/|[A-Z]:\\)[^\s,'\"\]}]+", recipe.path.read_text(encoding="utf-8"))
    return [word for word in dict.fromkeys(words) if Path(word).exists()]


def _tokenizer(recipe: Recipe) -> tuple[PreTrainedTokenizerBase, int | None]:
    """Return the tokenizer without truncation and padding, and the maximum length of the recipe or the encoder."""
    if recipe.start_from is not None:
        recipe = replace(recipe, backbone=recipe.start_from)
    tokenizer = load_tokenizer(recipe)
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    return tokenizer, recipe.max_length or read_embedding_settings(resolve_model_path(str(recipe.backbone))).max_length
