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
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from benchmarks.few_works import FEW_WORKS, MINILM, RECIPES, few_work
from benchmarks.saved_runs import SavedRuns
from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.baseline import Baseline, constant, linear_probe
from modeling_multitask.evaluation.judged import judge
from modeling_multitask.inference import encode
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.recipes.yaml_file import read_yaml
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import build_model, load_tokenizer
from modeling_multitask.training.label_columns import labels_of_table

ROOT = Path(__file__).parents[1]
RESULTS = {
    split: SavedRuns(ROOT / "benchmarks" / "results" / f"{name}.json", "regression", ("defaults",))
    for split, name in {"test": "defaults", "validation": "defaults_tuning"}.items()
}
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
                if not RESULTS[arguments.split].has(run):
                    run["tasks"] = measured(name, seed, method, overrides, arguments.split, arguments.data)
                    RESULTS[arguments.split].add(run)


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
    if name in FEW_WORKS:  # the published rows of HWU64 with every seed
        return few_work(name, seed if name == "reviews_16" else 0, split, folder, folders), folder
    path = RECIPES / f"{name}.yaml"
    if name in CASES:
        path = next(each / name / "recipe.yaml" for each in folders if (each / name / "recipe.yaml").is_file())
    return _without_training(path, split), path.parent


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
    train, held_out = (labels_of_table(rows[name], model.config.tasks) for name in ("train", split))
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


def _labelled(task: TaskConfig, labels: np.ndarray) -> np.ndarray:
    return np.isfinite(labels) if task.kind.is_number else labels >= 0


if __name__ == "__main__":
    main()
