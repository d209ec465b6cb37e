"""The effect of a run on the embedding, for its record, its report and its card.

Shapes: N texts, D width of the encoder.
"""

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .. import MultiTaskModel, MultiTaskTrainer
from ..evaluation.embedding_change import (
    UNCHANGED,
    EmbeddingChange,
    change_of_pairs,
    change_of_texts,
    describe_change,
)
from ..evaluation.judged import row_texts
from ..inference import encode
from ..recipes.recipe import Recipe
from ..training.start_embeddings import embedded_rows, embeddings_of
from .baselines import has_linear_probe, labelled_train
from .rows import RowsBySplit
from .similarity_set import read_similarity_set
from .start_encoder import start_encoder, with_own_words

logger = logging.get_logger(__name__)

MOST_TEXTS = 1_000  # training texts that are compared
STREAMED = (
    "Embedding: the effect of training on it was not measured, because the training rows were streamed; name pairs of "
    "texts in `similarity` to measure it"
)


def embedding_change(
    recipe: Recipe,
    rows: RowsBySplit,
    trainer: MultiTaskTrainer,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
) -> EmbeddingChange | None:
    """Return the effect of training on the embedding, on the recipe's `similarity` or else on training texts.

    Both embeddings have the pooling and the prompt of the trained model, also if those of the backbone are others. It
    is `None` without a report and without `similarity`, for streamed rows, and if it cannot be computed.

    Args:
        recipe: The recipe.
        rows: The rows by split.
        trainer: The trainer after training.
        model: The trained model.
        tokenizer: Its tokenizer.
    """
    if not recipe.report and recipe.similarity is None:
        return None
    if not trainer.trains_encoder:
        return UNCHANGED
    try:
        if recipe.similarity is not None:
            return _of_set(recipe, trainer, model, tokenizer)
        train = rows["train"]
        return _of_texts(recipe, rows, trainer, model, tokenizer) if isinstance(train, Dataset) else None
    except Exception as error:  # the model is trained, so the run must not fail here
        logger.warning(f"The effect of training on the embedding was not measured: {error}")
        return None


def embedding_notes(recipe: Recipe, rows: RowsBySplit, change: EmbeddingChange | None) -> list[str]:
    """Return the notes of a report on the effect of training on the embedding."""
    if change is not None:
        return [describe_change(change.as_json(), advice=True)]
    return [] if isinstance(rows["train"], Dataset) or recipe.similarity is not None else [STREAMED]


def _of_set(
    recipe: Recipe, trainer: MultiTaskTrainer, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> EmbeddingChange:
    given = read_similarity_set(Path(str(recipe.similarity)))
    start, own = start_encoder(recipe, trainer.model.config.tasks, trainer.args.device)
    before, after = encode(start, given.texts, tokenizer=own), encode(model, given.texts, tokenizer=tokenizer)
    return change_of_pairs(before, after, given.scores)


def _of_texts(
    recipe: Recipe,
    rows: RowsBySplit,
    trainer: MultiTaskTrainer,
    model: MultiTaskModel,
    tokenizer: PreTrainedTokenizerBase,
) -> EmbeddingChange | None:
    # A linear probe has embedded all labelled training rows, and they are in the cache if its encoder is this one.
    probed = recipe == with_own_words(recipe) and has_linear_probe(recipe, rows, trainer)
    train: Any = labelled_train(rows, trainer) if probed else rows["train"]
    chosen = _chosen(train, recipe.seed)
    start, own = start_encoder(recipe, trainer.model.config.tasks, trainer.args.device)
    table, places = (train, chosen) if probed else (train.select(chosen), slice(None))
    embedded = embedded_rows({"train": table}, start, own, purpose="Similarity")["train"]
    after = encode(model, row_texts(train.select(chosen)), tokenizer=tokenizer)
    return change_of_texts(embeddings_of(embedded)[places], after)


def _chosen(train: Dataset, seed: int) -> np.ndarray:
    """Return the numbers of up to `MOST_TEXTS` rows, drawn with the seed, each with another text."""
    first = {text: i for i, text in reversed(list(enumerate(row_texts(train))))}
    distinct = np.sort(np.fromiter(first.values(), dtype=np.int64))
    if len(distinct) <= MOST_TEXTS:
        return distinct
    return np.sort(np.random.default_rng(seed).choice(distinct, MOST_TEXTS, replace=False))
