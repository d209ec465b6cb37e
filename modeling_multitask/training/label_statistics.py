"""Start new heads from the training labels: the scale of a regression, and the cut points of an ordinal regression."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor

from datasets_builder.label_lists import ListForm

from ..modeling_multitask import MultiTaskModel
from ..output_layers_multitask import CumulativeLogits, StandardizedLinear
from ..tasks_multitask import TargetStatistics, TaskConfig
from .collator import labels_of
from .label_columns import labels_of_table

LEAST_STREAMED = 10_000  # rows; the fewest that are read from a stream


def start_heads(model: MultiTaskModel, rows: Any, list_forms: Mapping[str, ListForm] | None = None) -> None:
    """Set the scale of each new regression head, and the cut points of each new ordinal head.

    The statistics of the targets become part of the model's configuration. A head that was trained before keeps its
    scale or cut points: its task has `targets`, or its cut points are not all 0.

    Args:
        model: The model, with or without adapters of peft.
        rows: The training rows. From a stream, at least 10,000 rows are read, and more until each new head has a
            label or the stream ends.
        list_forms: How lists of numbers are written, as for `labels_of`.

    Raises:
        RowError: If a label is invalid, or a target is not finite or below 0 with `transform: log1p`.
    """
    layers = {task.name: _new_layers(model, task) for task in model.config.tasks}
    if rows is None or not any(layers.values()):
        return
    tasks, place = model.config.tasks, "train_dataset"
    if isinstance(rows, Dataset):
        labels = labels_of_table(rows, tasks, list_forms, place=place)
    else:
        labels = labels_of(
            _read(rows, list(layers), {name for name in layers if layers[name]}), tasks, list_forms, place=place
        )
    model.config.tasks = [_started(task, layers[task.name], labels[task.name]) for task in model.config.tasks]


def target_statistics(targets: Tensor, task: TaskConfig) -> TargetStatistics:
    """Return the statistics of the targets of a regression, (N,).

    Raises:
        ValueError: If a target is not finite, or below 0 with `transform: log1p`.
    """
    if not targets.isfinite().all():
        raise ValueError(
            f"task {task.name!r}: a training row has the number {targets[~targets.isfinite()][0]}; it must be finite"
        )
    task.kind.check_labels(targets, task)
    numbers = targets.log1p() if task.transform == "log1p" else targets
    return TargetStatistics(
        mean=numbers.mean().item(),
        std=numbers.std(correction=0).item() if targets.min() < targets.max() else 1.0,
        minimum=targets.min().item(),
        median=float(np.median(targets)),
        maximum=targets.max().item(),
    )


def _new_layers(model: MultiTaskModel, task: TaskConfig) -> list[StandardizedLinear | CumulativeLogits]:
    """Return the last layers of a new head; none if the head is trained. With adapters of peft, a head has a copy."""
    found: list[Any] = [
        layer
        for name, layer in model.named_modules()
        if isinstance(layer, StandardizedLinear | CumulativeLogits) and f".heads.{task.name}." in f".{name}"
    ]
    return [each for each in found if _is_new(each, task)]


def _is_new(layer: StandardizedLinear | CumulativeLogits, task: TaskConfig) -> bool:
    return task.targets is None if isinstance(layer, StandardizedLinear) else not layer.cuts.any()


def _started(task: TaskConfig, layers: list[Any], labels: Tensor) -> TaskConfig:
    """Start these layers from the labels, and return the task with the statistics of its targets."""
    known = labels[task.kind.labelled(labels)]
    if not layers or len(known) == 0:
        return task
    if isinstance(layers[0], CumulativeLogits):
        for layer in layers:
            layer.start_from(known.bincount(minlength=len(task.labels or ())))
        return task
    targets = target_statistics(known.double(), task)
    for layer in layers:
        layer.standardize(targets)
    return replace(task, targets=targets)


def _read(rows: Any, tasks: list[str], new: set[str]) -> list[Mapping[str, Any]]:
    """Return the labels of a stream, which is read until each new task has a label, and at least 10,000 rows."""
    read: list[Mapping[str, Any]] = []
    for row in rows:
        if not isinstance(row, Mapping) or (len(read) >= LEAST_STREAMED and not new):
            break
        read.append({name: row.get(name) for name in tasks})
        new = {name for name in new if row.get(name) is None}
    return read
