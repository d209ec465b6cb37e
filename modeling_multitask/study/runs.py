"""A study: a recipe trained with several strategies and seeds, several runs in parallel."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets_builder.remote import paths_to

from ..errors import RecipeError
from ..files import write_json, write_text
from ..recipes.comparison import changed_words
from ..recipes.loading import load_recipe
from ..recipes.recipe import Recipe
from ..runs.plan import plan
from ..runs.records import cores
from ..words_multitask import nearest_hint
from .one_run import FREE_TO_CHANGE, comparable_words, read_outcome
from .plot import draw_study
from .strategies import Strategy, StudyRates, strategies
from .summary import SCORE, Outcome, Study, summarise
from .words import study_as_csv, study_as_json, study_as_markdown

_RECORD = "study.recipe.json"
_PACKAGES = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class PlannedRun:
    """One run. Strategies with the same overrides share it.

    Args:
        recipe: The recipe of the run.
        name: The name of the first strategy with these overrides.
        seed: The seed of the run.
    """

    recipe: Recipe
    name: str
    seed: int


@dataclass(frozen=True)
class PlannedStudy:
    """The strategies and runs of a study.

    Args:
        recipe: The user's recipe.
        strategies: The strategies in the order of the table.
        runs: The runs by strategy name and seed.
    """

    recipe: Recipe
    strategies: list[Strategy]
    runs: dict[tuple[str, int], PlannedRun]

    @property
    def metrics(self) -> dict[str, str]:
        """The main metric of each task."""
        return main_metrics(self.recipe)


Start = Callable[[PlannedRun, int], str | None]  # trains a run with a number of threads; returns the error


def plan_study(
    path: str | Path, overrides: Sequence[str], *, seeds: Sequence[int], only: Sequence[str] | None = None
) -> PlannedStudy:
    """Plan and check all runs of a study. The data set is built, but nothing is trained.

    Args:
        path: The recipe.
        overrides: `key=value` overrides.
        seeds: The seeds. Each strategy has one run per seed.
        only: The names of the strategies to train. By default all.

    Raises:
        RecipeError: If the recipe cannot be studied, or a strategy does not exist.
        DataError: If a table is invalid.
    """
    overrides = [*overrides, "resume=false"]
    recipe = load_recipe(path, overrides)
    if recipe.data.streaming:
        raise RecipeError(path, ["data.streaming: a study cannot stream rows; set data.streaming=false"])
    if recipe.data.split.in_turn:
        raise RecipeError(path, ["data.split.folds: a study has no folds; set data.split.folds=null"])
    made = plan(recipe)
    if not made.rows.get("validation"):
        raise RecipeError(path, ["data: validation rows are missing; add data.split.validation=0.1 or data.validation"])
    layers = len({group.name for group in made.groups if group.name.startswith("layers.")})
    every = strategies(main_metrics(recipe), layers, study_rates(recipe), made.steps)
    chosen = _only(path, every, only)
    runs: dict[tuple[str, int], PlannedRun] = {}
    for seed in dict.fromkeys(seeds):
        shared: dict[str, PlannedRun] = {}
        for strategy in chosen:
            said = json.dumps(strategy.overrides, sort_keys=True)
            if said not in shared:
                shared[said] = _plan_run(path, overrides, strategy, seed, recipe.output_dir)
            runs[strategy.name, seed] = shared[said]
    return PlannedStudy(recipe, chosen, runs)


def begin_study(study: PlannedStudy, *, force: bool = False) -> None:
    """Create `output_dir` and write the recipe into it.

    Args:
        study: The planned study.
        force: Whether to delete the runs of another study.

    Raises:
        FileExistsError: If `output_dir` contains another study.
    """
    folder = Path(study.recipe.output_dir)
    record = {**comparable_words(study.recipe), "data files": data_digest(study.recipe)}
    record.pop("seed")
    path = folder / _RECORD
    if force and path.is_file():
        shutil.rmtree(folder / "runs", ignore_errors=True)
    elif path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if changed := changed_words(before, record, ignored=FREE_TO_CHANGE):
            raise FileExistsError(
                f"output_dir {folder} contains a study that differs in {', '.join(changed)}; choose another "
                "output_dir, or add --force to overwrite it"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def carry_out(study: PlannedStudy, *, jobs: int, say: Callable[[str], None], start: Start | None = None) -> Study:
    """Train the runs that have no result yet. A failed run is recorded, and the others continue.

    Args:
        study: The planned study.
        jobs: The number of parallel runs.
        say: Called with one line for each finished run.
        start: Trains one run. By default each run has its own process.
    """
    runs = list({id(run): run for run in study.runs.values()}.values())
    outcomes = {id(run): outcome for run in runs if (outcome := read_outcome(run.recipe)) is not None}
    if outcomes:
        say(f"{len(outcomes)} of {len(runs)} runs are already finished")
    waiting = [run for run in runs if id(run) not in outcomes]
    threads = max(1, cores() // jobs)
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        futures = {pool.submit(_train, run, threads, start or start_process): run for run in waiting}
        for future in as_completed(futures):
            run = futures[future]
            outcomes[id(run)] = future.result()
            say(f"[{len(outcomes)}/{len(runs)}] {_in_words(run, outcomes[id(run)], study.metrics)}")
    finally:
        pool.shutdown(cancel_futures=True)
    seeds = dict.fromkeys(seed for _, seed in study.runs)
    found = [(each, [outcomes[id(study.runs[each.name, seed])] for seed in seeds]) for each in study.strategies]
    return summarise(study.metrics, found)


def write_study(study: Study, planned: PlannedStudy, *, jobs: int) -> None:
    """Write the study as JSON, CSV, Markdown and a picture.

    Raises:
        ImportError: If matplotlib is not installed. The other files are already written by then.
    """
    folder = Path(planned.recipe.output_dir)
    seeds = list(dict.fromkeys(seed for _, seed in planned.runs))
    content = {**study_as_json(study), "recipe": str(planned.recipe.path), "seeds": seeds, "jobs": jobs}
    write_json(folder / "study.json", content)
    write_text(folder / "study.csv", study_as_csv(study))
    write_text(folder / "study.md", study_as_markdown(study, _about(planned, seeds, jobs)))
    draw_study(study, folder / "study.png")


def main_metrics(recipe: Recipe) -> dict[str, str]:
    """Return the main metric of each task."""
    return {task.name: task.main_metric for task in recipe.tasks}


def study_rates(recipe: Recipe) -> StudyRates:
    """Return the learning rates of a recipe, or else of its last phase that has rates, or else the defaults."""
    phases = [phase.learning_rates for phase in reversed(recipe.phases or []) if phase.learning_rates]
    given, default = recipe.learning_rates or next(iter(phases), None), StudyRates()
    if given is None:
        return default
    backbone = given.upper if given.backbone is None else given.backbone
    return StudyRates(
        heads=default.heads if given.heads is None else given.heads,
        backbone=default.backbone if backbone is None else backbone,
        layer_decay=given.layer_decay if given.layer_decay < 1 else default.layer_decay,
    )


def default_jobs(runs: int) -> int:
    """Return the default number of parallel runs: one with a GPU, or else one per core with one thread each."""
    return 1 if torch.accelerator.is_available() else max(1, min(runs, cores()))


def start_process(run: PlannedRun, threads: int) -> str | None:
    """Train in a separate process. Its output is in `log.txt` of the run's folder.

    Returns:
        The error as one line, or `None`.
    """
    folder = Path(run.recipe.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    words = ["modeling_multitask.study.one_run", str(run.recipe.path), str(os.getpid()), *run.recipe.overrides]
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    with (folder / "log.txt").open("wb") as log:
        code = subprocess.run(
            [sys.executable, "-P", "-m", *words], env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code == 0:
        return None
    lines = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "no error message")
    return f"killed by signal {-code}; if memory was short, use fewer --jobs" if code < 0 else said


def data_digest(recipe: Recipe) -> str:
    """Return a hash of the recipe's tables in files. Data sets on the Hub are identified by the recipe itself."""
    digest = hashlib.sha256()
    sources = (*recipe.data.train, *recipe.data.validation, *recipe.data.test)
    paths = [source.path for source in sources] + [source.join.path for source in sources if source.join is not None]
    for path in (there for each in paths for there in paths_to(each or "")):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _only(path: str | Path, every: list[Strategy], only: Sequence[str] | None) -> list[Strategy]:
    names = [strategy.name for strategy in every]
    unknown = [name for name in only or [] if name not in names]
    if unknown:
        there = f"strategies: {', '.join(names)}"
        raise RecipeError(
            path, [f"--only: no strategy {name!r}{nearest_hint(name, names)}; {there}" for name in unknown]
        )
    return [strategy for strategy in every if not only or strategy.name in only]


