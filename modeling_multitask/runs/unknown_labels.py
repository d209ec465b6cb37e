"""Labels of rows that a model does not have, but another model has."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from ..tasks_multitask import TaskConfig

Unknown = dict[str, dict[str, int]]


def without_unknown(
    rows: Dataset, tasks: list[TaskConfig], more_labels: Mapping[str, list[str]]
) -> tuple[Dataset, Unknown]:
    """Return the rows without labels that the model does not have, and the number of rows of each by task and label.

    Args:
        rows: Rows that were read with the labels of the model, and more labels after them.
        tasks: The tasks of the model.
        more_labels: The other labels by task.
    """
    unknown = {}
    for task in tasks:
        more = more_labels.get(task.name, [])
        if more and task.name in rows.column_names:
            kept, unknown[task.name] = _kept(rows[task.name], task, more)
            rows = rows.remove_columns(task.name).add_column(task.name, kept)
    return rows, unknown


def unknown_notes(unknown: Unknown) -> list[str]:
    """Return a note on each task with labels that the model does not have."""
    return [
        f"The task {name!r} has no metrics for labels that the model does not have: "
        + ", ".join(f"{label!r} ({rows:,} rows)" for label, rows in counts.items())
        for name, counts in unknown.items()
        if counts
    ]


def _kept(values: Sequence[Any], task: TaskConfig, more: list[str]) -> tuple[list[Any], dict[str, int]]:
    """Return the labels of a column that the model has, and the number of rows of each other label."""
    known = task.labels or []
    if task.kind.several_labels:
        counts = Counter(label for each in values for label in more if each is not None and each[label] == 1)
        return [None if each is None else {label: each[label] for label in known} for each in values], dict(counts)
    counts = Counter(more[each - len(known)] for each in values if each is not None and each >= len(known))
    return [None if each is None or each >= len(known) else each for each in values], dict(counts)
