"""How far two forms of one model give the same answers, and how good those of each are.

Shapes: N rows, C classes of one task.
"""

from typing import Any

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import TaskMetric


def agreement(
    found: dict[str, Decision], wanted: dict[str, Decision], tasks: list[TaskConfig]
) -> dict[str, dict[str, float]]:
    """How far the answers of one form are those of another.

    Args:
        found: By task name, the decisions on N rows, in arrays.
        wanted: Those of the other form.
        tasks: The model's.

    Returns:
        By task name `score_difference`, the largest of all scores, or of the numbers of a regression; and but for a
        regression `same_answer`, the share of the rows with the same answer, of several labels the same all of them.
    """
    compared = {}
    for task in tasks:
        one, other = found[task.name], wanted[task.name]
        figures = {"score_difference": float(np.abs(one.scores - other.scores).max(initial=0.0))}
        if not task.kind.is_number:
            same = (one.chosen == other.chosen).reshape(len(one.chosen), -1).all(axis=1) & (one.asked == other.asked)
            figures["same_answer"] = float(same.mean())
        compared[task.name] = figures
    return compared


def answer_figures(
    decisions: dict[str, Decision], labels: dict[str, np.ndarray], tasks: list[TaskConfig]
) -> dict[str, dict[str, Any]]:
    """The metrics of each task's answers; only `rows`, which is 0, for a task that no row has a label for.

    Args:
        decisions: By task name, in arrays.
        labels: By task name, as in a batch, missing ones among them.
        tasks: The model's.
    """
    return {
        task.name: TaskMetric(task.problem_type).compute(
            predictions=decisions[task.name].chosen, references=labels[task.name]
        )
        for task in tasks
    }
