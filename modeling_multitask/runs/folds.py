"""Cross-validation: each fold of the training rows is judged by a model that is trained on the other folds.

Shapes: N rows of all folds.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from tqdm import tqdm

from datasets_builder.agreement import notes_on_agreement
from datasets_builder.columns import TEXT_PAIR

from .. import MultiTaskConfig, TaskConfig
from ..evaluation.baseline import Baseline, constant, linear_probe
from ..evaluation.figures import task_figures
from ..evaluation.intervals import FEWEST_ROWS, LEVEL
from ..evaluation.judged import Judged, judge
from ..evaluation.judged_folds import JudgedFolds, join_folds
from ..evaluation.judgement import Judgement, judgement
from ..evaluation.verdict import NEVER_ANSWERED
from ..files import write_json
from ..inference.loading import load
from ..recipes.recipe import Recipe
from ..training.metrics import labelled_rows_of, multi_task_metrics
from .baselines import embeddings
from .fold_sizes import fold_recipe
from .judgements import with_judgements
from .outputs import save_report
from .recorded import recorded_rows
from .taught import JudgedSplit, judge_teachers, teachers_to_judge

CORRELATIONS = ("spearman", "r2")
Results = dict[str, Any]  # the metrics of each task and the score, on the rows of one split


def cross_validate(
    recipe: Recipe, results: dict[str, Results], train: Callable[[Recipe], Any], *, notes: Sequence[str] = ()
) -> Results:
    """Train a model for each fold, and judge its fold with it. Write the results on all rows, and the report.

    Complete folds of a run that is resumed are not trained again.

    Args:
        recipe: The recipe with `data.split.folds`. Its final model is in `output_dir`.
        results: The results of the final model by split.
        train: Trains the model of a recipe and returns its `Run`.
        notes: Notes on the final model, for the report.

    Returns:
        The results on all rows, each judged by the model of its fold.
    """
    main = PartialState().is_main_process
    say = tqdm.write if main and not recipe.training.get("disable_tqdm") else _say_nothing
    count = recipe.data.split.folds
    for number, (each, complete) in enumerate(_recipes(recipe), start=1):
        if complete:
            say(f"fold {number} of {count}: already complete")
            continue
        say(f"fold {number} of {count}: {describe_results(train(each).results['test'])}")
        if main:
            shutil.rmtree(Path(each.output_dir) / "checkpoints", ignore_errors=True)
    found = [_judge_all(recipe, results, notes) if main else None]
    broadcast_object_list(found)
    return dict(found[0] or {})


def describe_results(results: Results) -> str:
    """Return `score 0.912; labelled rows: topic 20, sentiment 18`."""
    rows = ", ".join(f"{name} {each['rows']}" for name, each in results.items() if name != "score")
    return f"score {results['score']:.3f}; labelled rows: {rows}"


def _recipes(recipe: Recipe) -> list[tuple[Recipe, bool]]:
    """Return the recipe of each fold, and whether its run is complete. All processes return the same."""
    folders = _folders(recipe)
    # The first process tells the others, because they may see its files later.
    states = [((each / "results.json").is_file(), (each / "recipe.json").is_file()) for each in folders]
    broadcast_object_list(states)
    plain = replace(recipe, report=False, similarity=None)
    return [
        (fold_recipe(plain, number, output_dir=folder.as_posix(), resume=started), complete)
        for number, (folder, (complete, started)) in enumerate(zip(folders, states, strict=True), start=1)
    ]


def _folders(recipe: Recipe) -> list[Path]:
    return [Path(recipe.output_dir) / "folds" / str(i + 1) for i in range(recipe.data.split.folds or 0)]


def _judge_all(recipe: Recipe, results: dict[str, Results], notes: Sequence[str]) -> Results:
    """Judge each fold with its model, write the results, and return those on all rows."""
    output, folders = Path(recipe.output_dir), _folders(recipe)
    rows, folds = zip(*map(_judged, folders), strict=True)
    judged = join_folds(list(folds), MultiTaskConfig.from_pretrained(output / "model").tasks)
    device, pairs = PartialState().device, TEXT_PAIR in rows[0].column_names
    teachers = teachers_to_judge(recipe, judged.tasks, device=device, pairs=pairs)
    split = JudgedSplit("test", judged.texts, judged.decisions, judged.labels)
    judgements = judge_teachers(teachers, {"test": _judgements(recipe, judged, list(folds), list(rows))}, [split])[
        "test"
    ]
    found = multi_task_metrics(judged.logits, judged.targets, judged.tasks, decisions=judged.decisions)
    found = with_judgements({"test": found}, {"test": judgements})["test"]
    write_json(output / "folds.json", _summary(judged, list(folds), found))
    write_json(output / "results.json", {**results, "test": found})
    if recipe.report:
        note = (
            f"{len(folds)}-fold cross-validation: each row was judged by a model that was trained without its fold, "
            "with the temperature and thresholds of that model. The final model was trained on all rows"
        )
        agreement = notes_on_agreement(rows[0])
        save_report(recipe, judged, split="test", notes=[note, *agreement, *notes], judgements=judgements)
    return found


def _judged(folder: Path) -> tuple[Dataset, Judged]:
    model, tokenizer = load(str(folder / "model"))
    found = recorded_rows(model.config.tasks, str(folder / "model"))
    if found is None:
        raise FileNotFoundError(f"{folder} has no recipe.json; train again with --force")
    return found.rows, judge(model, found.rows, tokenizer, sources=found.sources)


def _judgements(recipe: Recipe, judged: JudgedFolds, folds: list[Judged], rows: list[Dataset]) -> dict[str, Judgement]:
    """Return the judgement on each task."""
    results = [json.loads((each / "results.json").read_text(encoding="utf-8")) for each in _folders(recipe)]
    embedded = None
    if any("linear_probe" in each for each in results[0]["test"].values() if isinstance(each, dict)):
        named = {f"fold {number}": each for number, each in enumerate(rows, start=1)}
        embedded = list(embeddings(recipe, named, judged.tasks, PartialState().device).values())
    return {
        task.name: judgement(
            task,
            judged.decisions[task.name],
            judged.labels[task.name],
            _baselines(
                task,
                [fold.labels[task.name] for fold in folds],
                embedded if "linear_probe" in results[0]["test"][task.name] else None,
            ),
            "test",
            notes=_shared_notes(results, task.name),
        )
        for task in judged.tasks
    }


def _shared_notes(results: list[dict[str, Results]], task: str) -> list[str]:
    """Return the notes on a task that the verdicts of all folds have, except on the answers."""
    verdicts = [each["test"][task].get("verdict") for each in results]
    notes = [[] if each is None else each["notes"] for each in verdicts]
    return [note for note in notes[0] if all(note in each for each in notes) and not note.startswith(NEVER_ANSWERED)]


def _baselines(task: TaskConfig, labels: list[np.ndarray], embedded: list[np.ndarray] | None) -> list[Baseline]:
    """Return the baselines of a task on all rows: the constant of all rows, and linear probes without the row's fold.

    A constant without the row's fold would be too weak: the most frequent label of the other folds is rare in this one.

    Args:
        task: The task.
        labels: The labels of the rows of each fold.
        embedded: The embeddings of the rows of each fold.
    """
    every = constant(task, np.concatenate(labels), {"test": sum(map(len, labels))})
    if embedded is None or every is None:
        return [] if every is None else [every]
    fitted = []
    for fold, own in enumerate(embedded):
        others, known = (
            np.concatenate([each for i, each in enumerate(parts) if i != fold]) for parts in (labels, embedded)
        )
        fitted.append(linear_probe(task, others, known, {"test": own}))
    found = [each for each in fitted if each is not None]  # a task may have no label in the other folds
    if len(found) < len(fitted):
        return [every]
    return [every, Baseline(found[0].name, {"test": np.concatenate([each.answers["test"] for each in found])})]


def _summary(judged: JudgedFolds, folds: list[Judged], results: Results) -> dict[str, Any]:
    """Return the content of `folds.json`: the main metric of each task on all rows, and on each fold."""
    by_fold = [multi_task_metrics(each.logits, each.targets, each.tasks) for each in folds]
    tasks = {}
    for task in judged.tasks:
        name, metric = task.name, task.main_metric
        if not results[name]["rows"]:
            continue
        figures = task_figures(task, judged.decisions[name], judged.labels[name], only=metric).figures
        known = [fold.labels[name][labelled_rows_of(fold.labels[name], task.kind)] for fold in folds]
        # A correlation is undefined if all labels of a fold are equal.
        values = [
            None if metric in CORRELATIONS and len(np.unique(labels)) < 2 else each[name].get(metric)
            for each, labels in zip(by_fold, known, strict=True)
        ]
        over_folds = _over_folds(values)
        if metric in CORRELATIONS and min(map(len, known)) < FEWEST_ROWS:  # correlations of a few rows say nothing
            over_folds["mean"] = None
        tasks[name] = {"metric": metric, **figures[metric]._asdict(), **over_folds}
    return {
        "folds": len(folds),
        "rows": [len(each.texts) for each in folds],
        "level": LEVEL,
        "tasks": tasks,
        "score": {"value": results["score"], **_over_folds([each["score"] for each in by_fold])},
    }


def _over_folds(values: list[float | None]) -> dict[str, Any]:
    """Return the mean over the folds that have a value, and the value of each fold."""
    there = [each for each in values if each is not None and np.isfinite(each)]
    return {"mean": float(np.mean(there)) if there else None, "by_fold": values}


def _say_nothing(_line: str) -> None:
    """Take the place of `tqdm.write` in other processes and without progress output."""