def _plan_run(path: str | Path, overrides: Sequence[str], strategy: Strategy, seed: int, output_dir: str) -> PlannedRun:
    """Return the run of a strategy. Its recipe is checked here, before any run starts."""
    settings: dict[str, Any] = {
        **strategy.overrides,
        "seed": seed,
        "output_dir": f"{output_dir}/runs/{strategy.name}-{seed}",
        "training.disable_tqdm": True,
        "report": False,
        "probe": False,  # the plan of the study has probed the model
    }
    said = [f"{word}={json.dumps(value)}" for word, value in settings.items()]
    return PlannedRun(load_recipe(path, [*overrides, *said]), strategy.name, seed)


def _train(run: PlannedRun, threads: int, start: Start) -> Outcome:
    problem = start(run, threads)
    outcome = read_outcome(run.recipe)
    if problem is None and outcome is not None:
        return outcome
    return Outcome(run.seed, error=problem or "the run ended without a result")


def _in_words(run: PlannedRun, outcome: Outcome, metrics: dict[str, str]) -> str:
    """Return `lora, seed 0: score 0.91, domain macro_f1 0.93, ... on validation rows; 12 s, ...`."""
    if outcome.error is not None:
        return f"{run.name}, seed {run.seed}: failed: {outcome.error}"
    found = outcome.results["validation"]
    mains = [f"{task} {name} {found[task][name]:.3f}" for task, name in metrics.items() if name in found[task]]
    seconds = f"{outcome.seconds:.0f} s ({outcome.cpu_seconds:.0f} s CPU)"
    cost = f"{seconds}, {outcome.parameters:,} parameters, {outcome.memory:,.0f} MiB"
    return f"{run.name}, seed {run.seed}: {', '.join([f'score {found[SCORE]:.3f}', *mains])} on validation rows; {cost}"


def _about(planned: PlannedStudy, seeds: list[int], jobs: int) -> list[str]:
    recipe = planned.recipe
    threads = max(1, cores() // jobs)
    each = f"{threads} thread{'s' if threads > 1 else ''} each"
    sentences = [f"Seeds: {', '.join(map(str, seeds))}. Parallel runs: {jobs}, {each}."]
    taken = recipe.data.split.validation or recipe.data.split.test
    if taken and recipe.data.split.seed is None and len(seeds) > 1:
        sentences.append(
            "Each seed has its own split of the rows, the same for all strategies. An interval over seeds therefore "
            "includes the variation of the split. A test row of one seed may be a validation row of another; "
            "data.split.seed=0 uses one split for all seeds."
        )
    sentences.append("A task alone is trained on the same rows in the same steps, without the losses of other tasks.")
    return sentences
