"""Terminal output of `multitask train`: the plan of a dry run and the results."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..evaluation.judgement import BASELINES
from ..evaluation.taught import TEACHER, agreement_in_words
from ..inference import predict
from ..problem_types_multitask import SECOND_NAMES
from ..runs.plan import Plan
from ..runs.run import Run
from ..runs.taught import time_in_words
from ..training.metric_names import IN_WORDS
from ..training.progress import describe_epochs
from ..wording import shown_number

_NO_METRICS = ("rows", *SECOND_NAMES)


def show_run(run: Run, examples: list[str]) -> None:
    """Print the metrics, the answers to the examples, and how to load the model."""
    console = Console()
    for split, results in run.results.items():
        console.print(metrics_table(split, results, run.labelled_rows))
    for line in fold_lines(run.folder.parent / "folds.json"):
        print(line)
    for judged in [name for name in ("test", "validation") if name in run.results][:1]:
        lines = verdict_lines(judged, run.results[judged]) + teacher_lines(judged, run.results[judged], run.record)
        print("\n".join(lines))
    if not run.results:
        print("Nothing was evaluated: there are neither validation nor test rows. To hold some out, add data.split.")
    for text, answers in zip(examples, predict(run.model, examples, tokenizer=run.tokenizer), strict=True):
        print(text)
        for task, answer in answers.items():
            print(f"    {task}: {answer_in_words(answer)}")
    folder, report = run.folder.as_posix(), run.folder.parent / "report" / "report.html"
    if report.is_file():
        print(f"\nReport (metrics, errors, calibration): {report.as_posix()}")
    print(f"\nThe model is in {folder}. You can load it without this package:\n")
    print("    from transformers import pipeline")
    print(f'    classify = pipeline("multitask-classification", model="{folder}", trust_remote_code=True)')
    print(f"    print(classify({examples[0] if examples else 'Any text.'!r}))")


def fold_lines(file: Path) -> list[str]:
    """Return the results of a cross-validation as lines of text. There are none if the file does not exist."""
    if not file.is_file():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    lines = [f"{found['folds']}-fold cross-validation: each test row was judged by a model that did not see it."]
    for name, task in found["tasks"].items():
        spread = "" if task["low"] is None else f" ({_number(task['low'])} to {_number(task['high'])})"
        values = ", ".join(map(_number, task["by_fold"]))
        on_all = f"{IN_WORDS[task['metric']]} {_number(task['value'])}{spread} on all rows"
        mean = f"{_number(task['mean'])} on average over the folds"
        if task["mean"] is None:
            mean = "no average over the folds, because they have few labelled rows"
        lines.append(f"    {name}: {on_all}, {mean} ({values})")
    return lines


def _number(value: float | None) -> str:
    return "none" if value is None else shown_number(value)


def show_plan(plan: Plan) -> None:
    """Print the plan of a run."""
    console = Console()
    console.print(plan_table(plan))
    for number, phase in enumerate(plan.phases, start=1):
        ends = f"until {phase.until}" if phase.until else "until the end"
        condition = f", only if {phase.only_if}" if phase.only_if else ""
        weights = f", task weights {phase.weights}" if phase.weights else ""
        share = f"{plan.trained[number - 1]:,} of {plan.parameters:,} parameters"
        print(f"phase {number}: trains {phase.describe()} {ends}{condition}{weights}: {share}")
    if plan.epochs and plan.labelled_rows is not None:
        print(describe_epochs(plan.epochs, plan.steps, plan.labelled_rows, plan.only_taught))
    in_epoch = f"{plan.steps_per_epoch:,} per epoch" if plan.steps_per_epoch else "training rows are streamed"
    print(f"steps: {plan.steps:,}, {in_epoch}")
    print("rows: " + ", ".join(f"{name} {count:,}" for name, count in plan.rows.items()))
    counts = [f"{name} {count:,}" for name, count in plan.labelled.items() if count is not None]
    print(f"labelled training rows: {', '.join(counts) or 'unknown'}")
    for number, fold in enumerate(plan.folds, start=1):
        print(f"fold {number} of {len(plan.folds)}, another model: {fold.describe()}")
    parts = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in plan.memory.items())
    print(f"estimated memory: {sum(plan.memory.values()) / 2**20:,.0f} MiB ({parts})")


def plan_table(plan: Plan) -> Table:
    """Return a table of the parameter groups, with the learning rate of each phase."""
    table = Table(title="parameter groups and learning rates")
    for heading in ("part", "parameters", "weight decay", *(f"phase {i + 1}" for i in range(len(plan.phases)))):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for group in plan.groups:
        rates = [_rate(*each, group.parameters) for each in zip(group.rates, group.trained, strict=True)]
        table.add_row(group.name, f"{group.parameters:,}", f"{group.weight_decay:g}", *rates)
    return table


def _rate(rate: float | None, trained: int, parameters: int) -> str:
    """Return `frozen`, or the rate, followed by the number of trained parameters if it is not the whole group."""
    if rate is None:
        return "frozen"
    return f"{rate:.3g}" if trained == parameters else f"{rate:.3g} ({trained:,} trained)"


def answer_in_words(answer: dict[str, Any] | list[dict[str, Any]]) -> str:
    """Return an answer as text: `product (0.93)`, a list of these, a number, or `no answer`."""
    if isinstance(answer, list):
        return ", ".join(map(answer_in_words, answer)) or "none"
    if "label" not in answer:
        return "no answer" if answer["score"] is None else f"{answer['score']:.4g}"
    return f"{'no answer' if answer['label'] is None else answer['label']} ({answer['score']:.2f})"


def metrics_table(split: str, results: dict[str, Any], labelled_rows: dict[str, int | None]) -> Table:
    """Return a table of the metrics of a split, with those of the baselines."""
    table = Table(title=f"{split}: labelled rows and metrics (score {results['score']:.4f})")
    for heading in ("task", "train", split, "metric", "model", *BASELINES):
        table.add_column(heading, justify="left" if heading in ("task", "metric") else "right")
    for task, rows in labelled_rows.items():
        found = results[task]
        metrics = [name for name, value in found.items() if name not in _NO_METRICS and not isinstance(value, dict)]
        counts = [task, "" if rows is None else f"{rows:,}", f"{found['rows']:,}"]
        for name in metrics or [""]:
            each = [found, *(found.get(kind, {}) for kind in BASELINES.values())]
            table.add_row(*counts, name, *(_in_table(part[name]) if name in part else "" for part in each))
            counts = ["", "", ""]
        table.add_section()
    return table


def _in_table(value: float) -> str:
    return f"{value:.4f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


def verdict_lines(split: str, results: dict[str, Any]) -> list[str]:
    """Return the verdict on each task as lines of text."""
    verdicts = {name: task["verdict"] for name, task in results.items() if name != "score" and "verdict" in task}
    lines = [f"Verdict on the {split} rows:"] if verdicts else []
    for name, found in verdicts.items():
        lines += [f"    {name}: {found['sentence']}", *(f"        {note}" for note in found["notes"])]
    return lines


def teacher_lines(split: str, results: dict[str, Any], record: dict[str, Any]) -> list[str]:
    """Return the agreement with the teacher of each task and the time of all as lines of text; none without teachers.

    Args:
        split: The split.
        results: Its results.
        record: The content of `training.json`.
    """
    lines = []
    for name, task in results.items():
        if name == "score" or TEACHER not in task:
            continue
        figures, metric = task[TEACHER], task["verdict"]["metric"] if "verdict" in task else ""
        lines.append(f"    {name}: {agreement_in_words(figures)}")
        if metric in figures and metric in task:
            both = f"{_number(task[metric])}, the teacher {_number(figures[metric])}"
            lines.append(f"        {IN_WORDS[metric]}: this model {both}")
    if "teachers" in record:
        lines.append(f"    {time_in_words(record['teachers'])}")
    return [f"Teachers on the {split} rows:", *lines] if lines else []
