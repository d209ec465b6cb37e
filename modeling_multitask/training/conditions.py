"""Tasks that depend on the answer to another: their conditions, held against the training rows."""

from dataclasses import replace

import numpy as np
from datasets import Dataset
from transformers.utils import logging

from ..answers_multitask import may_follow
from ..tasks_multitask import GivenConfig, TaskConfig

logger = logging.get_logger(__name__)


def with_condition(task: TaskConfig, parent: TaskConfig, rows: Dataset | None, given: GivenConfig) -> TaskConfig:
    """The task with its condition; says how many of its labels stand against it.

    Args:
        task: The task, without a condition.
        parent: The task that it depends on.
        rows: The training rows; `None` where they are streamed, and cannot be looked at.
        given: The condition. Where it says neither labels nor parents, the parents are those beside which each label
            stands in the rows.

    Raises:
        ValueError: If a label stands beside no label of the other task, or beside several.
    """
    if rows is None:
        return replace(task, given=given)
    labels, above = _ids(rows, task), _ids(rows, parent)
    both = (labels >= 0) & (above >= 0)
    if not given.labels and not given.parents:
        given = replace(given, parents=_parents(task, parent, labels[both], above[both]))
    task = replace(task, given=given)
    allowed = may_follow(task, parent).numpy()
    odd = both.copy()
    odd[both] = ~allowed[above[both]][np.arange(both.sum()), labels[both] if given.parents else 0]
    if odd.any():
        left = "are left out of training" if given.labels else "stand beside another label than their parent"
        logger.warning(f"task {task.name!r}: {odd.sum()} labels {left} (given the task {parent.name!r})")
    return task


def _parents(task: TaskConfig, parent: TaskConfig, labels: np.ndarray, above: np.ndarray) -> dict[str, str]:
    own, others = task.labels or [], parent.labels or []
    beside = np.zeros((len(own), len(others)), dtype=int)
    np.add.at(beside, (labels, above), 1)
    where = f"task {task.name!r}: given.parents is left out, and in the training rows the label"
    for i, row in enumerate(beside):
        if not row.any():
            raise ValueError(f"{where} {own[i]!r} stands beside no label of {parent.name!r}; write given.parents")
        if (row > 0).sum() > 1:
            found = ", ".join(f"{others[j]!r} ({row[j]} rows)" for j in np.flatnonzero(row))
            raise ValueError(
                f"{where} {own[i]!r} stands beside several of {parent.name!r}: {found}; mend the rows, or write "
                "given.parents"
            )
    return {own[i]: others[int(row.argmax())] for i, row in enumerate(beside)}


def _ids(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """(N,) the id of each row's label, 0 where it has several labels or a number; -1 where missing."""
    if task.problem_type in ("multi_label_classification", "regression"):
        return np.array([-1 if label is None else 0 for label in rows[task.name]])
    return np.array([-1 if label is None else label for label in rows[task.name]])
