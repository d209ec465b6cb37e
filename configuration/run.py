"""What a recipe does: from tables to a trained model in a folder that anyone loads."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer, PreTrainedTokenizerBase, set_seed

from datasets_builder import MultiTaskBuilder, Source
from modeling_multitask import MultiTaskModel, MultiTaskTrainer, MultiTaskTrainingArguments, TaskConfig
from modeling_multitask.modeling_multitask import resolve_model_path
from modeling_multitask.publishing import save_folder
from modeling_multitask.sentence_transformers_multitask import read_embedding_settings
from modeling_multitask.training.metrics import multi_task_metrics
from modeling_multitask.training.progress import show_one_line_per_evaluation

from .problems import RecipeError
from .recipe import Recipe, SourceRecipe

# What a run does unless the recipe's `training` says otherwise.
TRAINING_DEFAULTS = {
    "eval_strategy": "epoch",
    "per_device_eval_batch_size": 64,
    "dataloader_pin_memory": torch.cuda.is_available(),
    "train_sampling_strategy": "group_by_length",
    "save_only_model": True,
    "save_total_limit": 1,
    "report_to": "none",
}


@dataclass(frozen=True)
class Run:
    """What a run leaves behind.

    Args:
        folder: The trained model, for `from_pretrained`.
        results: By split, each task's metrics and the `score`; what `results.json` holds.
        labelled_rows: By task, the training rows that have a label for it.
        model: The trained model.
        tokenizer: Its tokenizer.
    """

    folder: Path
    results: dict[str, dict[str, Any]]
    labelled_rows: dict[str, int]
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase


def train(recipe: Recipe, *, force: bool = False) -> Run:
    """Carries a recipe out; what can be checked is checked before anything is trained or written.

    Args:
        recipe: What to do.
        force: Whether to go on where `output_dir` holds a run already.

    Raises:
        RecipeError: If the backbone or a training argument cannot be used.
        DataError: If a table cannot be used.
        FileExistsError: If `output_dir` holds a run already.
    """
    output_dir = Path(recipe.output_dir)
    check_output(output_dir, force=force)
    tokenizer = load_tokenizer(recipe)
    arguments = build_arguments(recipe)
    with arguments.main_process_first(desc="build the data set"):
        dataset, tasks = build_dataset(recipe)
    model = build_model(recipe, tasks)
    with arguments.main_process_first(desc="tokenise"):
        rows = tokenize(dataset, tokenizer, model.config.max_length)
    trainer = build_trainer(model, tokenizer, rows, arguments)
    if arguments.freeze != "everything":
        trainer.train()
    results = {name: evaluate(trainer, rows[name]) for name in ("validation", "test") if name in rows}
    if trainer.is_world_process_zero():
        save_folder(model, tokenizer, output_dir / "model")
        (output_dir / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return Run(output_dir / "model", results, labelled_rows(dataset["train"], tasks), model, tokenizer)


def check_output(folder: Path, *, force: bool) -> None:
    """Raises a `FileExistsError` if the folder holds a run already, unless forced."""
    if not force and any(any(folder.glob(name)) for name in ("model", "checkpoints/checkpoint-*", "results.json")):
        raise FileExistsError(f"output_dir {folder} holds a run already; name another, or add --force to overwrite it")


def load_tokenizer(recipe: Recipe) -> PreTrainedTokenizerBase:
    """The tokenizer of the recipe's backbone.

    Raises:
        RecipeError: If there is no such backbone.
    """
    try:
        path = resolve_model_path(recipe.backbone)
        return AutoTokenizer.from_pretrained(path, subfolder=read_embedding_settings(path).subfolder)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        there = Path(recipe.backbone).is_dir()
        what = "this folder has no tokenizer that loads" if there else "no such folder, nor a model that the Hub gives"
        problem = f"backbone: {what}: {recipe.backbone!r} ({reason})"
        raise RecipeError(recipe.path, [problem]) from error


def build_dataset(recipe: Recipe) -> tuple[DatasetDict, list[TaskConfig]]:
    """The recipe's tables as one data set, and its tasks with their labels."""
    data = recipe.data
    hide = data.hide_labels
    builder = MultiTaskBuilder(
        tasks=[task.model_dump() for task in recipe.tasks],
        train=_sources(recipe, data.train),
        validation=_sources(recipe, data.validation),
        test=_sources(recipe, data.test),
        split={**data.split.model_dump(), "seed": recipe.seed if data.split.seed is None else data.split.seed},
        hide_labels=hide and {"fraction": hide.fraction, "seed": recipe.seed if hide.seed is None else hide.seed},
    )
    builder.download_and_prepare()
    return builder.as_dataset(), builder.tasks


