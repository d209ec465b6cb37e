"""One run of a study in its own process. It trains and records the results and costs.

python -m modeling_multitask.study.one_run RECIPE key=value ...
"""

import importlib
import json
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import DivergedError
from ..files import write_json
from ..recipes.comparison import changed_words
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..recipes.record import recipe_words
from ..runs.run import run_recipe
from .answers import answers_by_split, read_answers, write_answers
from .summary import Outcome

RECORD = "run.json"
FREE_TO_CHANGE = ("report", "probe", "similarity")  # words that do not change the results of a run


def main(argv: list[str] | None = None) -> None:
    """Train a recipe. The last line on stderr is the error, if there is one."""
    path, parent, *overrides = sys.argv[1:] if argv is None else argv
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    try:
        run_and_record(load_recipe(path, overrides))
    except DivergedError as error:
        sys.exit(str(error))


def run_and_record(recipe: Recipe) -> Outcome:
    """Train a recipe, write its outcome into `output_dir`, and delete the model and the checkpoints."""
    run = run_recipe(recipe, force=True)
    outcome = Outcome(
        recipe.seed,
        run.results,
        parameters=run.record["trained_at_once"],
        seconds=run.record["seconds"],
        cpu_seconds=run.record["cpu_seconds"],
        memory=peak_memory(),
        answers=answers_by_split(run.answers, run.model.config.tasks),
    )
    write_outcome(recipe, outcome)
    folder = Path(recipe.output_dir)
    for name in ("model", "checkpoints", "adapter"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return outcome


def write_outcome(recipe: Recipe, outcome: Outcome) -> None:
    """Write the record of a run into `output_dir`, after its answers, without which it is not finished."""
    folder = Path(recipe.output_dir)
    write_answers(folder, outcome.answers)
    write_json(folder / RECORD, _record(recipe, outcome))


def read_outcome(recipe: Recipe) -> Outcome | None:
    """Return the recorded outcome of a recipe.

    It is `None` if there is no record, if it is of another recipe, or if it has no answers, as in version 0.1.
    """
    folder = Path(recipe.output_dir)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        answers = read_answers(folder)
    except FileNotFoundError:
        return None
    if changed_words(record["recipe"], comparable_words(recipe), ignored=FREE_TO_CHANGE):
        return None
    return Outcome(**record["outcome"], cpu_seconds=record.get("cpu_seconds", 0.0), answers=answers)


def comparable_words(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain JSON, without the words that do not define the run."""
    left_out = ("output_dir", "examples", "resume")
    return {name: value for name, value in recipe_words(recipe).items() if name not in left_out}


def peak_memory() -> float:
    """Return the peak memory of this process in MiB, of the GPU if there is one, or else of the machine."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, `getrusage` includes the memory of the parent at the start of this process
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
    resource = importlib.import_module("resource")  # not available on Windows
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def _record(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    found = asdict(replace(outcome, answers={}))
    found.pop("answers")
    return {"recipe": comparable_words(recipe), "cpu_seconds": found.pop("cpu_seconds"), "outcome": found}


def _end_with(parent: int) -> None:
    """End this process when its study has ended, so that two processes never write into one folder."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
