"""New models from a trained one, with tasks added or dropped and labels renamed. Kept tasks keep their weights."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers.utils import logging

from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import GivenConfig, HeadConfig, TaskConfig, decided_together, parse_task
from ..words_multitask import nearest_hint

logger = logging.get_logger(__name__)


def grow(
    trained: MultiTaskModel,
    tasks: Sequence[TaskConfig | dict[str, Any]],
    *,
    head: HeadConfig | dict[str, Any] | None = None,
    max_length: int | None = None,
    long_texts: str | None = None,
) -> MultiTaskModel:
    """Return a model with these tasks and the encoder of a trained model. Tasks of the trained model keep their heads.

    Args:
        trained: The trained model. It is not changed, and the two models share no weights.
        tasks: The tasks of the new model, in order. A task with the name of a trained task must have the same problem
            type and number of labels. The names of its labels may differ.
        head: The head of every new task without its own `head`. By default, that of the trained model.
        max_length: The maximum number of tokens. By default, that of the trained model.
        long_texts: The handling of longer texts. By default, that of the trained model.

    Raises:
        ValueError: If a task was trained with another problem type, number of labels or head.
    """
    old = {task.name: task for task in trained.config.tasks}
    new_tasks = [parse_task(task) for task in tasks]
    for i, task in enumerate(new_tasks):
        if task.name in old:
            kept = old[task.name].head or trained.config.head  # whatever the new default
            _check_same(task, old[task.name], kept)
            new_tasks[i] = replace(task, head=kept, **_calibration(old[task.name]))
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
            getattr(model.heads, task.name).load_state_dict(getattr(trained.heads, task.name).state_dict())
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
        ValueError: If no kept task has a label of `rename_labels`, or `labels` differ from the trained ones.
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
    labels = [rename_labels.get(label, label) for label in known.labels]
    if task.get("labels") not in (None, labels):
        raise ValueError(
            f"task {task['name']!r}: its labels are {task['labels']}, but it was trained with {labels}; "
            "leave them out, or rename them with rename_labels"
        )
    return {**inherited, "labels": labels}


def _calibration(task: TaskConfig) -> dict[str, Any]:
    """Return the calibration and the scale of a task, so that a kept head gives the same answers as before."""
    names = ("temperature", "thresholds", "abstain_below", "abstain_by", "transform", "targets")
    return {name: getattr(task, name) for name in names}


def _check_same(task: TaskConfig, old: TaskConfig, head: HeadConfig) -> None:
    if (task.problem_type, task.num_labels) != (old.problem_type, old.num_labels):
        raise ValueError(
            f"task {task.name!r}: it is {task.problem_type} with {task.num_labels} labels, but was trained as "
            f"{old.problem_type} with {old.num_labels}; give the new task another name"
        )
    if task.head not in (None, head):
        raise ValueError(f"task {task.name!r}: its head is {task.head}, but it was trained with {head}; leave it out")
