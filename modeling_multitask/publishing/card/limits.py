"""The limitations of a model, for its card. They come from the report, or the card says that none were measured."""

from typing import Any

from markupsafe import Markup

from ...configuration_multitask import MultiTaskConfig
from ...evaluation.label_table import weakest_first
from ...evaluation.report_page import (
    IN_WORDS,
    calibration_effect,
    count,
    interval,
    number,
    percent,
    trust,
    withheld,
)
from ...hub.card_settings import CardSettings
from ...training.metric_names import LESS_IS_BETTER
from ..evidence import Evidence
from .results import Measured
from .words import listed, plain

MOST = 3  # weak labels and confusions named in a card
# The slices of the rows in a report, and their wording in a card.
_FEWEST_ROWS = 10
_SLICES = {"by_length": "texts of", "by_source": "texts from", "by_pattern": "rows that have"}


def limits(
    config: MultiTaskConfig, given: Measured | None, evidence: Evidence, settings: CardSettings
) -> dict[str, Any]:
    """Return the limitations that the template shows."""
    reported = {} if given is None else {name: each for name, each in given.tasks.items() if "errors" in each}
    unknown = [task.name for task in config.tasks if task.name not in reported]
    return {
        "tasks": [{"name": name, "lines": _of_task(each)} for name, each in reported.items()],
        "unknown": unknown,
        "calibration": None if given is None else _calibration(unknown, given.split, evidence.calibration),
        "calibration_notes": _notes(evidence.calibration),
        "max_length": config.max_length,
        "long_texts": config.long_texts,
        "languages": ", ".join(settings.language),
        "always_answers": not any(task.abstain_below for task in config.tasks),
    }


def _calibration(tasks: list[str], split: str, calibration: dict[str, Any]) -> str:
    """Return the calibration error after training for the tasks that have no report."""
    errors = {name: calibration.get(name, {}).get(split, {}).get("ece_after") for name in tasks}
    return ", ".join(f"{name} {number(error)}" for name, error in errors.items() if error is not None)


def _notes(calibration: dict[str, Any]) -> list[str]:
    """Return the notes on values that were not fitted, each once with its tasks."""
    tasks: dict[str, list[str]] = {}
    for name, each in calibration.items():
        for note in each.get("notes", []):  # version 0.1 wrote none
            tasks.setdefault(note, []).append(name)
    return [Markup(f"Calibration of {listed(names)}: {plain(note)}.") for note, names in tasks.items()]


def _of_task(task: dict[str, Any]) -> list[Markup]:
    lines = [*_labels(task), *_confusions(task)]
    lines += [line for kind, on in _SLICES.items() for line in _worst(task["errors"], kind, on)]
    if task["calibration"]:
        after = task["calibration"]["after"]
        lines.append(Markup(f"{trust(after)} Expected calibration error: {number(after['ece'])}."))
        lines += [effect] if (effect := calibration_effect(task)) else []
    if task["abstention"]:
        lines.append(withheld(task))
    return lines


def _labels(task: dict[str, Any]) -> list[Markup]:
    """Return the labels with the lowest F1, and the labels without rows."""
    ranked = weakest_first(task["classes"])
    weak = [
        f"{plain(label)} (F1 {number(each['f1']['value'])} on {count(each['support'])} rows)"
        for label, each in ranked
        if each["support"]
    ]
    unseen = [label for label, each in ranked if not each["support"]]
    lines = [Markup(f"Weakest labels: {', '.join(weak[:MOST])}.")] if weak else []
    if unseen:
        more = f", and {len(unseen) - MOST:,} more" if len(unseen) > MOST else ""
        lines.append(Markup(f"Not measured, because no row had the label: {listed(unseen[:MOST])}{more}."))
    return lines


def _confusions(task: dict[str, Any]) -> list[Markup]:
    found = [_confusion(**each) for each in task["errors"]["confusions"][:MOST]]
    head = "Most frequent errors (label → answer, with the share of the label's rows)"
    return [Markup(f"{head}: {', '.join(found)}.")] if found else []


def _confusion(label: str, answer: str, rows: int, share: float, **_examples: Any) -> str:
    """Return one confusion without its examples, because these are texts from the data."""
    return f"{plain(label)} → {plain(answer)} ({count(rows)} rows, {percent(share)})"


def _worst(errors: dict[str, Any], kind: str, on: str) -> list[Markup]:
    """Return the length, source or pattern of labels with the worst result, if several have enough rows."""
    slices = [each for each in errors[kind] if each["value"] is not None and each["rows"] >= _FEWEST_ROWS]
    if len(slices) < 2:
        return []
    less = errors["main_figure"] in LESS_IS_BETTER
    worst = (max if less else min)(slices, key=lambda each: each["value"])
    return [
        Markup(
            f"Worst results on {on} {plain(worst['name'])}: {plain(IN_WORDS[errors['main_figure']])} {interval(worst)} "
            f"on {count(worst['rows'])} rows."
        )
    ]
