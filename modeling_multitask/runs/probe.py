"""One small step before a run: the model is trained, saved and loaded elsewhere, so that hours are not lost."""

import copy
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedConfig
from transformers.utils import logging

from datasets_builder.columns import TEXT, TEXT_PAIR

from .. import MultiTaskConfig, MultiTaskModel, MultiTaskTrainer
from ..errors import RecipeError
from ..inference.saving import save_folder
from ..long_texts_multitask import start_of
from ..prompts_multitask import prompt_tokens
from ..publishing.fresh_load import fresh_load_problem
from ..recipes.recipe import Recipe
from ..training.tokens import has_windows, row_lengths, row_tokens
from ..wording import first_line
from .prepare import Prepared
from .start import with_adapters

logger = logging.get_logger(__name__)

_SAMPLE = 1_000  # training rows whose tokens are counted
_FEW_UNKNOWN, _MANY_UNKNOWN = 0.1, 0.5  # shares of unknown tokens
_LAYERS = 2  # of the copy that is saved and loaded
_BY_PADDING = 1e-3  # the largest relative difference between a text alone and in a batch
_SECONDS = 30  # for the process that loads the copy
_STEPS = 3  # tokens, one step, save and load


def probe(recipe: Recipe, prepared: Prepared) -> None:
    """Try one small step of a run, and whether its model loads in a process without this package.

    The two longest texts of the training rows and an empty text are passed forward and backward. A copy of the model
    with at most two layers is saved and loaded. The model, its gradients and the random numbers are left as they were.

    Raises:
        RecipeError: If the tokenizer does not know the words of the texts, the model fails or gives numbers that are
            not finite, or the copy gives other answers.
    """
    trainer = prepared.trainer
    is_sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled  # one process has only a part of the model
    with tqdm(total=_STEPS, desc="Probe", leave=False, disable=trainer.args.disable_tqdm) as bar:
        rows = _probed_rows(prepared)
        _check_words(recipe, prepared)
        bar.update()
        if not is_sharded:
            _step(recipe, trainer, rows)
        bar.update()
        _check_copy(recipe, prepared, rows)
        bar.update()


def _probed_rows(prepared: Prepared) -> list[dict[str, Any]]:
    """Return the rows with the two longest texts, of streamed rows the first two, and a row with an empty text."""
    train = prepared.rows["train"]
    if isinstance(train, Dataset):
        longest = np.argsort(row_lengths(train), kind="stable")[::-1][:2]
        rows = [train[int(i)] for i in longest]
    else:
        rows = list(train.take(2))
    names = [name for name in (TEXT, TEXT_PAIR) if name in rows[0]]
    columns = row_tokens(prepared.tokenizer, prepared.trainer.model.config, *([""] for _ in names))
    empty = {name: values[0] for name, values in columns.items() if name in rows[0]}
    return [*rows, {**rows[0], **dict.fromkeys(names, ""), **empty}]


def _check_words(recipe: Recipe, prepared: Prepared) -> None:
    """Refuse a tokenizer that knows less than half of the texts' tokens, as that of another language."""
    unknown, train = prepared.tokenizer.unk_token_id, prepared.rows["train"]
    rows = train.select(range(min(len(train), _SAMPLE))) if isinstance(train, Dataset) else train.take(_SAMPLE)
    prompt = prompt_tokens(prepared.tokenizer, prepared.trainer.model.config.prompt)
    ids = np.array([each for row in rows for each in _flat(row["input_ids"])[prompt:]])
    counted = ids[~np.isin(ids, [each for each in prepared.tokenizer.all_special_ids if each != unknown])]
    share = float((counted == unknown).mean()) if len(counted) and unknown is not None else 0.0
    what = f"the tokenizer of {_encoder(recipe)} does not know {share:.0%} of the tokens of the training texts"
    if share > _MANY_UNKNOWN:
        place = "start_from" if recipe.start_from else "backbone"
        raise RecipeError(recipe.path, [f"{place}: {what}; choose an encoder for their language or characters"])
    if share > _FEW_UNKNOWN:
        logger.warning(f"{what}. Another encoder may fit these texts better.")


