"""Quality of the quickstart on held-out rows, compared with logistic regression on a frozen encoder.

python -m benchmarks.quality [key=value ...]

Both use the same rows, once with all labels and once with a third of each task's labels hidden. Seeds 0, 1 and 2
determine the split, the hidden labels, the initial weights and the row order of both. Overrides are those of the train
command.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean

from sklearn.linear_model import LogisticRegression

from modeling_multitask.inference import encode
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.prepare import build_model, load_tokenizer
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "quickstart.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
SEEDS = (0, 1, 2)
LABELS = {"all labels": ["data.hide_labels=null"], "a third hidden": []}


def main(overrides: list[str]) -> None:
    """Measure, print and write the test accuracy of every task, for each seed and as a mean."""
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    for labels, hiding in LABELS.items():
        for method, measure in (("logistic regression", _logistic_regression), ("quickstart", _quickstart)):
            runs = [_measure(measure, [f"seed={seed}", *hiding, *overrides]) for seed in SEEDS]
            by_task = {task: [run[task] for run in runs] for task in runs[0]}
            results.setdefault(labels, {})[method] = by_task
            print(labels, method, *(f"{task} {mean(values):.2%}" for task, values in by_task.items()), sep="  ")
    RESULTS.parent.mkdir(exist_ok=True)
    content = {"metric": "accuracy on test rows", "seeds": SEEDS, "overrides": overrides, "results": results}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")


def _measure(measure: Callable[[Recipe], dict[str, float]], overrides: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure(load_recipe(RECIPE, [*overrides, f"output_dir={folder}/run"]))


def _quickstart(recipe: Recipe) -> dict[str, float]:
    test = run_recipe(recipe).results["test"]
    return {task.name: test[task.name]["accuracy"] for task in recipe.tasks}


def _logistic_regression(recipe: Recipe) -> dict[str, float]:
    dataset, tasks = build_dataset(recipe)
    model, tokenizer = build_model(recipe, tasks), load_tokenizer(recipe)
    embeddings = {split: encode(model, dataset[split]["text"], tokenizer=tokenizer) for split in ("train", "test")}
    accuracy = {}
    for task in tasks:
        labels = dataset["train"][task.name]
        present = [i for i, label in enumerate(labels) if label is not None]
        classifier = LogisticRegression(max_iter=1000)
        classifier.fit(embeddings["train"][present], [labels[i] for i in present])
        accuracy[task.name] = float(classifier.score(embeddings["test"], dataset["test"][task.name]))
    return accuracy


if __name__ == "__main__":
    main(sys.argv[1:])
