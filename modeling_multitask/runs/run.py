"""Training a recipe: from tables to a trained model in a folder."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from datasets_builder.agreement import notes_on_agreement
from datasets_builder.columns import TEXT_PAIR
from datasets_builder.row_places import row_places

from .. import MultiTaskModel, MultiTaskTrainer, TaskConfig
from ..evaluation.embedding_change import describe_change
from ..evaluation.judged import Judged, row_texts, shares_of_raters
from ..evaluation.report import CHOSEN_BY
from ..locks import locked
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..training.metrics import decide_arrays, multi_task_metrics
from ..training.soft_targets import most_probable, soft_among
from ..training.tokens import row_lengths
from .calibration import Answers, calibrate, calibration_notes
from .embedding_change import embedding_change, embedding_notes
from .folds import cross_validate
from .judgements import Judgements, judge_tasks, with_judgements
from .outputs import (
    check_output,
    check_space,
    check_start,
    find_checkpoint,
    save_output,
    save_record,
    save_report,
    start_output,
)
from .plan import estimated_memory, warn_of_memory
from .prepare import Prepared, ask_teachers, prepare
from .probe import probe
from .records import TrainingClock, count_parameters, training_record
from .rows import RowsBySplit, labelled_rows
from .taught import JudgedSplit, judge_teachers, teachers_to_judge, time_in_words, time_teachers, timed_texts

logger = logging.get_logger(__name__)


@dataclass(frozen=True)
class Run:
    """The results of a run.

    Args:
        folder: The folder of the trained model, for `from_pretrained`.
        results: The metrics of each task and the `score`, by split; the content of `results.json`.
        labelled_rows: The number of training rows with a label, by task. `None` if rows were streamed.
        record: Time, hardware and energy of the training, and its effect on the embedding; the content of
            `training.json`.
        model: The trained model.
        tokenizer: Its tokenizer.
        answers: The logits and the labels of the evaluated rows, by split.
    """

    folder: Path
    results: dict[str, dict[str, Any]]
    labelled_rows: dict[str, int | None]
    record: dict[str, Any]
    model: MultiTaskModel
    tokenizer: PreTrainedTokenizerBase
    answers: dict[str, Answers]


class Trained(NamedTuple):
    """The return value of `train`.

    Args:
        results: The metrics of each task and the `score`, by split; the content of `results.json`.
        folder: The folder of the trained model, for `from_pretrained` and `pipeline`.
    """

    results: dict[str, dict[str, Any]]
    folder: Path


def train(recipe: str | os.PathLike | dict[str, Any], *, force: bool = False, **overrides: Any) -> Trained:
    """Train a model from a recipe, as `multitask train` does.

    Args:
        recipe: A YAML file, the name of a bundled recipe such as `quickstart`, or a dict of the recipe's words. Paths
            in a dict are relative to the current folder.
        force: Whether to overwrite a previous run in `output_dir`.
        overrides: Words of the recipe to override, such as `seed=1`. A nested word has a dotted key:
            `**{"training.num_train_epochs": 1}`.

    Raises:
        RecipeError: If the recipe is invalid, or a model cannot be loaded.
        DataError: If a table is invalid.
        DivergedError: If training diverges. No model is written.
        FileExistsError: If `output_dir` contains a run.

    Example:
        >>> from modeling_multitask.runs import train
        >>> results, folder = train("quickstart", output_dir="runs/again", **{"training.max_steps": 10})
        >>> sorted(results["test"])
        ['domain', 'score', 'sentiment']
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
    """Train, calibrate and evaluate a model, and write the results. All checks run before training.

    With `data.split.folds`, the model is trained on all rows. Then each fold is judged by a further model that is
    trained on the other folds, and these are the test results.

    Args:
        recipe: The recipe.
        force: Whether to overwrite a previous run in `output_dir`.

    Raises:
        RecipeError: If a model or a training argument is invalid, the probe fails, or the run to resume has another
            recipe.
        DataError: If a table is invalid.
        DivergedError: If training diverges. No model is written.
        FileExistsError: If `output_dir` contains a run.
        BlockingIOError: If another process is writing to `output_dir`.
    """
    # By the environment of the launcher: without the arguments of the Trainer, PartialState would start no group.
    is_first = os.environ.get("RANK", "0") == "0"
    with locked(Path(recipe.output_dir), inside=True) if is_first else nullcontext():
        run = _run_once(recipe, force=force)
        if not recipe.data.split.in_turn:
            return run
        probed = partial(_run_once, probed=True)
        notes = [describe_change(run.record["embedding"], advice=True)] if "embedding" in run.record else []
        results = cross_validate(recipe, run.results, probed, notes=notes)
        return replace(run, results={**run.results, "test": results})


