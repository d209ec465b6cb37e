"""Preparation of a run: the model, the rows, the training arguments and the trainer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, IterableDataset, concatenate_datasets
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder.columns import TEXT_PAIR

from .. import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments, TaskConfig
from ..errors import RecipeError
from ..evaluation.judged import row_texts
from ..files import check_writable
from ..inference.shards import Process
from ..publishing import trainer_card
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words
from ..recipes.rules import no_validation_problem
from ..training.conditions import counted_rows
from ..training.defaults import TRAINING, default_epochs
from ..training.progress import EpochsLine, show_one_line_per_evaluation
from .few_rows import DEFAULTS, few_row_defaults
from .label_texts import rows_of_label_texts
from .rows import RowsBySplit, build_dataset, labelled_rows, tokenize_rows, with_known_splits, with_labels
from .similarity_set import read_similarity_set
from .start import build_model, load_start
from .teachers import TaskTeacher, open_teachers
from .teaching import teach

logger = logging.get_logger(__name__)

# Defaults of a run. The recipe's `training` overrides them.
TRAINING_DEFAULTS = {
    **TRAINING,
    "eval_strategy": "epoch",
    "per_device_eval_batch_size": 64,
    "train_sampling_strategy": "group_by_length",
    "save_total_limit": 1,
    "report_to": "none",
    "log_level_replica": "passive",  # its default shows the warnings of transformers in each process but the first
    "disable_tqdm": False,  # transformers hides the bars of the Trainer with its warnings
}


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to train.

    Args:
        trainer: The trainer with its model, which has adapters if the recipe has `lora`.
        tokenizer: The tokenizer of the model.
        rows: The rows of each split with their own labels, and with token ids. The rows of the trainer have the targets
            of tasks with a teacher instead.
        tasks: The tasks with their labels.
        labelled: The number of training rows with a label, if it has determined the number of epochs.
        taught: The number of training rows with an answer of a teacher, by task that has one.
        only_taught: The number of training rows with such an answer and no label, if they have determined the number of
            epochs.
        teachers: The teachers to ask. The trainer has no training rows before.
        few_rows: The words of the defaults for few rows, if they apply.
        label_texts: The number of texts of labels, which only the rows of the trainer contain, by task that has some.
    """

    trainer: MultiTaskTrainer
    tokenizer: PreTrainedTokenizerBase
    rows: RowsBySplit
    tasks: list[TaskConfig]
    labelled: int | None = None
    taught: dict[str, int] = field(default_factory=dict)
    only_taught: int = 0
    teachers: list[TaskTeacher] = field(default_factory=list)
    few_rows: dict[str, Any] = field(default_factory=dict)
    label_texts: dict[str, int] = field(default_factory=dict)


def prepare(recipe: Recipe) -> Prepared:
    """Build the trainer of a run with its model and rows, without training.

    Teachers are opened, but not asked. `ask_teachers` does this, which takes long, after all other checks.

    Raises:
        RecipeError: If a model or a training argument is invalid.
        DataError: If a table is invalid.
        OSError: If a cache cannot be written.
    """
    known = with_known_splits(recipe)
    validated = bool(known.data.validation or known.data.split.validation)
    if not validated and (asking := [f"tasks[{i}].abstain" for i, task in enumerate(recipe.tasks) if task.abstain]):
        raise RecipeError(recipe.path, [no_validation_problem(place) for place in asking])
    arguments = build_arguments(recipe, validated=validated)  # first, to report their errors before the rows are built
    if (caching := arguments.prefix_caching()) is not None:
        check_writable(caching.root, "the cache of frozen layers", "set HF_HOME or prefix_cache.folder to another one")
    if recipe.similarity is not None:
        read_similarity_set(Path(recipe.similarity))  # raises now if it is wrong
    trained, tokenizer = load_start(recipe)
    with arguments.main_process_first(desc="build the data set"):
        dataset, tasks = build_dataset(known, trained)
    pairs = TEXT_PAIR in (dataset["train"].column_names or ())
    teachers = open_teachers(recipe, tasks, device=arguments.device, pairs=pairs)
    if not teachers:
        dataset["train"] = with_labels(dataset["train"], tasks)
        _check_any_row(recipe, dataset["train"])
    few: dict[str, Any] = {}
    if (chosen := few_row_defaults(recipe, dataset["train"], tasks)) != recipe:
        few = {name: each for name, each in recipe_words(chosen).items() if name in DEFAULTS}
        recipe, arguments = chosen, build_arguments(chosen, validated=validated)
    texts = rows_of_label_texts(recipe, dataset, tasks)
    model = build_model(recipe, tasks, tokenizer, trained)
    with arguments.main_process_first(desc="tokenise"):
        rows = tokenize_rows(dataset, tokenizer, model.config)
        added = [] if texts is None else [tokenize_rows({"train": texts}, tokenizer, model.config)["train"]]
    with as_recipe_error(recipe, "training"):
        create_card = partial(trainer_card, run=Path(recipe.output_dir), settings=recipe.card)
        trained_rows = concatenate_datasets([rows["train"], *added]) if added else rows["train"]
        given = {**rows, "train": None if teachers else trained_rows}
        trainer = build_trainer(model, tokenizer, given, arguments, create_card=create_card)
        _check_loading(trainer, rows["train"])
    counts = {} if texts is None else {name: each for name, each in labelled_rows(texts, tasks).items() if each}
    prepared = Prepared(trainer, tokenizer, rows, tasks, teachers=teachers, few_rows=few, label_texts=counts)
    return prepared if teachers else _with_epochs(prepared, recipe.training)


