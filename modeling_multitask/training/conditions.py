"""Tasks that depend on the answer to another task: their conditions, checked against labelled rows.

Shapes: N rows, P classes of the parent task.
"""

from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from torch import Tensor
from transformers.utils import logging

from datasets_builder.columns import distribution_column

from ..answers_multitask import may_follow
from ..task_problems_multitask import task_given_problem
from ..tasks_multitask import GivenConfig, TaskConfig, parent_task

logger = logging.get_logger(__name__)

MOST_NAMED = 10  # labels that one message lists


def with_condition(
    task: TaskConfig, parent: TaskConfig, rows: Dataset | None, given: GivenConfig, whole: Dataset | None = None
) -> TaskConfig:
    """Return the task with its condition. Logs the number of labels that contradict the condition.

    Args:
        task: The task, without a condition.
        parent: The task that it depends on.
        rows: The training rows; `None` if they are streamed.
        given: The condition. Without labels and parents, the parent of a label is the label of the parent task in the
            same rows.
        whole: The rows to read parents from: those of the training sources before the split. The default is `rows`.

    Raises:
        ValueError: If the condition is not valid for the two tasks, or a label occurs with none or several labels of
            the parent task.
    """
    conditional = replace(task, given=given)
    if (problem := task_given_problem(asdict(conditional), {parent.name: asdict(parent)})) is not None:
        raise ValueError(f"task {task.name!r}: given.{problem[0]}: {problem[1]}")
    if rows is None:
        return conditional
    if not given.labels and not given.parents:
        given = replace(given, parents=_parents(task, parent, *_pairs(rows if whole is None else whole, task, parent)))
        conditional = replace(task, given=given)
    labels, above = _pairs(rows, task, parent)
    allowed = may_follow(conditional, parent).numpy()
    odd = int((~allowed[above, labels if given.parents else 0]).sum())
    if odd:
        left = "are left out of training" if given.labels else "occur with a label that is not their parent"
        logger.warning(f"task {task.name!r}: {odd} labels {left} (condition on the task {parent.name!r})")
    return conditional


def counted_rows(rows: Dataset, tasks: list[TaskConfig]) -> dict[str, np.ndarray]:
    """Return the rows whose label counts, by task name, (N,): a label that is present, of a task that is asked.

    Args:
        rows: Rows from the dataset builder.
        tasks: All tasks, in order.
    """
    labels = {task.name: torch.from_numpy(label_ids(rows, task)) for task in tasks}
    unasked = unasked_rows(labels, tasks)
    return {name: (((each >= 0) | _has_soft(rows, name)) & ~unasked[name]).numpy() for name, each in labels.items()}


def unasked_rows(labels: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Tensor]:
    """Return the rows where a task is not asked according to the labels, by task name, (N,).

    A task is not asked if the label of its parent task is not in the condition, or if the parent task is not asked
    itself. If the row has no label for the parent task, the task is asked. A condition with `parents` excludes no row.

    Args:
        labels: The labels by task name, (N,), negative if missing. The labels of parent tasks are ids.
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
    """Return the result of `unasked_rows`, for arrays."""
    unasked = unasked_rows({name: torch.from_numpy(each) for name, each in labels.items()}, tasks)
    return {name: each.numpy() for name, each in unasked.items()}


def label_ids(rows: Dataset, task: TaskConfig) -> np.ndarray:
    """Return the id of each row's label, (N,): 0 for several labels or a number, -1 if missing."""
    labels = rows.select_columns([task.name]).with_format("arrow")[:][task.name]
    ids = labels.cast(pa.int64()) if task.kind.one_label else pc.if_else(labels.is_valid(), 0, None)
    return pc.fill_null(ids, -1).to_numpy().copy()  # writable, as torch requires


def _pairs(rows: Dataset, task: TaskConfig, parent: TaskConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of both tasks in the rows that have a label for both."""
    labels, above = label_ids(rows, task), label_ids(rows, parent)
    both = (labels >= 0) & (above >= 0)
    return labels[both], above[both]


def _parents(task: TaskConfig, parent: TaskConfig, labels: np.ndarray, above: np.ndarray) -> dict[str, str]:
    own, others = task.labels or [], parent.labels or []
    counts = np.zeros((len(own), len(others)), dtype=int)
    np.add.at(counts, (labels, above), 1)
    problems = []
    for i, row in enumerate(counts):
        if not row.any():
            problems.append(f"{own[i]!r} occurs with no label of {parent.name!r}")
        elif (row > 0).sum() > 1:
            found = ", ".join(f"{others[j]!r} ({row[j]} rows)" for j in np.flatnonzero(row))
            problems.append(f"{own[i]!r} occurs with several labels of {parent.name!r}: {found}")
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise ValueError(
            f"task {task.name!r}: given.parents is missing, and in the training rows the label "
            f"{'; the label '.join(problems[:MOST_NAMED])}{more}; fix the rows, or set given.parents"
        )
    return {own[i]: others[int(row.argmax())] for i, row in enumerate(counts)}


def _has_soft(rows: Dataset, task: str) -> Tensor:
    """Return the rows with a soft label of a task, (N,). A tie has no id."""
    name = distribution_column(task)
    if name not in rows.column_names:
        return torch.zeros(len(rows), dtype=torch.bool)
    column = rows.select_columns([name]).with_format("arrow")[:][name]
    return torch.from_numpy(column.is_valid().to_numpy().copy())
