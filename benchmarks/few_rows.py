"""Few rows of each label: the defaults of a recipe, compared with SetFit 1.2 and logistic regression.

    python -m benchmarks.few_rows --data FOLDER --setfit PYTHON [--works NAME ...] [--methods NAME ...] [--draws 0 ...]

Works: the reviews with 8 and 16 rows of each class and task (ten draws), and HWU64 with 5 and 10 rows of each intent
(three draws). The draw is the seed of the rows and of the training. HWU64 is not part of the repository. Its folder is
`--data`, with `hwu64_train_5.csv` and `hwu64_train_10.csv` (draw 0), `hwu64_train.jsonl` (the other draws),
`hwu64_val.jsonl` and `hwu64_test.jsonl`.

Methods: `regression` is a logistic regression for each task on the embeddings of the frozen encoder. `setfit` trains a
model for each task with the defaults of SetFit, and with `num_iterations=20` for HWU64. `defaults` is one model for all
tasks from a recipe without any word about training. The variants of `VARIANTS` set some words, to find the effect of
each default. All start with the same weights of MiniLM.

SetFit needs an environment of its own, whose Python is `--setfit`. It gets the tested versions of the other libraries:

    python -m venv FOLDER && FOLDER/bin/pip install -c constraints.txt torch==2.13.0 setfit==1.2.0

Each run is a new process with one thread. Its cost is that of all imports, loading and training, without the answers to
held-out rows. Each run is saved at once, and a run that is in the results is not repeated. `--split validation` is for
choosing defaults, and `--set` overrides words of the recipe of `defaults`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.few_works import FEW_WORKS, MINILM, VARIANTS, few_work, read_rows, with_variant
from benchmarks.saved_runs import Run, SavedRuns
from modeling_multitask.paths_multitask import resolve_model_path

ROOT = Path(__file__).parents[1]
COSTS = ("cpu_seconds", "wall_seconds")
COMPARED = ("regression", "defaults", *VARIANTS)
RESULTS = {
    split: SavedRuns(ROOT / "benchmarks" / "results" / f"{name}.json", "setfit", COMPARED, COSTS)
    for split, name in {"test": "few_rows", "validation": "few_rows_validation"}.items()
}
METHODS = ("regression", "setfit", "defaults")  # and the variants
DRAWS = {"reviews": 10, "hwu64": 3}
SETFIT_SETTINGS: dict[str, dict[str, Any]] = {"reviews": {}, "hwu64": {"num_iterations": 20}}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the accuracy of every task and the cost, and the paired differences from SetFit."""
    parser = argparse.ArgumentParser(prog="benchmarks.few_rows")
    parser.add_argument("--works", nargs="+", choices=FEW_WORKS, default=FEW_WORKS)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *VARIANTS], default=METHODS)
    parser.add_argument("--draws", type=int, nargs="+", help="by default 0 to 9 of the reviews, and 0 to 2 of HWU64")
    parser.add_argument("--split", choices=[*RESULTS], default="test")
    parser.add_argument("--data", type=Path, nargs="+", default=[], help="the folder of HWU64")
    parser.add_argument("--setfit", help="the Python of the environment of SetFit")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", dest="overrides")
    arguments = parser.parse_args(argv)
    if "setfit" in arguments.methods and not arguments.setfit:
        parser.error("the method setfit needs --setfit PYTHON, the Python of its environment; or name other --methods")
    results = RESULTS[arguments.split]
    for run in _runs(arguments):
        if not results.has(run):
            results.add(run | measured(run, arguments.split, arguments.data, arguments.setfit))


def measured(run: Run, split: str, folders: list[Path], setfit: str | None) -> dict[str, Any]:
    """Return the cost of a run, and the figures and the error of every held-out row by task."""
    source = run["work"].partition("_")[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = with_variant(few_work(run["work"], run["seed"], split, folder, folders), run["method"])
        given = {"folder": name, "train": f"{name}/train.csv", "held_out": f"{name}/{split}.csv", "draw": run["seed"]}
        given |= {"tasks": [task["name"] for task in words["tasks"]], "words": words}
        given |= {"method": run["method"], "overrides": run["overrides"]}
        given |= {"backbone": str(resolve_model_path(MINILM)), "setfit_settings": SETFIT_SETTINGS[source]}
        found = _in_a_process(given, setfit)
        truth = read_rows(folder / f"{split}.csv")
    answers = found.pop("answers")
    tasks = {task: figures([row[task] for row in truth], answers[task]) for task in given["tasks"]}
    return found | {"tasks": tasks}


def figures(truth: list[str], answers: list[str]) -> dict[str, Any]:
    """Return the number of rows, the accuracy, and the error of each row as a text of zeros and ones."""
    errors = [right != given for right, given in zip(truth, answers, strict=True)]
    accuracy = 1 - sum(errors) / len(errors)
    return {"rows": len(errors), "accuracy": accuracy, "errors": "".join(str(int(error)) for error in errors)}


def _runs(arguments: argparse.Namespace) -> list[Run]:
    """Return all runs. HWU64 is read once here, so that a missing file is an error before the first run."""
    runs = []
    for work in arguments.works:
        draws = arguments.draws or range(DRAWS[work.partition("_")[0]])
        with tempfile.TemporaryDirectory() as folder:
            for draw in draws:
                few_work(work, draw, arguments.split, Path(folder), arguments.data)
        for method in arguments.methods:
            overrides = arguments.overrides if method == "defaults" else []
            runs += [{"work": work, "seed": draw, "method": method, "overrides": overrides} for draw in draws]
    return runs


def _in_a_process(given: dict[str, Any], setfit: str | None) -> dict[str, Any]:
    child = ["benchmarks.few_rows_setfit" if given["method"] == "setfit" else "benchmarks.few_rows_package"]
    python = setfit if given["method"] == "setfit" else sys.executable
    environment = {**os.environ, **ONE_THREAD}
    text = json.dumps(given | {"started": time.time()})
    process = subprocess.run(
        [str(python), "-m", *child],
        check=True,
        input=text,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    return json.loads(process.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
