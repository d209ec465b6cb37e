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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from .. import MultiTaskTrainer
from ..files import write_json
from ..recipes.recipe import Recipe, load_recipe
from ..runs.run import run_recipe
from ..training.freezing import trained_parameters
from .summary import Outcome

RECORD = "run.json"
_FREE_TO_CHANGE = ("report",)


@dataclass
class Cost:
    """What training has taken so far; all 0 where nothing trained."""

    parameters: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def main(argv: list[str] | None = None) -> None:
    """Trains a recipe; what goes wrong is the last line on stderr."""
    path, parent, *overrides = sys.argv[1:] if argv is None else argv
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    run_and_record(load_recipe(path, overrides))


def run_and_record(recipe: Recipe) -> Outcome:
    """Trains a recipe, writes the record of it into its `output_dir`, and takes away model and checkpoints."""
    with watch_training() as cost:
        results = run_recipe(recipe, force=True).results
    outcome = Outcome(recipe.seed, results, **asdict(cost), memory=peak_memory())
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
    if changed_words(record["recipe"], comparable_words(recipe)):
        return None
    return Outcome(**record["outcome"], cpu_seconds=record.get("cpu_seconds", 0.0))


def comparable_words(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it, without what says only where and whether."""
    content: dict[str, Any] = json.loads(recipe.model_dump_json(exclude={"output_dir", "examples", "resume"}))
    return content


def changed_words(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The words in which two recipes differ so that their figures may."""
    return [name for name in now if name not in _FREE_TO_CHANGE and before.get(name) != now[name]]


@contextmanager
def watch_training() -> Iterator[Cost]:
    """Notes what `MultiTaskTrainer.train` takes while this lasts: of the process, which trains nothing else."""
    cost, original = Cost(), MultiTaskTrainer.train

    def watched(trainer: MultiTaskTrainer, *args: Any, **kwargs: Any) -> Any:
        cost.parameters = most_trained(trainer)
        start, busy = time.perf_counter(), time.process_time()
        try:
            return original(trainer, *args, **kwargs)
        finally:
            cost.seconds += time.perf_counter() - start
            cost.cpu_seconds += time.process_time() - busy

    with patch.object(MultiTaskTrainer, "train", watched):
        yield cost


def most_trained(trainer: MultiTaskTrainer) -> int:
    """How many numbers train in the phase that trains most."""
    model, phases = trainer.model, trainer.phases
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    names = [trained_parameters(model, phase.train, phase.freeze) & phases.trainable for phase in phases.phases]
    return max(sum(sizes[name] for name in each) for each in names)


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
