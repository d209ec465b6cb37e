"""The files of a run in its `output_dir`, and the state of a run to resume."""

import json
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .. import MultiTaskModel, MultiTaskTrainer
from ..errors import RecipeError
from ..evaluation.judged import Judged
from ..evaluation.judgement import Judgement
from ..evaluation.report import make_report, write_report
from ..files import whole_folder, write_json
from ..inference.saving import save_folder
from ..recipes.comparison import changed_words
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words, recorded_words
from ..training.adapter import save_adapter
from ..training.checkpoints import last_whole_checkpoint
from ..training.conflict_plot import draw_conflicts
from .plan import ADAM_STATES

logger = logging.get_logger(__name__)

# A run writes these, next to recipe.json.
_FOLDERS = ("checkpoints", "model", "adapter", "report", "folds")
_FILES = ("results.json", "calibration.json", "training.json", "folds.json", "conflict.png")
# Words that may change when a run is resumed.
_OF_REPORTS = {"examples", "report", "similarity", "baseline", "card"}
_FREE_TO_CHANGE = {"resume", "output_dir", "probe", "prefix_cache"} | _OF_REPORTS


def check_output(folder: Path, *, force: bool, resume: bool = False) -> None:
    """Raise a `FileExistsError` if the folder contains a run, unless it is resumed or overwritten.

    A file or folder that a run would replace, but that no run has written, is never overwritten.
    """
    others = [name for name in _FOLDERS if any((folder / name).glob("*"))]  # the Trainer makes an empty one early
    others += [name for name in _FILES if (folder / name).exists()]
    if others and not (folder / "recipe.json").is_file():
        raise FileExistsError(
            f"output_dir {folder} contains {others[0]!r}, but no run (it has no recipe.json); choose another output_dir"
        )
    held = any(any(folder.glob(name)) for name in ("model", "checkpoints/checkpoint-*", "results.json"))
    if held and not force and not resume:
        raise FileExistsError(
            f"output_dir {folder} already contains a run; choose another output_dir, add resume=true to resume it, "
            "or --force to overwrite it"
        )


def check_start(recipe: Recipe) -> None:
    """Raise a `RecipeError` if the run would overwrite the model in `start_from`, or a teacher."""
    read = {"start_from": recipe.start_from}
    read |= {f"tasks[{i}].teacher": task.teacher.model for i, task in enumerate(recipe.tasks) if task.teacher}
    output = Path(recipe.output_dir).resolve()
    for place, model in read.items():
        if model is not None and Path(model).resolve().is_relative_to(output):
            what = f"{recipe.output_dir} contains the model of {place}; choose another output_dir"
            raise RecipeError(recipe.path, [f"output_dir: {what}"])


def check_space(recipe: Recipe, trainer: MultiTaskTrainer) -> None:
    """Raise an `OSError` if the disk of `output_dir` has no space for the trained model and its checkpoints."""
    folder = Path(recipe.output_dir).absolute()
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    parameters, arguments = list(trainer.model.parameters()), trainer.args
    model = sum(each.nbytes for each in parameters)
    trained = sum(each.nbytes for each in parameters if each.requires_grad)
    checkpoint = trained if isinstance(trainer.model, PeftModel) else model
    averaged = arguments.averaging()
    copies = ADAM_STATES + (1 + averaged.copies if averaged else 0)  # also the weights of the step
    checkpoint += 0 if arguments.save_only_model else copies * trained
    # A new checkpoint is written before the oldest one is deleted.
    kept = 0 if arguments.save_strategy == "no" else (arguments.save_total_limit or 1) + 1
    needed, free = model + kept * checkpoint, shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"output_dir {recipe.output_dir}: the model and its checkpoints need {needed / 1e6:,.0f} MB, but the disk "
            f"has only {free / 1e6:,.0f} MB free; free some space, or choose another output_dir"
        )


def find_checkpoint(recipe: Recipe) -> Path | None:
    """Return the last complete checkpoint of the run to resume, or `None` to start from the beginning.

    Raises:
        RecipeError: If the run was started with another recipe.
    """
    record = Path(recipe.output_dir) / "recipe.json"
    if record.is_file():
        before, now = _recorded(record, recipe), recipe_words(recipe)
        changed = changed_words(before, now, ignored=_FREE_TO_CHANGE)
        if changed:
            what = [f"{name}: is {new!r}; the run was started with {old!r}" for name, (old, new) in changed.items()]
            advice = "resume: the recipe must be the one that started the run; restore these words, or set resume=false"
            raise RecipeError(recipe.path, [*what, advice])
    checkpoint, damaged = last_whole_checkpoint(Path(recipe.output_dir) / "checkpoints")
    for path, reason in damaged.items():
        logger.warning(f"{path} is skipped: {reason}")
    logger.warning(
        f"Training resumes from {checkpoint}." if checkpoint else "No checkpoint found. Training starts from step 0."
    )
    return checkpoint


def start_output(recipe: Recipe) -> None:
    """Create `output_dir`, remove the files of another run, and write `recipe.json`."""
    folder = Path(recipe.output_dir)
    if not recipe.resume:
        for name in _FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "recipe.json", recipe_words(recipe))


def save_record(recipe: Recipe, record: dict[str, Any]) -> None:
    """Write `training.json`: time, hardware and energy of the training."""
    write_json(Path(recipe.output_dir) / "training.json", record)


def save_output(
    recipe: Recipe,
    model: MultiTaskModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    results: dict[str, Any],
    calibration: dict[str, Any],
    log_history: list[dict[str, Any]],
) -> MultiTaskModel:
    """Write the model, its results and the pictures. The model's folder is complete or does not exist.

    Returns:
        The model that was written. LoRA adapters are merged into the encoder.
    """
    folder = Path(recipe.output_dir)
    if isinstance(model, PeftModel):
        if (recipe.lora or {}).get("keep_adapter"):
            save_adapter(model, tokenizer, folder / "adapter")
        model = model.merge_and_unload()
    with whole_folder(folder / "model") as partial:
        save_folder(model, tokenizer, partial)
    model.name_or_path = str(folder / "model")
    write_json(folder / "results.json", results)
    if calibration:
        write_json(folder / "calibration.json", calibration)
    if recipe.conflict:
        try:
            draw_conflicts(log_history, folder / "conflict.png")
        except ValueError as error:  # nothing was recorded
            logger.warning(f"No picture of gradient conflicts was drawn: {error}")
    return model


def save_report(
    recipe: Recipe, judged: Judged, *, split: str, notes: list[str], judgements: dict[str, Judgement]
) -> None:
    """Write the report next to the model.

    Args:
        recipe: The recipe of the run.
        judged: The judged rows.
        split: Their split.
        notes: Notes on the rows.
        judgements: The judgement on each task.
    """
    folder = Path(recipe.output_dir)
    try:
        report = make_report(judged, name=folder.resolve().name, split=split, notes=notes, judgements=judgements)
        write_report(report, folder / "report")
    except Exception as error:  # the trained model is saved, so the run must not fail here
        logger.warning(
            f"The report failed ({error}). Write it with: multitask report {folder / 'model'} DATA --output DIR"
        )


def _recorded(record: Path, recipe: Recipe) -> dict[str, Any]:
    try:
        return recorded_words(json.loads(record.read_text(encoding="utf-8")))
    except ValueError as error:
        problem = f"resume: the run was started by another version, and its recipe.json has unknown words ({error})"
        raise RecipeError(recipe.path, [f"{problem}; train again in another output_dir"]) from None
