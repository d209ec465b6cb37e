"""New models from a trained one, with tasks and labels added, dropped or renamed. What is kept keeps its weights.

Shapes: C labels of a task.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from transformers.utils import logging

from ..modeling_multitask import MultiTaskModel
from ..problem_types_multitask import PROBLEM_TYPES
from ..tasks_multitask import GivenConfig, HeadConfig, TaskConfig, decided_together, parse_task
from ..wording import first_few
from ..words_multitask import nearest_hint

logger = logging.get_logger(__name__)


def grow(
    trained: MultiTaskModel,
    tasks: Sequence[TaskConfig | dict[str, Any]],
    *,
    rename_labels: Mapping[str, str] | None = None,
    head: HeadConfig | dict[str, Any] | None = None,
    max_length: int | None = None,
    long_texts: str | None = None,
) -> MultiTaskModel:
    """Return a model with these tasks and the encoder of a trained model. Tasks of the trained model keep their heads.

    In a head whose labels change, each label that was trained keeps its weights, and a new one starts as in a new head.
    The calibration of such a task is dropped.

    Args:
        trained: The trained model. It is not changed, and the two models share no weights.
        tasks: The tasks of the new model, in order. A task with the name of a trained task must have the same problem
            type. Single-label and multi-label tasks may have other labels, at least one of which was trained.
        rename_labels: The new name of each renamed label, by old name.
        head: The head of every new task without its own `head`. By default, that of the trained model.
        max_length: The maximum number of tokens. By default, that of the trained model.
        long_texts: The handling of longer texts. By default, that of the trained model.

    Raises:
        ValueError: If a task was trained with another problem type or head, its labels cannot be changed, or two of its
            labels get the same name.
    """
    new_tasks = [parse_task(task) for task in tasks]
    names = {task.name for task in new_tasks}
    old = {task.name: _renamed(task, rename_labels or {}) for task in trained.config.tasks if task.name in names}
    for i, task in enumerate(new_tasks):
        if task.name in old:
            kept = old[task.name].head or trained.config.head  # whatever the new default
            _check_same(task, old[task.name], kept)
            _log_changes(task, old[task.name])
            new_tasks[i] = replace(task, head=kept, **_calibration(task, old[task.name]))
    together = decided_together(new_tasks)  # these have no thresholds
    new_tasks = [replace(task, thresholds=None) if task.name in together else task for task in new_tasks]
    config = trained.config.to_dict()
    wishes = {"head": head, "max_length": max_length, "long_texts": long_texts}
    config |= {"tasks": new_tasks} | {name: wish or config[name] for name, wish in wishes.items()}
    config["backbone_config"] = copy.deepcopy(trained.config.backbone_config)
    config.pop("auto_map", None)
    model = type(trained)(type(trained.config)(**config)).to(trained.dtype)
    model.backbone.load_state_dict(trained.backbone.state_dict())
    model.dense.load_state_dict(trained.dense.state_dict())
    for task in new_tasks:
        if task.name in old:
            head_of_task = getattr(model.heads, task.name)
            head_of_task.load_state_dict(
                _weights(getattr(trained.heads, task.name), old[task.name].labels, head_of_task, task.labels)
            )
    model.config.name_or_path = trained.config.name_or_path
    return model.eval()


def inherited_tasks(
    tasks: Sequence[Mapping[str, Any]], trained: Sequence[TaskConfig], rename_labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the requested tasks, with the labels of the trained model for tasks of the same name.

    Args:
        tasks: Dicts of settings. Without `labels`, a task has the labels of the trained model.
        trained: The tasks of the trained model.
        rename_labels: The new name of each renamed label, by old name.

    Raises:
        ValueError: If no kept task has a label of `rename_labels`, or the labels of a task cannot be changed.
    """
    old = {task.name: task for task in trained}
    kept = [old[task["name"]] for task in tasks if task["name"] in old]
    there = [label for task in kept for label in task.labels or ()]
    for name in rename_labels:
        if name not in there:
            raise ValueError(f"rename_labels: no kept task has the label {name!r}{nearest_hint(name, there)}")
    inherited = []
    for task in tasks:
        known = old.get(task["name"])
        inherited.append(dict(task) if known is None else _inherited(task, known, rename_labels))
    return inherited


def inherited_condition(
    task: str,
    given: GivenConfig | None,
    trained: Sequence[TaskConfig],
    kept: Sequence[str],
    rename_labels: Mapping[str, str],
) -> GivenConfig | None:
    """Return the condition of a task, completed with the labels or parents of the trained model.

    Args:
        task: The name of the task.
        given: The requested condition, if there is one.
        trained: The tasks of the trained model.
        kept: The names of the new model's tasks.
        rename_labels: The new name of each renamed label, by old name.
    """
    known = next((each.given for each in trained if each.name == task), None)
    if known is None or (given is not None and (given.labels or given.parents or given.task != known.task)):
        return given
    if known.task not in kept:
        logger.warning(
            f"task {task!r} was trained with a condition on {known.task!r}, which is not a task of the new model; "
            "the condition is dropped"
        )
        return given

    def renamed(label: str) -> str:
        return rename_labels.get(label, label)

    parents = known.parents and {renamed(label): renamed(parent) for label, parent in known.parents.items()}
    return GivenConfig(known.task, labels=known.labels and [*map(renamed, known.labels)], parents=parents)


