"""The rows of a table by label: with yes, with no, and with nothing."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.columns import WEIGHT, distribution_column
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.wording import first_few, on_one_line

MAX_LABEL = 60  # characters of a label in a message


class LabelRows(NamedTuple):
    """The numbers of rows of one label.

    Args:
        yes: Rows that have the label.
        no: Rows that do not have it. With one label per row, the rows with another label.
        nothing: Rows in which it is missing.
    """

    yes: int
    no: int
    nothing: int


LabelRowsByTask = dict[str, dict[str, LabelRows]]


def label_rows(column: pa.Array | pa.ChunkedArray, task: TaskConfig) -> dict[str, LabelRows]:
    """Return the numbers of rows of each label of a task; an empty dict for a regression.

    Args:
        column: The task's column of a multi-task table.
        task: The task with its labels.
    """
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_struct(cells.type):
        return {label: _count(part) for label, part in zip(task.labels or (), cells.flatten(), strict=True)}
    found = dict(zip(*(part.to_pylist() for part in pc.value_counts(cells.drop_null()).flatten()), strict=True))
    present = len(cells) - cells.null_count
    counts = [found.get(i, 0) for i in range(len(task.labels or ()))]
    return {
        label: LabelRows(count, present - count, cells.null_count)
        for label, count in zip(task.labels or (), counts, strict=True)
    }


def with_shares(counts: dict[str, LabelRows], shares: pa.ChunkedArray) -> dict[str, LabelRows]:
    """Return the numbers of rows of each label, with a yes and a no of a label that is only a share of soft labels.

    Args:
        counts: The rows by label, in which soft labels count for their most probable label.
        shares: The soft labels.
    """
    kinds = [pc.min_max(part) for part in shares.combine_chunks().flatten()]
    return {
        label: count._replace(
            yes=max(count.yes, int((kind["max"].as_py() or 0) > 0)),
            no=max(count.no, int(kind["min"].is_valid and kind["min"].as_py() < 1)),
        )
        for (label, count), kind in zip(counts.items(), kinds, strict=True)
    }


def never_seen(counts: dict[str, LabelRows], task: TaskConfig) -> str | None:
    """Return a warning about labels that training cannot learn from these rows, or `None` without such labels.

    Args:
        counts: The training rows of each label.
        task: The task.
    """
    several = task.kind.several_labels
    lacking = {"yes" if several else "seen": [label for label, count in counts.items() if not count.yes]}
    if several:
        lacking["no"] = [label for label, count in counts.items() if not count.no]
    parts = [
        f"{len(labels)} of {len(counts)} labels are never {side} in training ({first_few(map(_quoted, labels))})"
        for side, labels in lacking.items()
        if labels
    ]
    return f"task {task.name!r}: {', and '.join(parts)}" if parts else None


def negative_notes(labels: pa.Table, tasks: list[TaskConfig]) -> list[str]:
    """Return a note for each multi-label task none of whose labels has a row without it."""
    several = [task for task in tasks if task.kind.several_labels]
    return list(filter(None, (without_negatives(label_rows(labels[task.name], task), task) for task in several)))


def without_negatives(counts: dict[str, LabelRows], task: TaskConfig) -> str | None:
    """Return a note if none of a multi-label task's labels has a row without it, or `None`."""
    if any(count.no for count in counts.values()) or not any(count.yes for count in counts.values()):
        return None
    labels = first_few(map(_quoted, counts))
    return (
        f"task {task.name!r} has no negative: no row has a 0 for any label ({labels}); "
        "if an empty cell means 0, set blank: none"
    )


def unlabelled_note(labels: pa.Table, tasks: list[str]) -> str | None:
    """Return a note on the rows without any label, and on those of weight 0, or `None` if there are none."""
    unlabelled = without_labels(labels, tasks)
    zero = np.zeros(len(labels), bool)
    if WEIGHT in labels.column_names:
        zero = labels[WEIGHT].to_numpy() == 0
    counts = {"without any label": int(unlabelled.sum()), "of weight 0": int((zero & ~unlabelled).sum())}
    skipped = " and ".join(f"{count} rows {what}" for what, count in counts.items() if count)
    return f"{skipped} are skipped in training" if skipped else None


def without_labels(table: pa.Table, tasks: list[str]) -> np.ndarray:
    """Return the mask (rows,) of the rows without a label of any task."""
    soft = [name for name in map(distribution_column, tasks) if name in table.column_names]  # a tie has no label
    missing = [table[name].combine_chunks().is_null().to_numpy(zero_copy_only=False) for name in [*tasks, *soft]]
    return np.logical_and.reduce(missing) if missing else np.zeros(len(table), bool)


def not_held_out(held_out: LabelRowsByTask, train: LabelRowsByTask) -> str | None:
    """Return a note on the labels that training rows have and held-out rows lack, or `None` if there are none."""
    trained = [(task, label) for task, counts in train.items() for label, count in counts.items() if count.yes]
    lacking = [f"{task} {_quoted(label)}" for task, label in trained if not held_out[task][label].yes]
    return f"{len(lacking)} of {len(trained)} labels have no row ({first_few(lacking)})" if lacking else None


def without_rows(counts: dict[str, LabelRows]) -> str | None:
    """Return the labels without a row as text, or `None` if each has one or no row is known for the whole task."""
    lacking = [_quoted(label) for label, count in counts.items() if not count.yes]
    return first_few(lacking) if lacking and any(count.yes or count.no for count in counts.values()) else None


def _quoted(label: str) -> str:
    return repr(on_one_line(label, MAX_LABEL))


def _count(part: pa.Array) -> LabelRows:
    yes = pc.sum(part).as_py() or 0
    return LabelRows(yes, len(part) - part.null_count - yes, part.null_count)
