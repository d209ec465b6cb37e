"""The tasks and labels that two models have in common.

Shapes: N rows, C labels of one model, S of them shared.
"""

from typing import NamedTuple

import numpy as np

from ..answers_multitask import NOT_ASKED, Decision
from ..kinds_multitask import IGNORE_INDEX
from ..problem_types_multitask import PROBLEM_TYPES, UNORDERED, AnswerForm, ProblemTypeName
from ..tasks_multitask import TaskConfig

# What a task must have in common, by the form of the answer.
_FEWEST_LABELS: dict[AnswerForm, int] = {"label": 2, "labels": 1, "number": 0}


class SharedTask(NamedTuple):
    """A task of two models.

    Args:
        task: The task by which both are judged, with the S labels that both models have.
        model: The task of the model.
        other: The task of the other model.
    """

    task: TaskConfig
    model: TaskConfig
    other: TaskConfig


def shared_tasks(tasks: list[TaskConfig], others: list[TaskConfig]) -> tuple[list[SharedTask], list[str]]:
    """Return the tasks that two models have in common, and notes on the other tasks.

    Tasks are matched by name. Both must answer one label, several labels, or a number. Ranks are only compared if both
    models have the same labels in the same order.

    Args:
        tasks: The tasks of the model.
        others: The tasks of the other model.
    """
    names, found = [task.name for task in tasks], {each.name: each for each in others}
    notes = _only("this model", [name for name in names if name not in found])
    notes += _only("the other model", [name for name in found if name not in names])
    shared = []
    for task in tasks:
        if (other := found.get(task.name)) is None:
            continue
        if (problem := _problem(task, other)) is not None:
            notes.append(f"The task {task.name!r} is not compared: {problem}")
            continue
        shared.append(SharedTask(_judged_by(task, other), task, other))
        if task.kind.ordered and not shared[-1].task.kind.ordered:
            notes.append(f"The task {task.name!r} is compared without ranks: the models do not have the same ranks")
    return shared, notes


def shared_decision(own: TaskConfig, task: TaskConfig, decision: Decision) -> Decision:
    """Return a model's decision among the shared labels. Another answer becomes `NOT_ASKED`, so it counts as wrong.

    Args:
        own: The task of the model.
        task: The task with the shared labels.
        decision: The decision on N rows.
    """
    if task.kind.is_number:
        return decision
    if task.kind.several_labels:
        if own.labels == task.labels:
            return decision
        columns = _columns(own, task)
        return decision._replace(scores=decision.scores[:, columns], chosen=decision.chosen[:, columns])
    return decision._replace(chosen=np.append(_places(own, task, NOT_ASKED), NOT_ASKED)[decision.chosen])


def shared_labels(own: TaskConfig, task: TaskConfig, labels: np.ndarray) -> np.ndarray:
    """Return labels among the shared ones; a label that is not shared is missing.

    Args:
        own: The task that the labels are of.
        task: The task with the shared labels.
        labels: (N,), or (N, C) with several labels. They may be missing.
    """
    if task.kind.is_number or own.labels == task.labels:
        return labels
    if task.kind.several_labels:
        return labels[:, _columns(own, task)]
    return np.where(labels >= 0, _places(own, task, IGNORE_INDEX)[np.maximum(labels, 0)], IGNORE_INDEX)


def _only(whose: str, names: list[str]) -> list[str]:
    if not names:
        return []
    return [f"Only {whose} has the task{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"]


def _problem(task: TaskConfig, other: TaskConfig) -> str | None:
    """Return why two tasks cannot be compared, or `None`."""
    if task.kind.answer != other.kind.answer:
        words = [PROBLEM_TYPES[each.problem_type].in_words for each in (task, other)]
        return f"its answer is {words[0]} in this model, and {words[1]} in the other model"
    fewest = _FEWEST_LABELS[task.kind.answer]
    if len(_in_common(task, other)) < fewest:
        return f"the models have fewer than {fewest} of its labels in common" if fewest > 1 else "no label is shared"
    return None


def _judged_by(task: TaskConfig, other: TaskConfig) -> TaskConfig:
    one_label = task.kind.one_label
    same_ranks = task.kind.ordered and other.kind.ordered and task.labels == other.labels
    problem_type: ProblemTypeName = UNORDERED if one_label and not same_ranks else task.problem_type
    metric = task.main_metric if task.main_metric in PROBLEM_TYPES[problem_type].metrics else None
    labels = None if task.kind.is_number else _in_common(task, other)
    return TaskConfig(task.name, problem_type, labels=labels, metric=metric)


def _in_common(task: TaskConfig, other: TaskConfig) -> list[str]:
    return [label for label in task.labels or [] if label in (other.labels or [])]


def _columns(own: TaskConfig, task: TaskConfig) -> list[int]:
    return [(own.labels or []).index(label) for label in task.labels or []]


def _places(own: TaskConfig, task: TaskConfig, absent: int) -> np.ndarray:
    """Return the id among the shared labels of each label of a model, (C,); `absent` for a label that is not shared."""
    ids = {label: i for i, label in enumerate(task.labels or [])}
    return np.array([ids.get(label, absent) for label in own.labels or []])
