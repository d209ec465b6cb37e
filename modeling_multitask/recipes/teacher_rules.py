"""The rules that connect the teacher of a task with other words of a recipe."""

from typing import Any

from datasets_builder.columns import distribution_column
from datasets_builder.formats import names_table

from ..problem_types_multitask import PROBLEM_TYPES
from .problems import unknown_label_problems


def teacher_problems(tasks: list[dict[str, Any]], *, streamed: bool) -> list[str]:
    """Return the contradictions between teachers and other words, each with its location.

    Args:
        tasks: The tasks as written, without malformed values.
        streamed: Whether the training rows are streamed.
    """
    names = [task.get("name") for task in tasks]
    problems = []
    for i, task in enumerate(tasks):
        if not task.get("teacher"):
            continue
        problems += [f"tasks[{i}].{problem}" for problem in _problems(task, names, streamed=streamed)]
    return problems


def learns_without_labels(task: dict[str, Any]) -> bool:
    """Return whether a task needs no label in any table: a teacher answers, and the labels are known."""
    facts = PROBLEM_TYPES.get(str(task.get("problem_type")))
    return bool(task.get("teacher")) and (bool(task.get("labels")) or (facts is not None and facts.is_number))


def _problems(task: dict[str, Any], names: list[Any], *, streamed: bool) -> list[str]:
    given = task["teacher"]
    words = {"model": given} if isinstance(given, str) else given if isinstance(given, dict) else {}
    facts, labels = PROBLEM_TYPES.get(str(task.get("problem_type"))), task.get("labels")
    renamed = words.get("labels") or {}
    problems = []
    if streamed:
        problems.append(
            "teacher: answers all training rows before training, and rows are streamed; set data.streaming=false"
        )
    if (soft := distribution_column(str(task.get("name")))) in names:
        problems.append(f"teacher: a task is called {soft!r}, the column of the teacher's answers; rename that task")
    if words.get("text") and not names_table(str(words.get("model"))):
        problems.append("teacher.text: is for a table of recorded answers; leave it out")
    if renamed and facts is not None and facts.is_number:
        return [*problems, f"teacher.labels: {facts.name} has no labels; leave them out"]
    if isinstance(renamed, dict) and isinstance(labels, list):
        problems += [f"teacher.labels: {problem}" for problem in unknown_label_problems(renamed.values(), labels)]
    return problems