def _run_once(recipe: Recipe, *, force: bool = False, probed: bool = False) -> Run:
    """Train one model, and evaluate it on the rows that are held out.

    Args:
        recipe: The recipe of one model.
        force: Whether to overwrite a previous run in `output_dir`.
        probed: Whether a model of this kind was probed and timed already.
    """
    output_dir = Path(recipe.output_dir)
    check_start(recipe)
    check_output(output_dir, force=force, resume=recipe.resume)
    checkpoint = find_checkpoint(recipe) if recipe.resume else None
    prepared = _checked(recipe, prepare(recipe), probed=probed or checkpoint is not None)
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
    more = {"taught_rows": prepared.taught, "few_rows": prepared.few_rows, "label_texts": prepared.label_texts}
    record = training_record(trainer, clock, prepared.rows, counts) | parameters
    record |= {name: each for name, each in more.items() if each}
    outputs = {name: answers_to(trainer, rows) for name, rows in prepared.rows.items() if name != "train"}
    tasks = trainer.model.config.tasks
    answers = {name: (logits, most_probable(labels, tasks)) for name, (logits, labels) in outputs.items()}
    calibration = calibrate(recipe, trainer.model.config, answers)
    results = {name: multi_task_metrics(*each, trainer.model.config.tasks) for name, each in outputs.items()}
    run = Run(output_dir / "model", results, counts, record, whole_model(trainer), tokenizer, answers)
    if not trainer.is_world_process_zero():
        return run
    return _written(recipe, prepared, run, outputs, calibration, timed=not probed)


def _checked(recipe: Recipe, prepared: Prepared, *, probed: bool) -> Prepared:
    """Check the space on the disk, and a small step unless it was probed. Only then, ask the teachers."""
    first, probing = prepared.trainer.is_world_process_zero(), recipe.probe and not probed
    if first:
        check_space(recipe, prepared.trainer)
        if probing:
            probe(recipe, prepared)
    ready = ask_teachers(recipe, prepared)
    if first and probing:
        warn_of_memory(ready.trainer, estimated_memory(ready.trainer))
    return ready


def _written(
    recipe: Recipe,
    prepared: Prepared,
    run: Run,
    outputs: dict[str, Answers],
    calibration: dict[str, Any],
    *,
    timed: bool,
) -> Run:
    """Write the model, its results, the time of its teachers if `timed`, and the report. Return the run with them."""
    trainer, rows = prepared.trainer, prepared.rows
    tasks = trainer.model.config.tasks  # calibrated
    judgements = judge_tasks(recipe, rows, trainer, run.answers)
    pairs = TEXT_PAIR in (rows["train"].column_names or ())
    teachers = teachers_to_judge(recipe, tasks, device=trainer.args.device, pairs=pairs)
    judgements = judge_teachers(teachers, judgements, _splits(rows, run.answers, tasks))
    results = with_judgements(run.results, judgements)
    model = save_output(recipe, run.model, run.tokenizer, results, calibration, trainer.state.log_history)
    change = embedding_change(recipe, rows, trainer, model, run.tokenizer)
    times = time_teachers(teachers, model, run.tokenizer, timed_texts(rows)) if timed else {}
    found = {"embedding": change and change.as_json(), "teachers": times}
    record = run.record | {name: each for name, each in found.items() if each}
    save_record(recipe, record)
    notes = [*calibration_notes(calibration), *embedding_notes(recipe, rows, change)]
    notes += [time_in_words(times)] if times else []
    write_reports(recipe, rows, outputs, model.config.tasks, judgements, notes=notes)
    return replace(run, results=results, record=record, model=model)


def _splits(rows: RowsBySplit, answers: dict[str, Answers], tasks: list[TaskConfig]) -> Iterator[JudgedSplit]:
    for name, (logits, labels) in answers.items():
        yield JudgedSplit(name, row_texts(rows[name]), decide_arrays(logits, tasks), labels)


def write_reports(
    recipe: Recipe,
    rows: RowsBySplit,
    outputs: dict[str, Answers],
    tasks: list[TaskConfig],
    judgements: Judgements,
    *,
    notes: Sequence[str] = (),
) -> None:
    """Write the report on the test rows, or else the validation rows, next to the model.

    Args:
        recipe: The recipe.
        rows: The rows by split.
        outputs: The logits, and the labels with the soft ones, by split.
        tasks: The model's tasks.
        judgements: The judgement on each task and split.
        notes: Notes on the calibration and on the embedding.
    """
    split = next((name for name in ("test", "validation") if name in outputs), None)
    if split is None or not recipe.report:
        return
    logits, targets = outputs[split]
    held_out = rows[split]
    soft = soft_among(targets, tasks)
    judged = Judged(
        tasks,
        row_texts(held_out),
        logits,
        most_probable(targets, tasks),
        row_lengths(held_out),
        soft=soft,
        places=row_places(held_out),
        raters=shares_of_raters(held_out, soft, tasks),
    )
    agreement = notes_on_agreement(rows[split])
    notes = [*([CHOSEN_BY] if split == "validation" else []), *agreement, *notes]
    save_report(recipe, judged, split=split, notes=notes, judgements=judgements[split])


def whole_model(trainer: MultiTaskTrainer) -> MultiTaskModel | PeftModel:
    """Return the trained model. With FSDP, its weights are gathered, so all processes must call this function."""
    if not trainer.is_fsdp_enabled:
        return trainer.model
    weights = trainer.accelerator.get_state_dict(trainer.model)  # only the first process gets the weights
    model = MultiTaskModel(trainer.model.config)  # FSDP has replaced the class of the model
    if weights:
        model.load_state_dict(weights)
    return model.to(trainer.args.device).eval()


def answers_to(trainer: MultiTaskTrainer, rows: Dataset) -> Answers:
    """Return the logits of the model and the labels, by task name."""
    output = trainer.predict(rows)
    return output.predictions, output.label_ids


def evaluate(trainer: MultiTaskTrainer, rows: Dataset) -> dict[str, Any]:
    """Return the metrics of each task over its labelled rows, and the `score`."""
    return multi_task_metrics(*answers_to(trainer, rows), trainer.model.config.tasks)
