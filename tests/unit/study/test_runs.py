"""A study of a recipe: its planned runs, finished runs that are skipped, and the state after a failed run."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modeling_multitask.errors import RecipeError
from modeling_multitask.recipes.loading import load_recipe
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.plan import make_plan
from modeling_multitask.runs.prepare import prepare
from modeling_multitask.runs.records import count_parameters
from modeling_multitask.study import one_run
from modeling_multitask.study import runs as study_module
from modeling_multitask.study.answers import ANSWERS
from modeling_multitask.study.one_run import RECORD, peak_memory, read_outcome, write_outcome
from modeling_multitask.study.runs import (
    PlannedRun,
    PlannedStudy,
    begin_study,
    carry_out,
    data_digest,
    default_jobs,
    plan_study,
    start_process,
    study_rates,
    write_study,
)
from modeling_multitask.study.strategies import StudyRates
from modeling_multitask.study.summary import Outcome
from tests.conftest import ROOT
from tests.unit.study.outcomes import TOPIC, outcome

RECIPE = """
backbone: encoder
tasks:
  - {name: topic, problem_type: single_label_classification, labels: [film, food]}
  - {name: mood, problem_type: binary_classification, labels: [bad, good]}
data:
  train: {path: reviews.csv}
  split: {validation: 0.25, test: 0.25}
learning_rates: {heads: 2e-3, backbone: 1e-4, layer_decay: 0.9}
training: {num_train_epochs: 4, per_device_train_batch_size: 2}
"""


@pytest.fixture
def recipe(tmp_path: Path, backbone: Path) -> Path:
    """A recipe of two tasks and sixteen rows."""
    rows = "".join(f"t{i},{'film' if i % 2 else 'food'},{'good' if i % 4 < 2 else 'bad'}\n" for i in range(16))
    (tmp_path / "reviews.csv").write_text(f"text,topic,mood\n{rows}")
    (tmp_path / "encoder").symlink_to(backbone)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


@pytest.fixture
def quick_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the plan with its encoder groups, rows and steps, so that nothing is loaded."""
    groups = [SimpleNamespace(name=name) for name in ("heads", "layers.1", "layers.1", "layers.0", "embeddings")]
    made = SimpleNamespace(groups=groups, rows={"train": 8, "validation": 4, "test": 4}, steps=16)
    monkeypatch.setattr(study_module, "plan", lambda _: made)


@pytest.fixture
def planned(recipe: Path, tmp_path: Path, quick_plan: None) -> PlannedStudy:
    """Two strategies, two seeds."""
    return plan_two(recipe, tmp_path)


def plan_two(recipe: Path, tmp_path: Path, *overrides: str) -> PlannedStudy:
    said = [f"output_dir={tmp_path}/out", *overrides]
    return plan_study(recipe, said, seeds=[0, 1], only=["backbone_frozen", "everything"])


def test_the_plan_probes_the_model_and_its_runs_do_not(planned: PlannedStudy) -> None:
    assert planned.recipe.probe
    assert not any(run.recipe.probe for run in planned.runs.values())


class FakeStart:
    """Leaves the record that a run would, and remembers which it was asked for; one strategy may fail."""

    def __init__(self, failing: str | None = None, problem: str | None = "ValueError: no") -> None:
        self.failing, self.problem = failing, problem
        self.started: list[tuple[str, int]] = []

    def __call__(self, run: PlannedRun, threads: int) -> str | None:  # noqa: D102
        self.started.append((run.name, run.seed))
        if run.name == self.failing:
            return self.problem
        figures = {"topic": {"macro_f1": 0.9}, "mood": {"macro_f1": 0.8}, "score": 0.85}
        results = {"validation": figures, "test": figures}
        answers = outcome(run.seed, 0.9, 0.9, rows=100).answers
        write_outcome(run.recipe, Outcome(run.seed, results, 1000, 2.0, 1.0, 300.0, answers=answers))
        return None