def ask_teachers(recipe: Recipe, prepared: Prepared) -> Prepared:
    """Return a run that is ready to train on the answers of its teachers. Without teachers, it is ready already.

    Raises:
        RecipeError: If a teacher answers no text, or no row is left to train on.
    """
    if not prepared.teachers:
        return prepared
    before, arguments = prepared.trainer, prepared.trainer.args
    process = Process(arguments.process_index, arguments.world_size, before.accelerator.wait_for_everyone)
    taught = teach(
        recipe,
        prepared.rows["train"],
        prepared.tasks,
        prepared.teachers,
        process=process,
        held_out=[text for name, rows in prepared.rows.items() if name != "train" for text in row_texts(rows)],
        show_progress=before.is_world_process_zero() and not arguments.disable_tqdm,
    )
    _check_any_row(recipe, taught.rows)
    with as_recipe_error(recipe, "training"):
        rows = {**prepared.rows, "train": taught.targets}
        trainer = build_trainer(before.model, prepared.tokenizer, rows, arguments, create_card=before.create_card)
    rows = {**prepared.rows, "train": taught.rows}
    ready = replace(prepared, trainer=trainer, rows=rows, taught=taught.counts, teachers=[])
    return _with_epochs(ready, recipe.training)


def _check_any_row(recipe: Recipe, train: Dataset | IterableDataset) -> None:
    """Raise a `RecipeError` if no row is left to train on. A stream is read up to its first row that is."""
    if next(iter(train), None) is None:
        problem = "no row has both a label and a weight above 0, so there is nothing to train on"
        raise RecipeError(recipe.path, [f"data.train: {problem}; check `labels`, `missing` and `weight`"])


def _with_epochs(prepared: Prepared, given: dict[str, Any]) -> Prepared:
    """Set the number of epochs by the number of rows, and return the run with it. A number in the recipe wins."""
    if "num_train_epochs" in given or given.get("max_steps", -1) > 0:
        return prepared
    trainer, tasks = prepared.trainer, prepared.tasks
    labelled = _count(prepared.rows["train"], tasks)
    counted = _count(trainer.train_dataset, tasks) if prepared.taught else labelled
    steps = trainer.steps_per_epoch(len(trainer.train_dataset))
    trainer.args.num_train_epochs = default_epochs(trainer.args.schedule, counted, steps)
    trainer.add_callback(EpochsLine(labelled, counted - labelled))
    return replace(prepared, labelled=labelled, only_taught=counted - labelled)


def _count(rows: Any, tasks: list[TaskConfig]) -> int:
    """Return the number of rows with a label that counts."""
    return int(np.any(list(counted_rows(rows, tasks).values()), axis=0).sum())


def _check_loading(trainer: MultiTaskTrainer, rows: Dataset | IterableDataset) -> None:
    """Raise now the errors that the settings of the data loaders would cause at the first step."""
    arguments = trainer.args
    DataLoader(
        rows,
        batch_size=arguments.per_device_train_batch_size,
        num_workers=arguments.dataloader_num_workers,
        persistent_workers=arguments.dataloader_persistent_workers,
        prefetch_factor=arguments.dataloader_prefetch_factor,
    )
    trainer._set_signature_columns_if_needed()


def _streaming_defaults(training: dict[str, Any]) -> dict[str, Any]:
    """Return defaults for streamed rows, where the length of an epoch is unknown: ten evaluations per run."""
    every = max(training["max_steps"] // 10, 1)
    steps = {
        f"{what}_{word}": value
        for what in ("eval", "save", "logging")
        for word, value in (("strategy", "steps"), ("steps", every))
    }
    return steps | {"accelerator_config": {"dispatch_batches": False}}  # dispatching fails on batches of unequal length


def build_arguments(recipe: Recipe, *, validated: bool) -> MultiTaskTrainingArguments:
    """Return the training arguments of a recipe.

    Args:
        recipe: The recipe.
        validated: Whether there are validation rows.

    Raises:
        RecipeError: If transformers rejects a value.
    """
    given = recipe.training
    settings = {**TRAINING_DEFAULTS, **(_streaming_defaults(given) if recipe.data.streaming else {}), **given}
    if not validated:
        settings["eval_strategy"] = "no"
    evaluated = settings["eval_strategy"] != "no"
    settings.setdefault("use_cpu", not torch.accelerator.is_available())  # without it, bf16 is rejected on a CPU
    settings.setdefault("save_strategy", settings["eval_strategy"] if evaluated else "epoch")
    settings.setdefault("logging_strategy", "epoch")
    settings.setdefault("load_best_model_at_end", evaluated and settings["save_strategy"] != "no")
    with as_recipe_error(recipe, "training"):
        return MultiTaskTrainingArguments(
            output_dir=f"{recipe.output_dir}/checkpoints",
            seed=recipe.seed,
            freeze=recipe.freeze if len(recipe.freeze) > 1 else "".join(recipe.freeze) or "none",
            learning_rates=recipe.learning_rates,
            phases=recipe.phases,
            sampling=recipe.sampling,
            balancing=recipe.balancing,
            conflict=recipe.conflict,
            average=recipe.average,
            keep_embedding=recipe.keep_embedding,
            tokens_per_batch=recipe.tokens_per_batch,
            prefix_cache=recipe.prefix_cache,
            **settings,
        )


def build_trainer(
    model: MultiTaskModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Mapping[str, Dataset | IterableDataset | None],
    arguments: MultiTaskTrainingArguments,
    create_card: Callable[..., str] | None = None,
) -> MultiTaskTrainer:
    """Return a trainer for the model and the rows. It prints one line per evaluation."""
    trainer = MultiTaskTrainer(
        model=model,
        args=arguments,
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        processing_class=tokenizer,
        create_card=create_card,
    )
    show_one_line_per_evaluation(trainer)
    return trainer