def _inherited(task: Mapping[str, Any], known: TaskConfig, rename_labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a task, completed with those of the trained task."""
    for name in ("problem_type", "transform"):
        if task.get(name) not in (None, getattr(known, name)):
            raise ValueError(
                f"task {task['name']!r}: its {name} is {task[name]}, but it was trained with {getattr(known, name)}; "
                "give the new task another name"
            )
    kept = {name: getattr(known, name) for name in ("transform", "decision") if task.get(name) is None}
    inherited = {**task, **{name: value for name, value in kept.items() if value is not None}}
    if known.labels is None:
        return inherited
    labels = _renamed(known, rename_labels).labels or []
    given = task.get("labels") or labels
    _check_labels(task["name"], known, [*map(str, given)], labels)
    return {**inherited, "labels": given}


def _renamed(task: TaskConfig, rename_labels: Mapping[str, str]) -> TaskConfig:
    """Return a task with its labels under their new names. Only these are changed."""
    labels = None if task.labels is None else [rename_labels.get(label, label) for label in task.labels]
    if twice := [label for label in labels or () if labels and labels.count(label) > 1]:
        old = [label for label in task.labels or () if rename_labels.get(label, label) == twice[0]]
        raise ValueError(
            f"rename_labels: task {task.name!r} would have two labels {twice[0]!r}, which were trained as "
            f"{old[0]!r} and {old[1]!r}; labels cannot be merged, so choose another new name"
        )
    renamed = copy.copy(task)
    renamed.labels = labels
    return renamed


def _check_labels(name: str, known: TaskConfig, labels: list[str], trained: list[str]) -> None:
    """Check that a head can be given these labels, some of which it was trained with."""
    if labels == trained:
        return
    changed = f"task {name!r}: its labels are {labels}, but it was trained with {trained}"
    if not PROBLEM_TYPES[known.problem_type].labels_can_change:
        raise ValueError(
            f"{changed}; those of {known.problem_type} cannot be changed. Leave them out, rename them with "
            "rename_labels, or give the new task another name"
        )
    if not set(labels) & set(trained):
        raise ValueError(f"{changed}, and none of them is the same; use rename_labels, or give the task another name")


def _log_changes(task: TaskConfig, old: TaskConfig) -> None:
    labels, trained = task.labels or [], old.labels or []
    parts = {
        "new": [label for label in labels if label not in trained],
        "dropped": [label for label in trained if label not in labels],
    }
    said = [f"{what} labels: {first_few(map(repr, each))}" for what, each in parts.items() if each]
    if said:
        logger.warning(f"task {task.name!r}: {'; '.join([*said, 'its calibration is dropped'])}")


def _weights(
    old: nn.Sequential, trained: list[str] | None, new: nn.Sequential, labels: list[str] | None
) -> dict[str, Tensor]:
    """Return the weights of a trained head for these labels. Those of a label that was not trained are the new head's.

    Args:
        old: The trained head. Its last layer has (C, ...) weights if its labels can be changed.
        trained: Its labels, if it has any.
        new: The new head.
        labels: Its labels.
    """
    weights = old.state_dict()
    if labels == trained or labels is None or trained is None:
        return weights
    kept = [(i, trained.index(label)) for i, label in enumerate(labels) if label in trained]
    places, rows = map(list, zip(*kept, strict=True))
    for name, fresh in new[-1].state_dict().items():
        changed = fresh.clone()
        changed[places] = old[-1].state_dict()[name][rows]
        weights[f"{len(new) - 1}.{name}"] = changed
    return weights


def _calibration(task: TaskConfig, old: TaskConfig) -> dict[str, Any]:
    """Return the calibration and the scale of a task, so that a kept head gives the same answers as before."""
    scale = ("transform", "targets")
    calibrated = ("temperature", "thresholds", "abstain_below", "abstain_by") if task.labels == old.labels else ()
    return {name: getattr(old, name) for name in (*scale, *calibrated)}


def _check_same(task: TaskConfig, old: TaskConfig, head: HeadConfig) -> None:
    if task.problem_type != old.problem_type:
        raise ValueError(
            f"task {task.name!r}: it is {task.problem_type}, but was trained as {old.problem_type}; give the new task "
            "another name"
        )
    _check_labels(task.name, old, task.labels or [], old.labels or [])
    if task.head not in (None, head):
        raise ValueError(f"task {task.name!r}: its head is {task.head}, but it was trained with {head}; leave it out")
