"""One run of a study, in a process of its own: trains, and writes down what came of it and what it cost.

python -m modeling_multitask.study.one_run RECIPE key=value ...
"""

import importlib
import json
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..files import write_json
from ..recipes.comparison import changed_words
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words
from ..runs.run import run_recipe
from .summary import Outcome

RECORD = "run.json"
FREE_TO_CHANGE = ("report",)  # words that do not change a run's figures


def main(argv: list[str] | None = None) -> None:
    """Trains a recipe; what goes wrong is the last line on stderr."""
    path, parent, *overrides = sys.argv[1:] if argv is None else argv
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    run_and_record(load_recipe(path, overrides))


def run_and_record(recipe: Recipe) -> Outcome:
    """Trains a recipe, writes the record of it into its `output_dir`, and takes away model and checkpoints."""
    run = run_recipe(recipe, force=True)
    outcome = Outcome(
        recipe.seed,
        run.results,
        parameters=run.record["trained_at_once"],
        seconds=run.record["seconds"],
        cpu_seconds=run.record["cpu_seconds"],
        memory=peak_memory(),
    )
    folder = Path(recipe.output_dir)
    write_json(folder / RECORD, _record(recipe, outcome))
    for name in ("model", "checkpoints", "adapter"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return outcome


def read_outcome(recipe: Recipe) -> Outcome | None:
    """What this very recipe's run has written down; `None` if it has not, or the recipe was another."""
    try:
        record = json.loads((Path(recipe.output_dir) / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if changed_words(record["recipe"], comparable_words(recipe), ignored=FREE_TO_CHANGE):
        return None
    return Outcome(**record["outcome"], cpu_seconds=record.get("cpu_seconds", 0.0))


def comparable_words(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it, without what says only where and whether."""
    left_out = ("output_dir", "examples", "resume")
    return {name: value for name, value in recipe_words(recipe).items() if name not in left_out}


def peak_memory() -> float:
    """The most this process has held, in MiB: of the GPU where there is one, else of the machine."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux `getrusage` counts what the parent held when it started this one
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
    resource = importlib.import_module("resource")  # Windows has none
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def _record(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    found = asdict(outcome)
    return {"recipe": comparable_words(recipe), "cpu_seconds": found.pop("cpu_seconds"), "outcome": found}


def _end_with(parent: int) -> None:
    """Ends this process when the study that started it is gone, else two could write into one folder."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
