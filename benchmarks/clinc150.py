"""Intent and domain of CLINC150 with out-of-scope rows in training, compared with the table of Larson et al. 2019.

python -m benchmarks.clinc150 [--seeds 0 1 2] [key=value ...]

Trains `configuration/recipes/clinc150.yaml` for each seed. Accuracy is measured on in-scope rows, where the answer
`oos` is wrong. Recall is that of the intent head's label `oos` on out-of-scope rows. Settings are chosen on the
validation rows. The test rows are evaluated once, with the checkpoint chosen on validation. Overrides are those of the
train command. Each run is saved at once, and a seed that is in the results with the same overrides is not repeated.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean

from datasets import Dataset

from modeling_multitask.files import write_json
from modeling_multitask.inference import predict
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.runs.rows import build_dataset
from modeling_multitask.runs.run import Run, run_recipe

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configuration" / "recipes" / "clinc150.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "clinc150.json"
OUT_OF_SCOPE = "oos"


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures of every seed and their mean."""
    parser = argparse.ArgumentParser(prog="benchmarks.clinc150")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_intermixed_args(argv)
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    runs = before["runs"] if before.get("overrides") == arguments.overrides else []
    for seed in arguments.seeds:
        if any(each["seed"] == seed for each in runs):
            continue
        with tempfile.TemporaryDirectory() as folder:
            recipe = load_recipe(RECIPE, [*arguments.overrides, f"seed={seed}", f"output_dir={folder}/run"])
            run = run_recipe(recipe)
            dataset, _ = build_dataset(recipe)
            runs.append({"seed": seed, **{split: figures(run, dataset[split]) for split in ("validation", "test")}})
            print(json.dumps(runs[-1]), flush=True)
        means = {
            split: {name: mean(run[split][name] for run in runs) for name in runs[0][split]}
            for split in ("validation", "test")
        }
        write_json(RESULTS, {"overrides": arguments.overrides, "runs": runs, "mean": means})


def figures(run: Run, rows: Dataset) -> dict[str, float]:
    """Return the in-scope accuracy of both tasks, and the out-of-scope recall."""
    answers = predict(run.model, rows["text"], tokenizer=run.tokenizer)
    right: dict[str, list[bool]] = {"intent": [], "domain": [], OUT_OF_SCOPE: []}
    for task in run.model.config.tasks:
        for answer, label in zip(answers, rows[task.name], strict=True):
            name = (task.labels or [])[label]
            correct = answer[task.name]["label"] == name
            if name != OUT_OF_SCOPE:
                right[task.name].append(correct)
            elif task.name == "intent":
                right[OUT_OF_SCOPE].append(correct)
    return {"intent": mean(right["intent"]), "domain": mean(right["domain"]), "oos_recall": mean(right[OUT_OF_SCOPE])}


if __name__ == "__main__":
    main()
