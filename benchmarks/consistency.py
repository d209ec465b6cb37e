"""Intent and domain of CLINC150 chosen together, beside the same heads read one by one.

python -m benchmarks.consistency MODEL [MODEL ...]

Each MODEL was trained by `configuration/recipes/clinc150.yaml` with a seed of its own. For intents `given: {task:
domain}` changes nothing in training, since every intent has a domain; it says how the two answers are chosen. Test rows
are judged both ways: the share of rows whose intent belongs to their domain, the accuracy of each task over all 5,500
rows, and the difference with its paired bootstrap interval.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from modeling_multitask.evaluation.judged import judge
from modeling_multitask.inference.loading import load
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.tasks_multitask import GivenConfig
from modeling_multitask.training.conditions import with_condition
from modeling_multitask.training.metrics import decide_arrays

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "clinc150.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "consistency.json"
RESAMPLES = 2_000


def main(argv: list[str] | None = None) -> None:
    """Measures, prints and writes the figures of every model."""
    parser = argparse.ArgumentParser(prog="benchmarks.consistency")
    parser.add_argument("models", nargs="+", help="trained by the recipe")
    rows, _ = build_dataset(load_recipe(RECIPE))
    runs = []
    for folder in parser.parse_args(argv).models:
        model, tokenizer = load(folder)
        domain, intent = model.config.tasks
        dependent = with_condition(intent, domain, rows["train"], GivenConfig("domain"))
        judged = judge(model, rows["test"], tokenizer)
        ways = {"alone": [domain, intent], "together": [domain, dependent]}
        chosen = {
            name: {task: each.chosen for task, each in decide_arrays(judged.logits, tasks).items()}
            for name, tasks in ways.items()
        }
        runs.append(compared(chosen, judged.labels, dependent.given.parents, domain.labels, intent.labels))
        print(json.dumps(runs[-1]), flush=True)
    RESULTS.write_text(json.dumps({"runs": runs}, indent=2) + "\n", encoding="utf-8")


def compared(
    chosen: dict[str, dict[str, np.ndarray]],
    labels: dict[str, np.ndarray],
    parents: dict[str, str],
    domains: list[str],
    intents: list[str],
) -> dict[str, Any]:
    """Consistency and accuracies of both ways, and their differences."""
    domain_of = np.array([domains.index(parents[intent]) for intent in intents])
    right = {way: {task: each[task] == labels[task] for task in each} for way, each in chosen.items()}
    figures: dict[str, Any] = {
        way: {
            "consistent": float((domain_of[each["intent"]] == each["domain"]).mean()),
            **{task: float(right[way][task].mean()) for task in each},
            "both": float((right[way]["intent"] & right[way]["domain"]).mean()),
        }
        for way, each in chosen.items()
    }
    rng = np.random.default_rng(0)
    for task in ("domain", "intent"):
        gain = right["together"][task].astype(float) - right["alone"][task]
        means = [gain[rng.integers(len(gain), size=len(gain))].mean() for _ in range(RESAMPLES)]
        figures[f"{task}_difference"] = [float(gain.mean()), *map(float, np.quantile(means, [0.025, 0.975]))]
    return figures


if __name__ == "__main__":
    main()
