"""Tasks that depend on the answer to another: their conditions, held against rows with labels.

Shapes: N rows, P classes of the task that another depends on.
"""

from dataclasses import asdict, replace

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers.utils import logging

from ..answers_multitask import may_follow
from ..task_problems_multitask import task_given_problem
from ..tasks_multitask import GivenConfig, TaskConfig, parent_task

logger = logging.get_logger(__name__)

MOST_NAMED = 10  # labels that one message names


def with_condition(task: TaskConfig, parent: TaskConfig, rows: Dataset | None, given: GivenConfig) -> TaskConfig:
    """The task with its condition; says how many of its labels stand against it.

    Args:
        task: The task, without a condition.
        parent: The task that it depends on.
        rows: The training rows; `None` where they are streamed, and cannot be looked at.
        given: The condition. Where it says neither labels nor parents, the parents are those beside which each label
            stands in the rows.

    Raises:
        ValueError: If the two tasks do not go with the condition, or a label stands beside no label of the other
            task, or beside several.
    """
    conditional = replace(task, given=given)
    if (problem := task_given_problem(asdict(conditional), {parent.name: asdict(parent)})) is not None:
        raise ValueError(f"task {task.name!r}: given.{problem[0]}: {problem[1]}")
    if rows is None:
        return conditional
    labels, above = _ids(rows, task), _ids(rows, parent)
    both = (labels >= 0) & (above >= 0)
    if not given.labels and not given.parents:
        given = replace(given, parents=_parents(task, parent, labels[both], above[both]))
        conditional = replace(task, given=given)
    allowed = may_follow(conditional, parent).numpy()
    odd = int((~allowed[above[both], labels[both] if given.parents else 0]).sum())
    if odd:
        left = "are left out of training" if given.labels else "stand beside another label than their parent"
        logger.warning(f"task {task.name!r}: {odd} labels {left} (given the task {parent.name!r})")
    return conditional


def counted_rows(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """By task name, (N,), which rows have a label that counts: one that answers a question which is asked.

    Args:
        rows: As the builder gives them.
        tasks: All tasks, in order.
    """
    labels = {task.name: torch.from_numpy(_ids(rows, task)) for task in tasks}
    unasked = unasked_rows(labels, tasks)
    return {name: ((each >= 0) & ~unasked[name]).numpy() for name, each in labels.items()}


def unasked_rows(labels: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Tensor]:
    """By task name, (N,), the rows whose labels say that its question is not asked.

    It is not asked after other labels of the task that it depends on than its condition names, nor where the question
    of that task itself is not asked. Without a label for that task it is. Its condition may be `parents`: then each
    label of its own has its place, and no row is known to go without.

    Args:
        labels: By task name, (N,), negative where missing; of the tasks that others depend on they are ids.
        tasks: The model's tasks, in order.
    """
    unasked: dict[str, Tensor] = {}
    for task in tasks:
        if task.given is None:
            unasked[task.name] = torch.zeros(len(labels[task.name]), dtype=torch.bool)
            continue
        parent = parent_task(task, tasks)
        unasked[task.name] = unasked[parent.name]
        if task.given.labels:
            asked_after = may_follow(task, parent).any(dim=-1)  # (P,)
            above = labels[parent.name]
            unasked[task.name] = unasked[parent.name] | (above >= 0) & ~asked_after[above.clamp(min=0)]
    return unasked


def unasked_arrays(labels: dict[str, np.ndarray], tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """`unasked_rows` for arrays."""
    unasked = unasked_rows({name: torch.from_numpy(each) for name, each in labels.items()}, tasks)
    return {name: each.numpy() for name, each in unasked.items()}


def _parents(task: TaskConfig, parent: TaskConfig, labels: np.ndarray, above: np.ndarray) -> dict[str, str]:
    own, others = task.labels or [], parent.labels or []
    beside = np.zeros((len(own), len(others)), dtype=int)
    np.add.at(beside, (labels, above), 1)
    problems = []
    for i, row in enumerate(beside):
        if not row.any():
            problems.append(f"{own[i]!r} stands beside no label of {parent.name!r}")
        elif (row > 0).sum() > 1:
            found = ", ".join(f"{others[j]!r} ({row[j]} rows)" for j in np.flatnonzero(row))
            problems.append(f"{own[i]!r} stands beside several of {parent.name!r}: {found}")
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise ValueError(
            f"task {task.name!r}: given.parents is left out, and in the training rows the label "
            f"{'; the label '.join(problems[:MOST_NAMED])}{more}; mend the rows, or write given.parents"
        )
    return {own[i]: others[int(row.argmax())] for i, row in enumerate(beside)}


def _ids(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """(N,) the id of each row's label, 0 where it has several labels or a number; -1 where missing."""
    if not task.kind.one_label:
        return np.array([-1 if label is None else 0 for label in rows[task.name]], dtype=int)
    return np.array([-1 if label is None else label for label in rows[task.name]], dtype=int)
