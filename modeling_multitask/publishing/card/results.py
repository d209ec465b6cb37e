"""The results of a model, for its card."""

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ...evaluation.judgement import BASELINES
from ...evaluation.label_table import weakest_first
from ...evaluation.report_page import IN_WORDS, as_sentence, count, interval, number
from ...evaluation.taught import TEACHER
from ...problem_types_multitask import SECOND_NAMES
from ...tasks_multitask import TaskConfig
from ...training.metric_names import LESS_IS_BETTER
from ..evidence import Evidence
from .words import file_name, plain

PICTURES = "pictures"  # folder in the repository
_KINDS = {
    "confusion": "confusion matrix",
    "scatter": "labels and predictions",
    "reliability": "reliability diagram",
}
# Entries of results.json that are not further metrics.
_COMPARED = (*BASELINES.values(), TEACHER, "verdict")
_NO_FIGURES = ("rows", "loss", *_COMPARED, *SECOND_NAMES)


@dataclass(frozen=True)
class Measured:
    """The results of a model.

    Args:
        split: Split or table that was evaluated.
        level: Level of the intervals. `None` if there are none.
        tasks: By task name, the results from the report. Results from `results.json` have only `rows` and `figures`.
            A figure is a dict with `value`, `low` and `high`. Values that are not numbers are left out.
    """

    split: str
    level: float | None
    tasks: dict[str, dict[str, Any]]


def measured(tasks: list[TaskConfig], evidence: Evidence) -> Measured | None:
    """Return the results of these tasks from the report, or from the end of training. `None` if there are none.

    Args:
        tasks: Tasks of the model.
        evidence: The files next to the model.
    """
    types = {task.name: task.problem_type for task in tasks}
    report = evidence.report
    found = {
        name: {**each, "figures": _with_values(each["figures"])}
        for name, each in report.get("tasks", {}).items()
        if types.get(name) == each["problem_type"] and each["rows"]
    }
    if found:
        return Measured(file_name(report["split"]), report["intervals"]["level"], found)
    split = "test" if "test" in evidence.results else "validation"
    results = evidence.results.get(split, {})
    found = {name: _from_results(results[name]) for name in types if name in results and results[name]["rows"]}
    return Measured(split, None, found) if found else None


def results(given: Measured | None, evidence: Evidence) -> dict[str, Any]:
    """Return the results that the template shows."""
    if given is None:
        return {"lines": [], "pictures": [], "classes": []}
    baselines = {name: kind for name, kind in BASELINES.items() if any(kind in task for task in given.tasks.values())}
    lines = [
        {
            "task": name,
            "figure": _name(figure),
            "value": interval(each),
            "baselines": [number(task.get(kind, {}).get(figure)) for kind in baselines.values()],
            "rows": count(task["rows"]),
        }
        for name, task in given.tasks.items()
        for figure, each in task["figures"].items()
    ]
    verdicts = [
        {"task": name, "sentence": Markup(plain(as_sentence(task["verdict"]["sentence"])))}
        for name, task in given.tasks.items()
        if task.get("verdict")
    ]
    classes = [
        {"task": name, "lines": [_class(label, each) for label, each in weakest_first(task["classes"])]}
        for name, task in given.tasks.items()
        if task.get("classes")
    ]
    return {
        "on": _on(given.split, evidence.recipe),
        "level": f"{given.level:.0%}" if given.level else None,
        "lines": lines,
        "baselines": list(baselines),
        "verdicts": verdicts,
        "classes": classes,
        "pictures": [found for name in given.tasks if (found := _pictures(name, evidence))],
    }


def picture(name: str) -> Markup:
    """Return the path of a picture in the repository."""
    return Markup(f"{PICTURES}/{quote(name)}")


def _on(split: str, recipe: dict[str, Any]) -> str:
    how = recipe.get("data", {}).get("split") or {}
    if split == "test" and how.get("folds") and not how.get("fold"):
        return (
            f"Measured with {how['folds']}-fold cross-validation: each row was judged by a model that was trained in "
            "the same way without its fold. This model was trained on all rows."
        )
    if split == "validation":
        return (
            "Measured on the validation rows. The checkpoint was selected and any calibration was fitted on the same "
            "rows, so the results are optimistic."
        )
    return "Measured on held-out test rows." if split == "test" else f"Measured on the rows of {split}."


def _pictures(task: str, evidence: Evidence) -> list[dict[str, Any]]:
    """Return the pictures of one task, for one row of the table."""
    files = {kind: f"{kind}_{task}.png" for kind in _KINDS}
    return [
        {"title": f"{task}: {_KINDS[kind]}", "path": picture(file)}
        for kind, file in files.items()
        if file in evidence.pictures
    ]


def _from_results(task: dict[str, Any]) -> dict[str, Any]:
    figures = {
        name: {"value": value, "low": None, "high": None} for name, value in task.items() if name not in _NO_FIGURES
    }
    compared: dict[str, Any] = {kind: task[kind] for kind in _COMPARED if kind in task}
    return {"rows": task["rows"], "figures": _with_values(figures), **compared}


def _with_values(figures: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    return {name: each for name, each in figures.items() if each["value"] is not None and math.isfinite(each["value"])}


def _name(figure: str) -> Markup:
    less = " (lower is better)" if figure in LESS_IS_BETTER else ""
    return Markup(f"{plain(IN_WORDS.get(figure, figure))}{less}")


def _class(label: str, figures: dict[str, Any]) -> dict[str, Any]:
    shares = {name: interval(figures[name]) for name in ("precision", "recall", "f1")}
    return {"label": label, **shares, "rows": count(int(figures["support"]))}
