"""The baselines of a run: a constant, and a linear probe of the untrained encoder.

Shapes: N rows of a split, D width of the encoder.
"""

import hashlib
import time
from dataclasses import replace

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from transformers.utils import logging

from datasets_builder.columns import TEXT, TEXT_PAIR

from .. import MultiTaskModel, MultiTaskTrainer, TaskConfig
from ..evaluation.baseline import Baseline, constant, linear_probe
from ..inference import encode
from ..recipes.recipe import MOST_LABELS, MOST_ROWS, MOST_ROWS_OF_A_FROZEN_ENCODER, Recipe
from ..training.freezing import trained_parameters
from ..training.label_columns import labels_of_table
from ..training.parameter_groups import plain_name
from .prepare import build_model, load_start
from .rows import RowsBySplit

logger = logging.get_logger(__name__)

EMBEDDING = "embedding"


def baselines(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, list[Baseline]]:
    """Return the baselines of each task. There are none if the training rows are streamed or nothing is evaluated.

    Args:
        recipe: The recipe.
        rows: The rows by split.
        trainer: The trainer, with the tasks of the model.
    """
    train, tasks = rows["train"], trainer.model.config.tasks
    held_out = {name: each for name, each in rows.items() if name != "train" and len(each)}
    if not isinstance(train, Dataset) or not held_out:
        return {}
    labels = {name: each.numpy() for name, each in labels_of_table(train, tasks).items()}
    counts = {name: len(each) for name, each in held_out.items()}
    found = {task.name: [constant(task, labels[task.name], counts)] for task in tasks}
    probed, _ = _probed(recipe, train, trainer)
    if probed:
        embedded = embeddings(recipe, {**held_out, "train": train}, tasks, trainer.args.device)
        own = embedded.pop("train")
        for task in probed:
            found[task.name].append(linear_probe(task, labels[task.name], own, embedded))
    return {name: [each for each in given if each is not None] for name, given in found.items()}


def probe_notes(recipe: Recipe, rows: RowsBySplit, trainer: MultiTaskTrainer) -> dict[str, str]:
    """Return a note on each task that has no linear probe because of its many labels, by task name."""
    train = rows["train"]
    _, left_out = _probed(recipe, train, trainer) if isinstance(train, Dataset) else ([], [])
    what = "it is not compared with a linear probe, because it has {:,} labels; `baseline: linear_probe` computes it"
    return {task.name: what.format(len(task.labels or ())) for task in left_out}


def _probed(recipe: Recipe, train: Dataset, trainer: MultiTaskTrainer) -> tuple[list[TaskConfig], list[TaskConfig]]:
    """Return the tasks that get a linear probe, and those that by default have too many labels for it."""
    tasks = trainer.model.config.tasks
    if recipe.baseline is not None:
        return (tasks, []) if recipe.baseline == "linear_probe" else ([], [])
    if len(train) > (MOST_ROWS if trains_encoder(trainer) else MOST_ROWS_OF_A_FROZEN_ENCODER):
        return [], []
    many = [task for task in tasks if len(task.labels or ()) > MOST_LABELS]
    return [task for task in tasks if task not in many], many


def trains_encoder(trainer: MultiTaskTrainer) -> bool:
    """Return whether a phase of the run trains a parameter of the encoder or an adapter in it."""
    phases = trainer.args.schedule
    trained = set().union(*(trained_parameters(trainer.model, each.train, each.freeze) for each in phases))
    return any(not plain_name(name).startswith("heads.") for name in trained & trainer.phases.trainable)


def embeddings(
    recipe: Recipe, rows: dict[str, Dataset], tasks: list[TaskConfig], device: torch.device
) -> dict[str, np.ndarray]:
    """Return the embeddings of the untrained encoder by split, (N, D), with its own pooling, prompt and normalisation.

    `Dataset.map` caches them with the rows, for other runs on the same rows.

    Args:
        recipe: The recipe, with the encoder.
        rows: The rows by split.
        tasks: The tasks of the model.
        device: Where the encoder runs.
    """
    own = replace(recipe, pooling=None, normalize=None, prompt_name=None, prompt=None, lora=None)
    trained, tokenizer = load_start(own)
    model = build_model(own, tasks, tokenizer, trained).to(device)
    key, began, computed = _digest(model), time.perf_counter(), 0

    def embed(*texts: list[str]) -> dict[str, np.ndarray]:
        nonlocal computed
        computed += len(texts[0])
        rows = texts[0] if len(texts) == 1 else list(zip(*texts, strict=True))
        return {EMBEDDING: encode(model, rows, tokenizer=tokenizer)}

    found = {}
    for name, each in rows.items():
        mapped = each.map(
            embed,
            batched=True,
            input_columns=[column for column in (TEXT, TEXT_PAIR) if column in each.column_names],
            remove_columns=each.column_names,
            features=Features({EMBEDDING: List(Value("float32"))}),
            new_fingerprint=hashlib.blake2b(f"{key} {each._fingerprint}".encode(), digest_size=8).hexdigest(),
            desc=f"Baseline: embedding the {name} rows",
        )
        found[name] = mapped.with_format("numpy")[:][EMBEDDING]
    if computed:
        logger.warning(f"Baseline: {computed:,} texts were embedded in {time.perf_counter() - began:.0f} s.")
    return found


def _digest(model: MultiTaskModel) -> str:
    """Return a hash of the encoder and of what makes embeddings from its states."""
    config = model.config
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr([config.embedding_words, config.prompt, config.max_length, config.long_texts]).encode())
    digest.update(config.backbone_config.to_json_string(use_diff=False).encode())
    for parameter in (*model.backbone.state_dict().values(), *model.dense.state_dict().values()):
        digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