def test_every_strategy_is_a_recipe_that_loads(recipe: Path, quick_plan: None) -> None:
    study = plan_study(recipe, [], seeds=[0])

    assert [strategy.name for strategy in study.strategies] == [
        *("everything_frozen", "backbone_frozen", "last_1_layers", "everything", "layer_wise_rates"),
        *("gradual_unfreezing", "lora", "topic_head_frozen_loss_kept", "topic_head_frozen_loss_ignored"),
        *("mood_head_frozen_loss_kept", "mood_head_frozen_loss_ignored", "topic_alone", "mood_alone"),
    ]
    recipes = {name: run.recipe for (name, _), run in study.runs.items()}
    assert recipes["everything_frozen"].freeze == ["everything"]
    assert recipes["lora"].lora == {"r": 8, "lora_alpha": 16}
    assert recipes["gradual_unfreezing"].phases is not None
    assert recipes["topic_alone"].training["metric_for_best_model"] == "topic_macro_f1"
    assert recipes["topic_alone"].balancing == "sum"


@pytest.mark.parametrize("words", ["freeze: backbone", "phases: [{train: heads}]", "lora: {r: 2}"])
def test_a_strategy_replaces_what_the_recipe_says_of_freezing(recipe: Path, words: str, quick_plan: None) -> None:
    recipe.write_text(f"{RECIPE}{words}\n")

    everything = plan_study(recipe, [], seeds=[0], only=["everything"]).runs["everything", 0].recipe

    assert (everything.freeze, everything.phases, everything.lora) == (["none"], None, None)


def test_a_task_alone_shares_the_run_in_which_the_other_is_ignored(recipe: Path, quick_plan: None) -> None:
    study = plan_study(recipe, [], seeds=[0])

    assert study.runs["topic_alone", 0] is study.runs["mood_head_frozen_loss_ignored", 0]
    assert len({id(run) for run in study.runs.values()}) == len(study.strategies) - 2


def test_every_run_has_its_seed_and_a_folder_of_its_own(planned: PlannedStudy, tmp_path: Path) -> None:
    run = planned.runs["everything", 1].recipe

    assert (run.seed, run.output_dir) == (1, f"{tmp_path}/out/runs/everything-1")


def test_the_number_of_layers_and_steps_are_those_of_the_model_and_the_rows(recipe: Path, tmp_path: Path) -> None:
    study = plan_study(recipe, [f"output_dir={tmp_path}/out"], seeds=[0], only=["last_1_layers", "gradual_unfreezing"])

    phases = study.runs["gradual_unfreezing", 0].recipe.phases
    assert phases is not None
    assert [phase.until for phase in phases] == ["step 5", "step 11", None]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("strategy", ["everything_frozen", "lora", "mood_head_frozen_loss_kept", "topic_alone"])
def test_strategies_can_be_trained(recipe: Path, tmp_path: Path, strategy: str, quick_plan: None) -> None:
    study = plan_study(recipe, [], seeds=[0], only=[strategy])

    prepared = prepare(replace(study.runs[strategy, 0].recipe, output_dir=str(tmp_path)))

    made = make_plan(prepared)
    assert count_parameters(prepared.trainer)["trained_at_once"] == max(made.trained) < made.parameters


@pytest.mark.parametrize(
    ("words", "rates"),
    [
        ("learning_rates: {heads: 2e-3, backbone: 1e-4, layer_decay: 0.9}", StudyRates(2e-3, 1e-4, 0.9)),
        ("learning_rates: {heads: 1e-4, upper: 4e-5, lower: 1e-5, boundary: 1}", StudyRates(1e-4, 4e-5, 0.8)),
        ("phases: [{train: heads, learning_rates: {heads: 3e-3}}]", StudyRates(3e-3, 5e-5, 0.8)),
        ("", StudyRates(1e-3, 5e-5, 0.8)),
    ],
    ids=["by depth", "in bands", "in a phase", "none"],
)
def test_the_rates_are_the_recipes_own(recipe: Path, words: str, rates: StudyRates) -> None:
    recipe.write_text(RECIPE.replace("learning_rates: {heads: 2e-3, backbone: 1e-4, layer_decay: 0.9}", words))

    assert study_rates(load_recipe(recipe)) == rates


