"""Quality of the quickstart on held-out rows, compared with logistic regression on a frozen encoder.

python -m benchmarks.quality [key=value ...]

Both use the same rows, once with all labels and once with a third of each task's labels hidden. Seeds 0, 1 and 2
determine the split, the hidden labels, the initial weights and the row order of both. The baseline's embeddings are
pooled and normalised as the encoder's own settings say. Overrides are those of the train command. Each run is saved at
once, and a run that is in the results with the same overrides is not repeated.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from modeling_multitask.evaluation.baseline import linear_probe
from modeling_multitask.files import write_json
from modeling_multitask.inference import encode
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.runs.start import build_model, load_tokenizer
from modeling_multitask.training.label_columns import labels_of_table

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "quickstart.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
SEEDS = (0, 1, 2)
LABELS = {"all labels": ["data.hide_labels=null"], "a third hidden": []}


def main(overrides: list[str]) -> None:
    """Measure, print and write the test accuracy of every task, for each seed and as a mean."""
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    runs = before.get("runs", []) if before.get("overrides") == overrides else []
    for seed in SEEDS:
        for labels, hiding in LABELS.items():
            for method, measure in (("logistic regression", _logistic_regression), ("quickstart", _quickstart)):
                run = {"labels": labels, "method": method, "seed": seed}
                if not any(run.items() <= each.items() for each in runs):
                    runs.append(run | {"accuracy": _measure(measure, [f"seed={seed}", *hiding, *overrides])})
                    print(json.dumps(runs[-1]), flush=True)
                    write_json(RESULTS, {"overrides": overrides, "mean": _means(runs), "runs": runs})


def _means(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["labels"], run["method"]), []).append(run)
    return [
        {
            "labels": labels,
            "method": method,
            "seeds": [run["seed"] for run in alike],
            "accuracy": {task: mean(run["accuracy"][task] for run in alike) for task in alike[0]["accuracy"]},
        }
        for (labels, method), alike in groups.items()
    ]


def _measure(measure: Callable[[Recipe], dict[str, float]], overrides: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure(load_recipe(RECIPE, [*overrides, f"output_dir={folder}/run"]))


def _quickstart(recipe: Recipe) -> dict[str, float]:
    test = run_recipe(recipe).results["test"]
    return {task.name: test[task.name]["accuracy"] for task in recipe.tasks}


def _logistic_regression(recipe: Recipe) -> dict[str, float]:
    recipe = replace(recipe, pooling=None, normalize=None)  # those of the encoder itself
    dataset, tasks = build_dataset(recipe)
    tokenizer = load_tokenizer(recipe)
    model = build_model(recipe, tasks, tokenizer)
    train, test = (dataset[split] for split in ("train", "test"))
    embeddings, rows = (encode(model, each["text"], tokenizer=tokenizer) for each in (train, test))
    labels, truth = (labels_of_table(each, model.config.tasks) for each in (train, test))
    accuracy = {}
    for task in model.config.tasks:
        probe = linear_probe(task, labels[task.name].numpy(), embeddings, {"test": rows})
        assert probe is not None
        accuracy[task.name] = probe.metrics("test", task, truth[task.name].numpy())["accuracy"]
    return accuracy


if __name__ == "__main__":
    main(sys.argv[1:])