def build_model(recipe: Recipe, tasks: list[TaskConfig]) -> MultiTaskModel:
    """The recipe's backbone with a new head for each task.

    Raises:
        RecipeError: If the backbone cannot be loaded, or does not go with the recipe's other words.
    """
    # The heads' first weights are drawn here, before the Trainer sets the seed.
    set_seed(recipe.seed)
    try:
        return MultiTaskModel.from_backbone(
            recipe.backbone,
            tasks,
            pooling=recipe.pooling,
            normalize=recipe.normalize,
            head=recipe.head.model_dump(),
            max_length=recipe.max_length,
        )
    except (OSError, ValueError) as error:
        raise RecipeError(recipe.path, [f"backbone: {error}"]) from error


def build_arguments(recipe: Recipe) -> MultiTaskTrainingArguments:
    """The recipe's training arguments.

    Raises:
        RecipeError: If transformers refuses a value.
    """
    data = recipe.data
    settings = {**TRAINING_DEFAULTS, **recipe.training.model_dump(exclude_unset=True)}
    if not (data.validation or data.split.validation):
        settings["eval_strategy"] = "no"
    settings.setdefault("use_cpu", not torch.accelerator.is_available())  # else bf16 is refused on a CPU
    settings.setdefault("save_strategy", settings["eval_strategy"])
    settings.setdefault("logging_strategy", "epoch")
    settings.setdefault("load_best_model_at_end", settings["eval_strategy"] != "no")
    try:
        return MultiTaskTrainingArguments(
            output_dir=f"{recipe.output_dir}/checkpoints",
            seed=recipe.seed,
            freeze=recipe.freeze,
            learning_rates=None if recipe.learning_rates is None else recipe.learning_rates.model_dump(),
            **settings,
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(recipe.path, [f"training: {error}"]) from error


def tokenize(dataset: DatasetDict, tokenizer: PreTrainedTokenizerBase, max_length: int | None) -> DatasetDict:
    """Adds the token ids of each text, cut to the length."""

    def tokens(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return tokenizer(rows["text"], truncation=True, max_length=max_length)

    return dataset.map(tokens, batched=True, desc="Tokenising")


def build_trainer(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, rows: DatasetDict, arguments: MultiTaskTrainingArguments
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


def evaluate(trainer: MultiTaskTrainer, rows: Dataset) -> dict[str, Any]:
    """By task name its metrics over the rows that have a label for it; and the `score`."""
    output = trainer.predict(rows)
    return multi_task_metrics(output.predictions, output.label_ids, trainer.model.config.tasks)


def labelled_rows(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, int]:
    """By task name, how many rows have a label for it."""
    return {task.name: sum(label is not None for label in rows[task.name]) for task in tasks}


def _sources(recipe: Recipe, sources: list[SourceRecipe]) -> list[Source]:
    several = {task.name for task in recipe.tasks if task.problem_type == "multi_label_classification"}
    return [
        Source(
            source.path,
            source.text,
            {name: columns if name in several else columns[0] for name, columns in source.labels.items()},
        )
        for source in sources
    ]
