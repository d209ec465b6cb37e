"""Refusing out-of-scope rows of CLINC150 by a threshold on the score, the energy, or the distance to training rows.

python -m benchmarks.out_of_scope [--trained with without] [--seeds 0 1 2] [--models FOLDER ...] [key=value ...]

Trains `configuration/recipes/clinc150.yaml` for each seed, with and without the out-of-scope rows (`oos`), or uses
trained models, given in the order of the seeds. As in Larson et al. 2019, the threshold maximises the number of correct
`_val` rows, in scope and out of scope. It is then applied to the test rows. Accuracy is that of intents on in-scope
rows, where a refused row is wrong. Recall is the share of out-of-scope rows that are refused or answered with `oos`.
Overrides are those of the train command. Results with other overrides are kept.

The scores are higher for rows that are more in scope:

- `score`: the probability of the answer.
- `energy`: the log-sum-exp of the logits (Liu et al. 2020).
- `distance`: the mean cosine to the five nearest in-scope training sentences (Sun et al. 2022).
- `answer`: refuses nothing, so only rows answered with `oos` are found.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from modeling_multitask.inference import encode
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.text_encoder import TextEncoder
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import run_recipe

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "clinc150.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "out_of_scope.json"
OUT_OF_SCOPE = "oos"
NEIGHBOURS = 5
WITHOUT = [
    f"tasks.{i}.missing=[{OUT_OF_SCOPE}]" for i in (0, 1)
]  # out-of-scope rows then have no label and are not trained on


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures of every seed and their means."""
    parser = argparse.ArgumentParser(prog="benchmarks.out_of_scope")
    parser.add_argument("--trained", nargs="+", choices=("with", "without"), default=["with", "without"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", default=[], help="a trained model for each seed, instead of training")
    parser.add_argument("--called", help="the name of the overrides in the results (default: the overrides)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    arguments = parser.parse_intermixed_args(argv)
    called = " ".join(arguments.overrides) if arguments.called is None else arguments.called
    rows, _ = build_dataset(load_recipe(RECIPE))
    for trained in arguments.trained:
        for i, seed in enumerate(arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                given = [*arguments.overrides, *([] if trained == "with" else WITHOUT)]
                model = arguments.models[i] if arguments.models else _train([*given, f"seed={seed}"], Path(folder))
                found = judged(model, rows)
            runs = [{"recipe": called, "trained": trained, "seed": seed, **each} for each in found]
            print(*map(json.dumps, runs), sep="\n", flush=True)
            means = _add(runs, arguments.output)
    print(*map(json.dumps, means), sep="\n")


def judged(folder: str, rows: dict[str, Dataset]) -> list[dict[str, Any]]:
    """Return the figures of validation and test rows for each score, with the threshold chosen on validation."""
    model, tokenizer = load(folder)
    task = next(each for each in model.config.tasks if each.name == "intent")
    names = rows["train"].features["intent"].names
    ids, out = np.array([names.index(label) for label in task.labels or ()]), names.index(OUT_OF_SCOPE)
    truth = {split: np.array(rows[split]["intent"]) for split in ("validation", "test")}
    seen = np.flatnonzero(np.array(rows["train"]["intent"]) != out)
    near = _unit(encode(model, rows["train"].select(seen)["text"], tokenizer=tokenizer))
    scores: dict[str, dict[str, np.ndarray]] = {"answer": {}, "score": {}, "energy": {}, "distance": {}}
    answers = {}
    for split in truth:
        texts = list(rows[split]["text"])
        outputs = TextEncoder(model, tokenizer, dtype=model.dtype).run(texts)
        logits = torch.from_numpy(outputs.logits["intent"]).double() / task.temperature
        embeddings = _unit(outputs.embeddings)
        answers[split] = ids[logits.argmax(dim=-1).numpy()]
        scores["answer"][split] = np.ones(len(texts))
        scores["score"][split] = logits.softmax(dim=-1).amax(dim=-1).numpy()
        scores["energy"][split] = logits.logsumexp(dim=-1).numpy()
        scores["distance"][split] = np.sort(embeddings @ near.T, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
    found = []
    for kind, each in scores.items():
        least = best_threshold(each["validation"], answers["validation"], truth["validation"], out)
        figures = {split: _figures(each[split], answers[split], truth[split], out, least) for split in truth}
        found.append({"by": kind, "threshold": least, **figures})
    return found


def best_threshold(scores: np.ndarray, answers: np.ndarray, truth: np.ndarray, out: int) -> float:
    """Return the threshold below which answers are refused, so that most rows are correct. Ties take the lowest."""
    order = np.argsort(scores, kind="stable")
    # Refuse one more row at a time, lowest score first: it loses a correct answer, or gains an out-of-scope row.
    gain = np.cumsum((truth == out)[order].astype(int) - (answers == truth)[order].astype(int))
    best = int(np.argmax(np.append(0, gain)))
    return float(scores[order[best]]) if best < len(scores) else float("inf")


def _figures(scores: np.ndarray, answers: np.ndarray, truth: np.ndarray, out: int, least: float) -> dict[str, float]:
    given, there = np.where(scores < least, out, answers), truth != out
    right = given == truth
    return {"in_scope": float(right[there].mean()), "oos_recall": float(right[~there].mean())}


def _train(overrides: list[str], folder: Path) -> str:
    return str(run_recipe(load_recipe(RECIPE, [*overrides, f"output_dir={folder}/run"])).folder)


def _add(runs: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Write the runs, replacing earlier runs with the same settings, and return the means over the seeds."""

    def settings(run: dict[str, Any]) -> tuple[Any, ...]:
        return run["recipe"], run["trained"], run["seed"], run["by"]

    before = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else []
    every = list({settings(run): run for run in [*before, *runs]}.values())
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in every:
        groups.setdefault((run["recipe"], run["trained"], run["by"]), []).append(run)
    means = [_mean(*key, alike) for key, alike in groups.items()]
    path.write_text(json.dumps({"runs": every, "mean": means}, indent=2) + "\n", encoding="utf-8")
    return means


def _mean(recipe: str, trained: str, kind: str, alike: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {
        split: {name: mean(run[split][name] for run in alike) for name in ("in_scope", "oos_recall")}
        for split in ("validation", "test")
    }
    return {"recipe": recipe, "trained": trained, "by": kind, "seeds": [run["seed"] for run in alike], **figures}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
