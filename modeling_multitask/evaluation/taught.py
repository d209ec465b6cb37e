"""A task and its teacher on the same rows: how often their answers agree, and the metrics of the teacher.

Shapes: N rows of a split.
"""

from typing import Any

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import spearman, task_metrics

TEACHER = "teacher"  # the name of the figures in results.json and report.json


def teacher_figures(
    task: TaskConfig, name: str, answers: np.ndarray, there: np.ndarray, decision: Decision, labels: np.ndarray
) -> dict[str, Any]:
    """Return the figures of a teacher in JSON types.

    Args:
        task: The task.
        name: The name of the teacher.
        answers: The answers of the teacher in the form of `Decision.chosen`.
        there: (N,), the rows that the teacher has answered.
        decision: The decision of the model on the N rows, as arrays.
        labels: Their labels as in a batch.

    Returns:
        `model`, the name of the teacher, its `agreement` with the model, and its metrics on the labelled rows that it
        has answered. The agreement is on the rows that it has answered and where the model is asked. It has `rows` and
        `same_answer`, the share of rows with equal answers: with several labels, all of them must be equal. For a
        number it has `rows`, `spearman` and `mae`.
    """
    both = there & decision.asked
    return {
        "name": TEACHER,
        "model": name,
        "agreement": _agreement(task, answers[both], decision.chosen[both]),
        **(task_metrics(task, answers[there], labels[there]) if there.any() else {"rows": 0}),
    }


def agreement_in_words(figures: dict[str, Any]) -> str:
    """Return a sentence on a teacher, without its end: `96.2% of 429 answers are those of the teacher old/model`."""
    found = figures["agreement"]
    teacher = f"the teacher {figures['model']}"
    if not found["rows"]:
        return f"{teacher} answers none of these rows"
    if "same_answer" in found:
        return f"{found['same_answer']:.1%} of {found['rows']:,} answers are those of {teacher}"
    return (
        f"the numbers and those of {teacher} have the rank correlation {found['spearman']:.3f} in {found['rows']:,} "
        f"rows, and differ by {found['mae']:.3g} on average"
    )


def _agreement(task: TaskConfig, answers: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    if not len(answers):
        return {"rows": 0}
    if task.kind.is_number:
        difference = float(np.abs(answers - chosen).mean())
        return {"rows": len(answers), "spearman": spearman(answers, chosen), "mae": difference}
    same = (answers == chosen).reshape(len(answers), -1).all(axis=1)
    return {"rows": len(answers), "same_answer": float(same.mean())}
