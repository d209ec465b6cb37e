"""What a recipe does: from tables to a trained model in a folder that anyone can load."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .. import MultiTaskModel, MultiTaskTrainer, TaskConfig
from ..evaluation.judged import Judged, row_texts
from ..evaluation.report import CHOSEN_BY, make_report, write_report
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..training.metrics import multi_task_metrics
from ..training.tokens import row_lengths
from .calibration import Answers, calibrate
from .outputs import check_output, check_start, find_checkpoint, save_output, save_record, start_output
from .prepare import prepare
from .records import TrainingClock, count_parameters, training_record
from .rows import RowsBySplit, labelled_rows

logger = logging.get_logger(__name__)


@dataclass(frozen=True)
class Run:
    """What a run leaves behind.

    Args:
        folder: The trained model, for `from_pretrained`.
        results: By split, each task's metrics and the `score`; what `results.json` holds.
        labelled_rows: By task, the training rows that have a label for it; `None` where rows were streamed.
        record: What training took; the content of `training.json`.
        model: The trained model.
        tokenizer: Its tokenizer.
    """

    folder: Path
    results: dict[str, dict[str, Any]]
    labelled_rows: dict[str, int | None]
    record: dict[str, Any]
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase


class Trained(NamedTuple):
    """What `train` returns.

    Args:
        results: By split, each task's metrics and the `score`; the content of `results.json`.
        folder: The trained model, for `from_pretrained` and `pipeline`.
    """

    results: dict[str, dict[str, Any]]
    folder: Path


def train(recipe: str | os.PathLike | dict[str, Any], *, force: bool = False, **overrides: Any) -> Trained:
    """Train what a recipe describes, as `multitask train` does.

    Args:
        recipe: A YAML file, the name of a bundled recipe such as `quickstart`, or a dict of the recipe's words, in
            which paths are relative to the current folder.
        force: Whether to overwrite what `output_dir` contains.
        overrides: Words of the recipe, such as `seed=1`. A word within another has a dotted key:
            `**{"training.num_train_epochs": 1}`.

    Raises:
        RecipeError: If the recipe cannot be run.
        DataError: If a table cannot be used.
        FileExistsError: If `output_dir` contains a run.

    Example:
        >>> results, folder = train("quickstart", output_dir="runs/again", **{"training.max_steps": 10})
        >>> results["test"]["score"]
    """
    words = [f"{name}={json.dumps(_as_written(value))}" for name, value in overrides.items()]
    recipe = _as_written(recipe) if isinstance(recipe, dict) else recipe
    run = run_recipe(load_recipe(recipe, words), force=force)
    return Trained(run.results, run.folder)


def _as_written(value: Any) -> Any:
    """Return a value as YAML has it: paths are texts, tuples are lists, and numbers of numpy are plain numbers."""
    if isinstance(value, dict):
        return {name: _as_written(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_written(each) for each in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if hasattr(value, "item") else value


def run_recipe(recipe: Recipe, *, force: bool = False) -> Run:
    """Carries a recipe out; what can be checked is checked before anything is trained or written.

    Args:
        recipe: What to do.
        force: Whether to go on where `output_dir` holds a run already.

    Raises:
        RecipeError: If a model or a training argument cannot be used, or a run that is to be resumed was another.
        DataError: If a table cannot be used.
        FileExistsError: If `output_dir` holds a run already.
    """
    output_dir = Path(recipe.output_dir)
    check_start(recipe)
    check_output(output_dir, force=force, resume=recipe.resume)
    checkpoint = find_checkpoint(recipe) if recipe.resume else None
    prepared = prepare(recipe)
    trainer, tokenizer = prepared.trainer, prepared.tokenizer
    if trainer.is_world_process_zero():
        start_output(recipe)
    trainer.accelerator.wait_for_everyone()
    clock, parameters = TrainingClock(), count_parameters(trainer)
    trainer.add_callback(clock)
    if recipe.freeze != ["everything"]:
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    clock.stop()
    counts = labelled_rows(prepared.rows["train"], prepared.tasks)
    record = training_record(trainer, clock, prepared.rows, counts) | parameters
    if trainer.is_world_process_zero():
        save_record(recipe, record)
    answers = {name: answers_to(trainer, rows) for name, rows in prepared.rows.items() if name != "train"}
    calibration = calibrate(recipe, trainer.model.config, answers)
    results = {name: multi_task_metrics(*each, trainer.model.config.tasks) for name, each in answers.items()}
    model = whole_model(trainer)
    if trainer.is_world_process_zero():
        model = save_output(recipe, model, tokenizer, results, calibration, trainer.state.log_history)
        write_reports(recipe, prepared.rows, answers, model.config.tasks)
    return Run(output_dir / "model", results, counts, record, model, tokenizer)


def write_reports(recipe: Recipe, rows: RowsBySplit, answers: dict[str, Answers], tasks: list[TaskConfig]) -> None:
    """Writes the report on the test rows, or on those of validation if there are no others, beside the model."""
    split = next((name for name in ("test", "validation") if name in answers), None)
    if split is None or not recipe.report:
        return
    logits, labels = answers[split]
    judged = Judged(tasks, row_texts(rows[split]), logits, labels, row_lengths(rows[split]))
    folder = Path(recipe.output_dir)
    notes = [CHOSEN_BY] if split == "validation" else []
    try:
        write_report(make_report(judged, name=folder.resolve().name, split=split, notes=notes), folder / "report")
    except Exception as error:  # training is over, and nothing of it must be lost
        logger.warning(
            f"There is no report ({error}); write one with: multitask report {folder / 'model'} DATA --output DIR"
        )


def whole_model(trainer: MultiTaskTrainer) -> MultiTaskModel | PeftModel:
    """The trained model; gathered from all processes where each holds a part of it, so that all must call this."""
    if not trainer.is_fsdp_enabled:
        return trainer.model
    weights = trainer.accelerator.get_state_dict(trainer.model)  # of the first process; the others get nothing
    model = MultiTaskModel(trainer.model.config)  # FSDP has put a class of its own in the place of this one
    if weights:
        model.load_state_dict(weights)
    return model.to(trainer.args.device).eval()


def answers_to(trainer: MultiTaskTrainer, rows: Dataset) -> Answers:
    """The logits that the model gives, and the labels to hold them against; by task name."""
    output = trainer.predict(rows)
    return output.predictions, output.label_ids


def evaluate(trainer: MultiTaskTrainer, rows: Dataset) -> dict[str, Any]:
    """By task name its metrics over the rows that have a label for it; and the `score`."""
    return multi_task_metrics(*answers_to(trainer, rows), trainer.model.config.tasks)
