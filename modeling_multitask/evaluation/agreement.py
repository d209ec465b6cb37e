"""The agreement of two forms of one model, such as PyTorch and ONNX, and the metrics of each.

Shapes: N rows, C classes of one task.
"""

from typing import Any

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import answer_metrics


def agreement(
    found: dict[str, Decision], expected: dict[str, Decision], tasks: list[TaskConfig]
) -> dict[str, dict[str, float]]:
    """Compare the answers of two forms of a model.

    Args:
        found: The decisions on N rows by task name, as arrays.
        expected: The decisions of the other form.
        tasks: The model's tasks.

    Returns:
        By task name, `score_difference` and `same_answer`. `score_difference` is the largest difference between
        scores, or between the numbers of a regression. `same_answer` is the share of rows with the same answer. With
        several labels, all of them must be equal. A regression has no `same_answer`.
    """
    compared = {}
    for task in tasks:
        one, other = found[task.name], expected[task.name]
        figures = {"score_difference": float(np.abs(one.scores - other.scores).max(initial=0.0))}
        if not task.kind.is_number:
            same = (one.chosen == other.chosen).reshape(len(one.chosen), -1).all(axis=1) & (one.asked == other.asked)
            figures["same_answer"] = float(same.mean())
        compared[task.name] = figures
    return compared


def answer_figures(
    decisions: dict[str, Decision], labels: dict[str, np.ndarray], tasks: list[TaskConfig]
) -> dict[str, dict[str, Any]]:
    """Return the metrics of each task's answers. A task without labelled rows has only `rows`, which is 0.

    Args:
        decisions: The decisions by task name, as arrays.
        labels: The labels by task name, as in a batch, including missing ones.
        tasks: The model's tasks.
    """
    return {task.name: answer_metrics(decisions[task.name].chosen, labels[task.name], task.kind) for task in tasks}
