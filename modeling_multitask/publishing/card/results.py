"""How good a model was found to be, as its card says it."""

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ...evaluation.report_page import IN_WORDS, count, interval, number, weakest_first
from ...tasks_multitask import TaskConfig
from ...training.metric_names import LESS_IS_BETTER
from ..evidence import Evidence
from .words import file_name, plain

PICTURES = "pictures"  # the repository's folder
_KINDS = {
    "confusion": "what is taken for what",
    "scatter": "numbers and answers",
    "reliability": "how often answers of a score are right",
}
_NO_FIGURES = ("rows", "loss")  # of what results.json says of a task


@dataclass(frozen=True)
class Measured:
    """What was measured of a model.

    Args:
        split: Of which rows.
        level: Of the intervals; `None` if there are none.
        tasks: By name, what the report says of each that has figures; from `results.json` its `rows` and `figures`
            alone. A figure is a dict of `value`, `low` and `high`; what is not a number is left out.
    """

    split: str
    level: float | None
    tasks: dict[str, dict[str, Any]]


def measured(tasks: list[TaskConfig], evidence: Evidence) -> Measured | None:
    """What was measured of these tasks: by the report, or else when training was over; `None` if nothing was.

    Args:
        tasks: The model's.
        evidence: What lies beside it.
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
    """What the template says of the results."""
    if given is None:
        return {"lines": [], "pictures": [], "classes": []}
    lines = [
        {"task": name, "figure": _name(figure), "value": _value(each), "rows": count(task["rows"])}
        for name, task in given.tasks.items()
        for figure, each in task["figures"].items()
    ]
    classes = [
        {"task": name, "lines": [_class(label, each) for label, each in weakest_first(task["classes"])]}
        for name, task in given.tasks.items()
        if task.get("classes")
    ]
    return {
        "on": _on(given.split),
        "level": f"{given.level:.0%}" if given.level else None,
        "lines": lines,
        "classes": classes,
        "pictures": [found for name in given.tasks if (found := _pictures(name, evidence))],
    }


def picture(name: str) -> Markup:
    """The address of a picture within the repository."""
    return Markup(f"{PICTURES}/{quote(name)}")


def _on(split: str) -> str:
    if split == "validation":
        return (
            "On the validation rows, which also chose the checkpoint, and on which scores were calibrated: the figures "
            "flatter the model."
        )
    return "On held-out test rows." if split == "test" else f"On the rows of {split}."


def _pictures(task: str, evidence: Evidence) -> list[dict[str, Any]]:
    """Those of one task, side by side."""
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
    return {"rows": task["rows"], "figures": _with_values(figures)}


def _with_values(figures: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    return {name: each for name, each in figures.items() if each["value"] is not None and math.isfinite(each["value"])}


def _name(figure: str) -> Markup:
    less = ", less is better" if figure in LESS_IS_BETTER else ""
    return Markup(f"{plain(IN_WORDS.get(figure, figure))}{less}")


def _value(figure: dict[str, float | None]) -> Markup:
    return number(figure["value"]) if figure["low"] is None else interval(figure)


def _class(label: str, figures: dict[str, float]) -> dict[str, Any]:
    shares = {name: number(figures[name]) for name in ("precision", "recall", "f1")}
    return {"label": label, **shares, "rows": count(int(figures["support"]))}
