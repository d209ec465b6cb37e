"""Intent and domain of CLINC150 decided together, compared with the same heads decided separately.

python -m benchmarks.consistency MODEL [MODEL ...]

Each MODEL is trained with `configuration/recipes/clinc150.yaml` and a different seed. For intents, `given: {task:
domain}` does not change training, because every intent has a domain. It only changes how the two answers are chosen.
The test rows are evaluated in both ways. The figures are the share of rows whose intent belongs to their domain, the
accuracy of each task on all 5,500 rows, and the difference with its paired bootstrap interval.
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
    """Measure, print and write the figures of every model."""
    parser = argparse.ArgumentParser(prog="benchmarks.consistency")
    parser.add_argument("models", nargs="+", help="models trained with the recipe")
    rows, _ = build_dataset(load_recipe(RECIPE))
    runs = []
    for folder in parser.parse_args(argv).models:
        model, tokenizer = load(folder)
        domain, intent = model.config.tasks
        dependent = with_condition(intent, domain, rows["train"], GivenConfig("domain"))
        judged = judge(model, rows["test"], tokenizer)
        ways = {"separate": [domain, intent], "together": [domain, dependent]}
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
    """Return the consistency and accuracies of both ways, and the differences in accuracy."""
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
        gain = right["together"][task].astype(float) - right["separate"][task]
        means = [gain[rng.integers(len(gain), size=len(gain))].mean() for _ in range(RESAMPLES)]
        figures[f"{task}_difference"] = [float(gain.mean()), *map(float, np.quantile(means, [0.025, 0.975]))]
    return figures


if __name__ == "__main__":
    main()
