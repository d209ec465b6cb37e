"""The tasks and answers of a model, for its card."""

from typing import Any

from markupsafe import Markup

from ...evaluation.report_page import number
from ...tasks_multitask import TaskConfig
from .words import listed, plain

MOST_LABELS = 20  # shown in the table of tasks; longer lists are folded below the table
# Answers whose description includes the number of labels. All others use the description of the problem type.
_COUNTED = {
    "single_label_classification": "one of {count} labels",
    "multi_label_classification": "any number of {count} labels",
    "ordinal_regression": "one of {count} labels, in this order",
}


def task_lines(tasks: list[TaskConfig]) -> list[dict[str, Any]]:
    """Return the table of tasks: name, kind of answer and labels."""
    return [{"name": task.name, "answer": _answer(task), "labels": _labels(task)} for task in tasks]


def folded_labels(tasks: list[TaskConfig]) -> list[dict[str, Any]]:
    """Return the labels of each task with many labels, grouped by parent label if there is one."""
    return [
        {"task": task.name, "count": len(task.labels), "lines": _by_parent(task)}
        for task in tasks
        if task.labels and len(task.labels) > MOST_LABELS
    ]


def conditions(tasks: list[TaskConfig]) -> list[Markup]:
    """Return notes on the answers: conditions between tasks, thresholds, abstention and calibration."""
    lines = [
        line for task in tasks for line in (_given(task), _median(task), _thresholds(task), _abstention(task)) if line
    ]
    pairs = [f"{plain(each.name)} {number(each.temperature, 2)}" for each in tasks if each.temperature != 1]
    if pairs:
        fitted = "Scores are calibrated. Logits are divided by a temperature that was fitted on validation rows"
        lines.append(Markup(f"{fitted} ({', '.join(pairs)})."))
    return lines


def _answer(task: TaskConfig) -> str:
    counted = _COUNTED.get(task.problem_type, task.kind.in_words)
    return counted.format(count=len(task.labels or ()))


def _labels(task: TaskConfig) -> Markup:
    if task.labels is None:
        return _targets(task)
    return Markup("see below") if len(task.labels) > MOST_LABELS else listed(task.labels)


def _targets(task: TaskConfig) -> Markup:
    targets = task.targets
    if targets is None or targets.minimum is None:  # version 0.1 did not record them
        return Markup("–")
    least, median, greatest = (f"{each:,.4g}" for each in (targets.minimum, targets.median, targets.maximum))
    return Markup(f"numbers; in training from {least} to {greatest}, median {median}")


def _by_parent(task: TaskConfig) -> list[Markup]:
    labels = task.labels or []
    if task.given is None or task.given.parents is None:
        return [listed(labels)]
    parents = task.given.parents
    return [
        Markup(f"- **{plain(parent)}**: {listed(label for label in labels if parents[label] == parent)}")
        for parent in dict.fromkeys(parents.values())
    ]


def _given(task: TaskConfig) -> Markup | None:
    if task.given is None:
        return None
    name, parent = plain(task.name), plain(task.given.task)
    if task.given.parents is not None:
        return Markup(
            f"Each label of {name} belongs to one label of {parent}. Both answers are chosen together and always agree."
        )
    asked_after = listed(task.given.labels or ())
    return Markup(f"{name} is only asked if the answer to {parent} is {asked_after}. Otherwise it has no answer.")


def _median(task: TaskConfig) -> Markup | None:
    if task.decision != "median" or task.given is not None:
        return None
    return Markup(
        f"{plain(task.name)}: the answer is the median of the scores over the ordered labels. It may differ from the "
        "label with the highest score."
    )


def _thresholds(task: TaskConfig) -> Markup | None:
    if task.thresholds is None:
        return None
    labels = (task.labels or [])[-len(task.thresholds) :]
    if len(labels) > MOST_LABELS:
        return Markup(f"{plain(task.name)}: a label is returned if its score is above its threshold in config.json.")
    pairs = [f"{plain(label)} {number(each)}" for label, each in zip(labels, task.thresholds, strict=True)]
    return Markup(f"{plain(task.name)}: a label is returned if its score is above its threshold ({', '.join(pairs)}).")


def _abstention(task: TaskConfig) -> Markup | None:
    if task.abstain_below is None:
        return None
    return Markup(
        f"{plain(task.name)} returns a score but no answer if its {task.abstain_by} is below "
        f"{number(task.abstain_below)}."
    )