def _step(recipe: Recipe, trainer: MultiTaskTrainer, rows: list[dict[str, Any]]) -> None:
    """Pass the rows forward and backward, and compare a text in the batch with the same text alone."""
    model, was_training = trainer.model, trainer.model.training
    devices = [torch.cuda.current_device()] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), _refused(recipe, "one training step with the longest texts"):
        try:
            batch = trainer._prepare_inputs(trainer.data_collator(rows))
            with trainer.compute_loss_context_manager():
                output = model.train()(**batch)
                if not output.loss.isfinite():
                    raise ValueError(f"the loss is {output.loss.item()}")
            if output.loss.requires_grad:
                output.loss.backward()
            model.eval()
            with _refused(recipe, "encoding an empty text alone"):
                _check_batching(recipe, trainer, rows)
        finally:
            model.zero_grad(set_to_none=True)
            model.train(was_training)


def _check_batching(recipe: Recipe, trainer: MultiTaskTrainer, rows: list[dict[str, Any]]) -> None:
    """Warn if the embedding of a text depends on the padding, so that answers depend on the batch."""

    def embedding(*batch: dict[str, Any]) -> Tensor:
        inputs = trainer._prepare_inputs(trainer.data_collator(list(batch)))
        with torch.no_grad():
            return trainer.model(**{name: each for name, each in inputs.items() if name != "labels"}).embeddings[-1]

    alone, together = embedding(rows[-1]), embedding(*rows)
    difference = float((alone - together).norm() / alone.norm().clamp(min=1e-9))
    if difference > _BY_PADDING:
        logger.warning(
            f"The answers of {_encoder(recipe)} depend on the other texts of a batch: the embedding of an empty text "
            f"differs by {difference:.1%}. The encoder does not ignore padding; predict with batches of one text."
        )


def _check_copy(recipe: Recipe, prepared: Prepared, rows: list[dict[str, Any]]) -> None:
    """Save a model of the same kind with at most two layers, and ask it in a process without this package."""
    model, tokenizer = prepared.trainer.model, prepared.tokenizer
    with torch.random.fork_rng([]), tempfile.TemporaryDirectory() as place:
        with _refused(recipe, "saving the model"):
            shallow = with_adapters(recipe, _shallow(model.config))
            if isinstance(shallow, PeftModel):
                shallow = shallow.merge_and_unload()
            save_folder(shallow.eval(), tokenizer, Path(place) / "model")
        texts = [start_of(tokenizer, row[TEXT], model.config.max_length) for row in rows]
        prompt = model.config.prompt
        texts = [text for text in texts if tokenizer(prompt + text)["input_ids"]]  # not an empty one of a decoder
        try:
            problem = fresh_load_problem(Path(place) / "model", shallow, tokenizer, texts, seconds=_SECONDS)
        except subprocess.TimeoutExpired:
            logger.warning(f"Loading a copy of the model in another process was stopped after {_SECONDS} s.")
            return
    if problem is not None:
        raise RecipeError(recipe.path, [f"{_encoder(recipe)}: a saved copy of the model fails: {problem}"])


def _shallow(config: MultiTaskConfig) -> MultiTaskModel:
    """Return a random model with at most two layers, or with all if their number depends on other settings."""
    shallow = copy.copy(config)
    try:
        shallow.backbone_config = _cut(config.backbone_config)
        return MultiTaskModel(shallow)
    except Exception:  # the layers of this encoder depend on other settings
        return MultiTaskModel(config)


def _cut(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return an encoder's configuration with at most two layers, and each of its parts as well."""
    words, kind = config.to_dict(), type(config)
    cut: dict[str, Any] = {}
    name = kind.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    layers = words.get(name)
    if isinstance(layers, int) and layers > _LAYERS:
        cut = {key: each[:_LAYERS] for key, each in words.items() if isinstance(each, list) and len(each) == layers}
        cut[name] = _LAYERS
    for place in kind.sub_configs:
        part = getattr(config, place, None)
        if isinstance(part, PreTrainedConfig) and (smaller := _cut(part)) is not part:
            cut[place] = smaller
    return kind(**{**words, **cut}) if cut else config


@contextmanager
def _refused(recipe: Recipe, what: str) -> Iterator[None]:
    """Turn whatever an encoder raises into one error."""
    try:
        yield
    except RecipeError:
        raise
    except torch.OutOfMemoryError as error:
        problem = f"{what} needs more memory than is free; lower max_length, or choose a smaller encoder"
        raise RecipeError(recipe.path, [f"{_encoder(recipe)}: {problem}"]) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        way_out = "choose another encoder; probe=false skips this check"
        raise RecipeError(recipe.path, [f"{_encoder(recipe)}: {what} fails ({reason}); {way_out}"]) from error


def _encoder(recipe: Recipe) -> str:
    return str(recipe.start_from or recipe.backbone)


def _flat(ids: list[Any]) -> list[int]:
    return [each for window in ids for each in window] if has_windows(ids) else ids
