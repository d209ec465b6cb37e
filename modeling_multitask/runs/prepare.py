"""What a recipe needs before it is trained: the model, the rows, the arguments and the trainer."""

from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, PreTrainedTokenizerBase, set_seed
from transformers.utils import logging

from .. import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments, TaskConfig
from ..errors import RecipeError
from ..files import is_folder
from ..inference.loading import load
from ..modeling_multitask import resolve_model_path
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..recipes.record import plain_words
from ..recipes.rules import may_validate
from ..sentence_transformers_multitask import read_embedding_settings
from ..training.growing import grow
from ..training.lora import add_lora
from ..training.progress import show_one_line_per_evaluation
from .rows import RowsBySplit, build_dataset, tokenize_rows

logger = logging.get_logger(__name__)

# What a run does unless the recipe's `training` says otherwise.
TRAINING_DEFAULTS = {
    "eval_strategy": "epoch",
    "per_device_eval_batch_size": 64,
    "dataloader_pin_memory": torch.cuda.is_available(),
    "train_sampling_strategy": "group_by_length",
    "save_total_limit": 1,
    "report_to": "none",
}


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to train.

    Args:
        trainer: With its model, which has adapters if the recipe says so.
        tokenizer: The model's.
        rows: The data set with token ids, by split.
        tasks: The tasks, with their labels.
    """

    trainer: MultiTaskTrainer
    tokenizer: PreTrainedTokenizerBase
    rows: RowsBySplit
    tasks: list[TaskConfig]


def prepare(recipe: Recipe) -> Prepared:
    """Builds all that a run needs, and trains nothing.

    Raises:
        RecipeError: If a model or a training argument cannot be used.
        DataError: If a table cannot be used.
    """
    may = may_validate(plain_words(recipe.data))
    arguments = build_arguments(recipe, validated=may)  # what is wrong with them is said before the rows are built
    trained, tokenizer = load_start(recipe)
    with arguments.main_process_first(desc="build the data set"):
        dataset, tasks = build_dataset(recipe, trained)
    if may and "validation" not in dataset:
        arguments = build_arguments(recipe, validated=False)
    model = build_model(recipe, tasks, trained)
    with arguments.main_process_first(desc="tokenise"):
        rows = tokenize_rows(dataset, tokenizer, model.config)
    with as_recipe_error(recipe, "training"):
        trainer = build_trainer(model, tokenizer, rows, arguments)
        _check_loading(trainer)
    return Prepared(trainer, tokenizer, rows, tasks)


def _check_loading(trainer: MultiTaskTrainer) -> None:
    """Raise now the errors that the settings of the data loaders would cause at the first step."""
    arguments = trainer.args
    DataLoader(
        [],
        batch_size=arguments.per_device_train_batch_size,
        num_workers=arguments.dataloader_num_workers,
        persistent_workers=arguments.dataloader_persistent_workers,
        prefetch_factor=arguments.dataloader_prefetch_factor,
    )
    trainer._set_signature_columns_if_needed()


def load_start(recipe: Recipe) -> tuple[MultiTaskModel | None, PreTrainedTokenizerBase]:
    """The trained model that the recipe starts from, if it names one, and the tokenizer.

    Raises:
        RecipeError: If there is no such model or backbone.
    """
    if recipe.start_from is not None:
        with as_recipe_error(recipe, "start_from"):
            trained, tokenizer = load(recipe.start_from)
        for name in ("pooling", "normalize"):
            wanted, there = getattr(recipe, name), getattr(trained.config, name)
            if wanted not in (None, there):
                raise RecipeError(
                    recipe.path, [f"{name}: {recipe.start_from} was trained with {there!r}; leave it out"]
                )
        return trained.float(), tokenizer
    return None, load_tokenizer(recipe)


def load_tokenizer(recipe: Recipe) -> PreTrainedTokenizerBase:
    """The tokenizer of the recipe's backbone.

    Raises:
        RecipeError: If there is no such backbone.
    """
    backbone = str(recipe.backbone)
    try:
        path = resolve_model_path(backbone)
        return AutoTokenizer.from_pretrained(path, subfolder=read_embedding_settings(path).subfolder)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        there = is_folder(backbone)
        what = "this folder has no tokenizer that loads" if there else "no such folder, nor a model that the Hub gives"
        raise RecipeError(recipe.path, [f"backbone: {what}: {backbone!r} ({reason})"]) from error


def _streaming_defaults(training: dict[str, Any]) -> dict[str, Any]:
    """What suits rows of which nobody knows how many make an epoch: ten evaluations on the way."""
    every = max(training["max_steps"] // 10, 1)
    steps = {
        f"{what}_{word}": value
        for what in ("eval", "save", "logging")
        for word, value in (("strategy", "steps"), ("steps", every))
    }
    return steps | {"accelerator_config": {"dispatch_batches": False}}  # else ragged batches break it


def build_model(
    recipe: Recipe, tasks: list[TaskConfig], trained: MultiTaskModel | None = None
) -> MultiTaskModel | PeftModel:
    """The recipe's backbone, or the trained model it starts from, with a head for each task, and adapters if wanted.

    Raises:
        RecipeError: If the model cannot be had, or does not go with the recipe's other words.
    """
    # The new heads' and adapters' first weights are drawn here, before the Trainer sets the seed.
    set_seed(recipe.seed)
    if trained is not None:
        with as_recipe_error(recipe, "start_from"):
            model = grow(trained, tasks, head=recipe.head, max_length=recipe.max_length, long_texts=recipe.long_texts)
    else:
        with as_recipe_error(recipe, "backbone"):
            model = MultiTaskModel.from_backbone(
                str(recipe.backbone),
                tasks,
                pooling=recipe.pooling,
                normalize=recipe.normalize,
                head=recipe.head,
                max_length=recipe.max_length,
                long_texts=recipe.long_texts or "truncate",
            )
    if recipe.lora is None:
        return model
    with as_recipe_error(recipe, "lora"):
        return add_lora(model, {name: value for name, value in recipe.lora.items() if name != "keep_adapter"})


def build_arguments(recipe: Recipe, *, validated: bool) -> MultiTaskTrainingArguments:
    """The recipe's training arguments.

    Args:
        recipe: What to do.
        validated: Whether there are validation rows.

    Raises:
        RecipeError: If transformers refuses a value.
    """
    given = recipe.training
    settings = {**TRAINING_DEFAULTS, **(_streaming_defaults(given) if recipe.data.streaming else {}), **given}
    if not validated:
        settings["eval_strategy"] = "no"
    evaluated = settings["eval_strategy"] != "no"
    settings.setdefault("use_cpu", not torch.accelerator.is_available())  # else bf16 is refused on a CPU
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
            tokens_per_batch=recipe.tokens_per_batch,
            prefix_cache=recipe.prefix_cache,
            **settings,
        )


def build_trainer(
    model: MultiTaskModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: RowsBySplit,
    arguments: MultiTaskTrainingArguments,
) -> MultiTaskTrainer:
    """A trainer of the model on the rows, which prints one line per evaluation."""
    trainer = MultiTaskTrainer(
        model=model,
        args=arguments,
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        processing_class=tokenizer,
    )
    show_one_line_per_evaluation(trainer)
    return trainer