def test_an_unknown_strategy_is_an_error_with_a_hint(recipe: Path, quick_plan: None) -> None:
    with pytest.raises(
        RecipeError, match=r"--only: no strategy 'lroa'; did you mean 'lora'\?; strategies: everything_fr"
    ):
        plan_study(recipe, [], seeds=[0], only=["lroa"])


def test_without_validation_rows_there_is_nothing_to_choose_by(recipe: Path) -> None:
    with pytest.raises(RecipeError, match="validation rows are missing; add"):
        plan_study(recipe, ["data.split={}"], seeds=[0])


def test_folds_are_not_studied(recipe: Path) -> None:
    with pytest.raises(RecipeError, match=r"data\.split\.folds: a study has no folds; set data\.split\.folds=null"):
        plan_study(recipe, ["data.split={folds: 5, validation: 0.2}"], seeds=[0])


def test_streamed_rows_are_not_studied(recipe: Path) -> None:
    overrides = ["data.split={}", "data.validation=reviews.csv", "data.streaming=true", "training.max_steps=4"]

    with pytest.raises(RecipeError, match=r"data\.streaming: a study cannot stream rows; set data.streaming=false"):
        plan_study(recipe, overrides, seeds=[0])


def test_nothing_is_done_twice(planned: PlannedStudy) -> None:
    begin_study(planned)
    carry_out(planned, jobs=2, say=lambda _: None, start=FakeStart())
    again, said = FakeStart(), []

    begin_study(planned)
    study = carry_out(planned, jobs=2, say=said.append, start=again)

    assert (again.started, said) == ([], ["4 of 4 runs are already finished"])
    assert study.row("everything").seeds == (0, 1)


def test_what_is_missing_is_done_and_nothing_else(planned: PlannedStudy) -> None:
    carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())
    (Path(planned.runs["everything", 1].recipe.output_dir) / RECORD).unlink()
    again = FakeStart()

    carry_out(planned, jobs=1, say=lambda _: None, start=again)

    assert again.started == [("everything", 1)]


def test_a_run_without_its_answers_is_done_again(planned: PlannedStudy) -> None:
    """As in a study of version 0.1: the intervals need them."""
    carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())
    (Path(planned.runs["everything", 1].recipe.output_dir) / ANSWERS).unlink()
    again = FakeStart()

    carry_out(planned, jobs=1, say=lambda _: None, start=again)

    assert again.started == [("everything", 1)]


def test_a_resumed_study_has_the_intervals_of_the_answers_that_were_kept(planned: PlannedStudy) -> None:
    before = carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())

    after = carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())

    assert after == before
    assert after.row("everything").figures["validation"]["score"].low is not None


def test_a_run_of_another_recipe_is_done_anew(recipe: Path, tmp_path: Path, planned: PlannedStudy) -> None:
    carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())

    other = plan_two(recipe, tmp_path, "training.num_train_epochs=1")

    assert read_outcome(planned.runs["everything", 0].recipe) is not None
    assert read_outcome(other.runs["everything", 0].recipe) is None


@pytest.mark.parametrize("problem", ["ValueError: no", None], ids=["with words", "without a result"])
def test_a_run_that_fails_does_not_lose_the_others(planned: PlannedStudy, problem: str | None) -> None:
    said: list[str] = []

    study = carry_out(planned, jobs=2, say=said.append, start=FakeStart("everything", problem))

    expected = problem or "the run ended without a result"
    assert study.row("everything").errors == {0: expected, 1: expected}
    assert study.row("backbone_frozen").seeds == (0, 1)
    assert sum(line.endswith(f"failed: {expected}") for line in said) == 2


def test_a_run_that_failed_is_tried_again(planned: PlannedStudy) -> None:
    carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart("everything"))
    again = FakeStart()

    study = carry_out(planned, jobs=1, say=lambda _: None, start=again)

    assert again.started == [("everything", 0), ("everything", 1)]
    assert study.row("everything").errors == {}


