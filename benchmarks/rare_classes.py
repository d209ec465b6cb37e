"""The effect of class weights on rare classes.

python -m benchmarks.rare_classes [--seeds 0 1 2] [key=value ...]

The rows are all negative and positive sentences about films and restaurants, and 90 of each about products. Two of the
four classes have 4 % of the rows each. The recipe is trained without and with `class_weights: balanced`, and is
otherwise unchanged. The seed determines the rows, the split and the training. The test rows are evaluated once, with
the checkpoint chosen on validation.
"""

import argparse
import csv
import json
import random
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from modeling_multitask.evaluation.figures import task_figures
from modeling_multitask.evaluation.judged import judge
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe

ROOT = Path(__file__).parents[1]
RECIPE = Path(__file__).parent / "rare_classes.yaml"
REVIEWS = ROOT / "configuration" / "recipes" / "data" / "reviews.csv"
RESULTS = ROOT / "benchmarks" / "results" / "rare_classes.json"
RARE = 90  # rows of each rare class


def main(argv: list[str] | None = None) -> None:
    """Measure and print each run and the means, and write them to the results under the overrides."""
    parser = argparse.ArgumentParser(prog="benchmarks.rare_classes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args(argv)
    runs = []
    for seed in arguments.seeds:
        for weights in ("null", "balanced"):
            runs.append({"seed": seed, "class_weights": weights, **figures(seed, weights, arguments.overrides)})
            print(json.dumps(runs[-1]), flush=True)
    means = {
        weights: mean(run["macro_f1"][0] for run in runs if run["class_weights"] == weights)
        for weights in ("null", "balanced")
    }
    print(json.dumps(means))
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    content[" ".join(arguments.overrides) or "as the recipe says"] = {"runs": runs, "mean_macro_f1": means}
    RESULTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def figures(seed: int, weights: str, overrides: list[str]) -> dict[str, Any]:
    """Return the recall of each class, and accuracy and macro-F1 with their intervals, on the test rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.csv", seed)
        (folder / RECIPE.name).write_text(RECIPE.read_text(encoding="utf-8"), encoding="utf-8")
        given = [f"tasks.0.class_weights={weights}", f"seed={seed}", f"output_dir={folder}/run", *overrides]
        recipe = load_recipe(folder / RECIPE.name, given)
        run = run_recipe(recipe)
        rows, _ = build_dataset(recipe)
        judged = judge(run.model, rows["test"], run.tokenizer)
        found = task_figures(judged.tasks[0], judged.decisions["kind"], judged.labels["kind"])
    return {
        "recall": {label: each.recall for label, each in found.classes.items()},
        "support": {label: each.support for label, each in found.classes.items()},
        "accuracy": found.figures["accuracy"],
        "macro_f1": found.figures["macro_f1"],
    }


def write_rows(path: Path, seed: int) -> None:
    """Write the table with the columns text and kind."""
    with REVIEWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [(row["text"], row["sentiment"]) for row in rows if row["domain"] != "product"]
    for sentiment in ("negative", "positive"):
        products = [row["text"] for row in rows if (row["domain"], row["sentiment"]) == ("product", sentiment)]
        kept += [(text, f"product {sentiment}") for text in random.Random(seed).sample(products, RARE)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "kind"])
        writer.writerows(kept)


if __name__ == "__main__":
    main()
