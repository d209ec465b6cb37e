"""The rules that connect `label_texts` of a task with other words of a recipe."""

from typing import Any

from ..problem_types_multitask import PROBLEM_TYPES
from .problems import unknown_label_problems

PLACEHOLDER = "{label}"


def label_text_problems(tasks: list[dict[str, Any]], *, streamed: bool) -> list[str]:
    """Return the contradictions between `label_texts` and other words, each with its location.

    Args:
        tasks: The tasks as written, without malformed values.
        streamed: Whether the training rows are streamed.
    """
    taught = any(task.get("teacher") for task in tasks)
    return [
        f"tasks[{i}].label_texts: {problem}"
        for i, task in enumerate(tasks)
        if task.get("label_texts")
        for problem in _problems(task["label_texts"], task, streamed=streamed, taught=taught)
    ]


def _problems(given: Any, task: dict[str, Any], *, streamed: bool, taught: bool) -> list[str]:
    facts, labels = PROBLEM_TYPES.get(str(task.get("problem_type"))), task.get("labels")
    problems = []
    if streamed:
        problems.append("are added to the rows before training, and rows are streamed; leave label_texts out")
    if taught:
        problems.append("no teacher answers these texts; leave label_texts or the teacher out")
    if facts is not None and not facts.one_label:
        problems.append(f"{facts.name} has no rows with exactly one label; leave label_texts out")
    if isinstance(given, str) and PLACEHOLDER not in given:
        problems.append(f"{given!r} lacks {PLACEHOLDER}, which stands for the label; write 'This is a {PLACEHOLDER}.'")
    if isinstance(given, dict):
        problems += [
            f"the text of {label!r} is empty; leave the label out" for label in given if not given[label].strip()
        ]
    if isinstance(given, dict) and isinstance(labels, list):
        problems += unknown_label_problems(given, labels)
    return problems