def test_a_line_for_each_run_has_its_figures_and_costs(planned: PlannedStudy) -> None:
    said: list[str] = []

    carry_out(planned, jobs=1, say=said.append, start=FakeStart())

    figures = "score 0.850, topic macro_f1 0.900, mood macro_f1 0.800 on validation rows"
    assert said[0] == f"[1/4] backbone_frozen, seed 0: {figures}; 2 s (1 s CPU), 1,000 parameters, 300 MiB"


def test_an_interrupted_study_starts_no_further_run(planned: PlannedStudy) -> None:
    fake, interrupted = FakeStart(), threading.Event()

    def start(run: PlannedRun, threads: int) -> str | None:
        if fake.started:
            interrupted.wait(timeout=60)
        return fake(run, threads)

    def interrupt(_: str) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(planned, jobs=1, say=interrupt, start=start)

    assert len(fake.started) <= 2  # the one whose line was said, and the next, which had begun


def test_the_study_of_another_recipe_is_not_overwritten(recipe: Path, tmp_path: Path, planned: PlannedStudy) -> None:
    begin_study(planned)
    other = plan_two(recipe, tmp_path, "training.num_train_epochs=1", "max_length=8")

    with pytest.raises(FileExistsError, match="contains a study that differs in max_length, training; choose another"):
        begin_study(other)


def test_changed_rows_make_it_another_study(recipe: Path, planned: PlannedStudy) -> None:
    begin_study(planned)
    with (recipe.parent / "reviews.csv").open("a") as table:
        table.write("new,film,good\n")

    with pytest.raises(FileExistsError, match="differs in data files"):
        begin_study(planned)


def test_a_forced_study_forgets_the_runs_of_the_other(planned: PlannedStudy, tmp_path: Path) -> None:
    begin_study(planned)
    carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())

    begin_study(planned, force=True)

    assert not (tmp_path / "out" / "runs").exists()


def test_a_folder_of_tables_is_known_by_their_content(recipe: Path) -> None:
    folder = recipe.parent / "tables"
    folder.mkdir()
    (folder / "a.csv").write_text("text,topic,mood\nx,film,good\n")
    loaded = load_recipe(recipe, ["data.train={path: tables}"])
    before = data_digest(loaded)

    (folder / "a.csv").write_text("text,topic,mood\nx,food,good\n")

    assert data_digest(loaded) != before


def test_a_joined_table_is_known_by_its_content(recipe: Path) -> None:
    (recipe.parent / "labels.csv").write_text("id,topic\n1,film\n")
    loaded = load_recipe(recipe, ["data.train={path: tickets.csv, join: {path: labels.csv, on: id}}"])
    before = data_digest(loaded)

    (recipe.parent / "labels.csv").write_text("id,topic\n1,food\n")

    assert data_digest(loaded) != before


def test_a_study_is_written_as_json_csv_words_and_a_picture(planned: PlannedStudy, tmp_path: Path) -> None:
    begin_study(planned)
    study = carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart())

    write_study(study, planned, jobs=1)

    out = tmp_path / "out"
    content = json.loads((out / "study.json").read_text())
    assert (content["seeds"], content["jobs"]) == ([0, 1], 1)
    assert (out / "study.csv").read_text().startswith("strategy,title,split,task,")
    assert "Seeds: 0, 1. Parallel runs: 1" in (out / "study.md").read_text()
    assert "Each seed has its own split of the rows" in (out / "study.md").read_text()
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")


def test_a_split_that_is_kept_is_not_said_to_be_drawn_anew(recipe: Path, tmp_path: Path, quick_plan: None) -> None:
    planned = plan_two(recipe, tmp_path, "data.split.seed=0")
    begin_study(planned)

    write_study(carry_out(planned, jobs=1, say=lambda _: None, start=FakeStart()), planned, jobs=1)

    assert "Each seed has its own split" not in (tmp_path / "out" / "study.md").read_text()


def test_there_are_never_more_jobs_than_runs_or_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "cores", lambda: 4)
    monkeypatch.setattr(study_module.torch.accelerator, "is_available", lambda: False)

    assert [default_jobs(runs) for runs in (0, 1, 3, 30)] == [1, 1, 3, 4]


def test_a_gpu_is_given_one_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module.torch.accelerator, "is_available", lambda: True)

    assert default_jobs(30) == 1


@pytest.mark.parametrize(
    ("code", "printed", "problem"),
    [
        (0, "all is well", None),
        (1, "Traceback\n  here\nValueError: no such thing\n\n", "ValueError: no such thing"),
        (1, "", "no error message"),
        (-9, "half a li", "killed by signal 9; if memory was short, use fewer --jobs"),
    ],
)
def test_what_went_wrong_is_the_last_line_that_a_run_said(
    planned: PlannedStudy, monkeypatch: pytest.MonkeyPatch, code: int, printed: str, problem: str | None
) -> None:
    seen: dict[str, Any] = {}

    def fake(command: list[str], *, stdout: Any, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess:
        seen.update(command=command, env=env)
        stdout.write(printed.encode())
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", fake)
    run = planned.runs["everything", 1]

    assert start_process(run, 3) == problem
    assert seen["env"]["OMP_NUM_THREADS"] == "3"
    assert seen["command"][:4] == [sys.executable, "-P", "-m", "modeling_multitask.study.one_run"]
    assert load_recipe(seen["command"][4], seen["command"][6:]) == run.recipe


def test_a_run_leaves_its_figures_and_no_model(planned: PlannedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    run = planned.runs["everything", 1]
    folder = Path(run.recipe.output_dir)
    results = {"validation": {"score": 0.5}}
    record = {"trained_at_once": 7, "seconds": 1.5, "cpu_seconds": 2.0}
    logits, labels = {"topic": np.array([[0.0, 1.0], [2.0, 1.0]])}, {"topic": np.array([1, -100])}
    model = SimpleNamespace(config=SimpleNamespace(tasks=[TOPIC]))

    def fake_train(recipe: Recipe, *, force: bool) -> SimpleNamespace:
        for name in ("model", "checkpoints"):
            (folder / name).mkdir(parents=True)
        answers = {"validation": (logits, labels)}
        return SimpleNamespace(results=results, record=record, model=model, answers=answers)

    monkeypatch.setattr(one_run, "run_recipe", fake_train)

    done = one_run.run_and_record(run.recipe)

    found = read_outcome(run.recipe)
    assert found == done
    assert found is not None
    task, kept_labels, chosen = found.answers["validation"][0]
    assert (task.main_metric, kept_labels.tolist(), chosen.tolist()) == ("accuracy", [1, -100], [1, 0])
    assert (done.seed, done.results, done.parameters, done.error) == (1, results, 7, None)
    assert {each.name for each in folder.iterdir()} == {RECORD, ANSWERS}


def test_a_run_that_diverged_says_so_in_one_line(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "_end_with", lambda parent: None)
    rates = "learning_rates={heads: 1e6, backbone: 5e-5}"

    with pytest.raises(SystemExit, match=r"^training diverged at step \d+: the loss of .*\.$"):
        one_run.main([str(recipe), "0", rates, f"output_dir={tmp_path}/run", "training.disable_tqdm=true"])

    assert not (tmp_path / "run" / RECORD).exists()


@pytest.mark.slow
def test_a_run_does_not_outlive_the_study_that_started_it() -> None:
    """It would write into a folder in which the next study trains again."""
    ends = "from modeling_multitask.study.one_run import _end_with; _end_with(-1)"

    finished = subprocess.run([sys.executable, "-c", ends], cwd=ROOT, check=False)

    assert finished.returncode == 1


def test_the_peak_of_memory_is_that_of_this_process() -> None:
    assert 50 < peak_memory() < 100_000  # torch alone takes more than 50 MiB
