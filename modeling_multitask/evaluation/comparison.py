"""The comparison of two models on the same rows: paired improvements, and the rows that they answer differently.

Shapes: N labelled rows of one task.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..tasks_multitask import TaskConfig
from ..training.metrics import labelled_rows_of, part_of
from ..training.row_parts import index_of
from .differences import Answered, Difference, different_rows
from .errors import RESAMPLES as OF_SLICES
from .errors import SLICE_FIGURES, Slice, rows_with_a_label
from .figures import row_figures
from .intervals import RESAMPLES, ComparisonOutcome, Figure, bootstrapped
from .judged import Judged
from .measures import improvement, task_measures
from .shared_tasks import SharedTask, shared_decision, shared_labels, shared_tasks
from .slices import by_length, by_pattern, by_source, combined
from .worst_rows import shown_text

MOST_SHOWN = 20  # rows of a task on the page; `differences.csv` has all of them


class Compared(NamedTuple):
    """A metric of two models on the same rows.

    Args:
        model: The value of the model.
        other: The value of the other model.
        improvement: The paired improvement from the other model to the model, positive if the model is better.
    """

    model: Figure
    other: Figure
    improvement: Figure


@dataclass(frozen=True)
class TaskComparison:
    """The comparison on one task.

    Args:
        task: The task with the labels that both models have.
        rows: N, the number of rows that have such a label.
        left_out: By label that only one model has, the number of rows that have it. These rows are not compared, except
            with several labels, where only the label is not.
        figures: The metrics by name. Empty without rows.
        slice_figure: The metric of the slices.
        by_length: The improvement on slices by the number of tokens, shortest first.
        by_source: The improvement by source table. Empty if the sources are unknown.
        by_pattern: The improvement by the tasks for which a row has labels, most frequent first.
        differences: The rows with different answers, those with the largest difference between the errors first.
    """

    task: TaskConfig
    rows: int
    left_out: dict[str, int] = field(default_factory=dict)
    figures: dict[str, Compared] = field(default_factory=dict)
    slice_figure: str = ""
    by_length: list[Slice] = field(default_factory=list)
    by_source: list[Slice] = field(default_factory=list)
    by_pattern: list[Slice] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def main(self) -> Compared | None:
        """The main metric. `None` without rows."""
        return self.figures.get(self.task.main_metric)

    @property
    def verdict(self) -> ComparisonOutcome:
        """Whether the model is better than the other one in the main metric."""
        return self.main.improvement.outcome if self.main else "no clear difference"


@dataclass(frozen=True)
class ModelComparison:
    """The comparison of a model with another one.

    Args:
        other: The name of the other model.
        tasks: The comparisons on the shared tasks, in the model's order.
        notes: The tasks and labels that are not compared.
    """

    other: str
    tasks: list[TaskComparison]
    notes: list[str] = field(default_factory=list)


def compare(
    judged: Judged,
    other: Judged,
    *,
    name: str,
    unknown: Mapping[str, Mapping[str, int]] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> ModelComparison:
    """Compare a model with another one on the same rows.

    Args:
        judged: The rows, with the labels of the model and its logits.
        other: The same rows with the logits of the other model. Its labels are not used.
        name: The name of the other model.
        unknown: By task and label that the model does not have, the number of rows that have it.
        seed: The seed of the resampling.
        resamples: The number of resamples for the interval of a figure.

    Raises:
        ValueError: If the models have no task in common, or the rows are not the same.
    """
    if judged.texts != other.texts:
        raise ValueError("the two models were not judged on the same rows; give the same texts in the same order")
    shared, notes = shared_tasks(judged.tasks, other.tasks)
    if not shared:
        raise ValueError(nothing_shared(name, notes))
    tasks = [_task(judged, other, each, (unknown or {}).get(each.task.name, {}), (seed, resamples)) for each in shared]
    for each, compared in zip(shared, tasks, strict=True):
        notes += [*_label_notes(each, compared), *_withheld_note(each)]
    return ModelComparison(name, tasks, notes)


def nothing_shared(name: str, notes: list[str]) -> str:
    """Return the message of an error: no task of two models can be compared.

    Args:
        name: The name of the other model.
        notes: The notes of `shared_tasks`.
    """
    return f"nothing can be compared with {name}: {'; '.join(notes)}. Give a model that shares a task and its labels"


def comparison_as_json(comparison: ModelComparison | None) -> dict[str, Any] | None:
    """Return the comparison as a dict. Figures are still `Figure`."""
    if comparison is None:
        return None
    tasks = {each.task.name: _task_as_json(each) for each in comparison.tasks}
    return {"other": comparison.other, "notes": comparison.notes, "tasks": tasks}


def difference_table(comparison: ModelComparison) -> list[list[Any]]:
    """Return the table of all rows with different answers, with a header. Rows count from 1."""
    header = ["task", *Difference._fields]
    lines = [
        [
            task.task.name,
            each.row + 1,
            *("" if part != part else part for part in each[1:]),
        ]  # NaN is not equal to itself
        for task in comparison.tasks
        for each in task.differences
    ]
    return [header, *lines]


def _task(
    judged: Judged, other: Judged, shared: SharedTask, unknown: Mapping[str, int], drawing: tuple[int, int]
) -> TaskComparison:
    (seed, resamples), task = drawing, shared.task
    labels = shared_labels(shared.model, task, judged.labels[task.name])
    known = labelled_rows_of(labels, task.kind)
    rows, own = np.flatnonzero(known), index_of(known)
    left_out = _left_out(shared, judged.labels[task.name], unknown)
    if len(rows) == 0:
        return TaskComparison(task, 0, left_out)
    labels = labels[own]
    answers = _answered(shared.model, task, judged, own), _answered(shared.other, task, other, own)
    decisions = [each.shared for each in answers]
    measures = [task_measures(task, each, labels) for each in decisions]
    values = [
        row_figures(task, each.chosen, labels, of_each, seed=seed, resamples=resamples)
        for each, of_each in zip(decisions, measures, strict=True)
    ]
    both = improvement(task, decisions[1], decisions[0], labels, measures=(measures[1], measures[0]))
    gains = bootstrapped(both, seed=seed, resamples=resamples)
    del measures, both  # large for thousands of labels
    main = SLICE_FIGURES[task.kind.answer]

    def measured(parts: dict[str, np.ndarray]) -> list[Slice]:
        return [
            Slice(name, len(there), _gain(task, answers, labels, there, main, (seed, min(resamples, OF_SLICES))))
            for name, there in combined(parts).items()
        ]

    return TaskComparison(
        task,
        len(rows),
        left_out,
        {metric: Compared(values[0][metric], values[1][metric], gains[metric]) for metric in values[0]},
        main,
        measured(by_length(judged.lengths[rows])),
        measured(by_source(judged.sources, rows)),
        measured(by_pattern({each.name: rows_with_a_label(judged, each)[rows] for each in judged.tasks})),
        [
            each._replace(**judged.place(each.row)._asdict())
            for each in different_rows(
                task, answers, labels, rows=rows, texts=[shown_text(judged.texts[row]) for row in rows]
            )
        ],
    )


def _answered(own: TaskConfig, task: TaskConfig, judged: Judged, rows: np.ndarray | slice) -> Answered:
    decision = part_of(judged.decisions[own.name], rows)
    return Answered(own, decision, shared_decision(own, task, decision))


def _gain(
    task: TaskConfig,
    answers: tuple[Answered, Answered],
    labels: np.ndarray,
    there: np.ndarray,
    main: str,
    drawing: tuple[int, int],
) -> Figure:
    """Return the improvement of one metric on some of the rows."""
    model, other = (part_of(each.shared, there) for each in answers)
    measures = improvement(task, other, model, labels[there])
    return bootstrapped(measures.only(main), seed=drawing[0], resamples=drawing[1])[main]


def _left_out(shared: SharedTask, labels: np.ndarray, unknown: Mapping[str, int]) -> dict[str, int]:
    """Return the number of rows of each label that only one model has."""
    own, others = _alone(shared)
    places = {label: (shared.model.labels or []).index(label) for label in own}
    if shared.task.kind.several_labels:
        counts = {label: int((labels[:, place] == 1).sum()) for label, place in places.items()}
    else:
        counts = {label: int((labels == place).sum()) for label, place in places.items()}
    return counts | {label: unknown.get(label, 0) for label in others}


def _alone(shared: SharedTask) -> tuple[list[str], list[str]]:
    """Return the labels that only the model has, and those that only the other model has."""
    model, other, both = ([*(each.labels or [])] for each in (shared.model, shared.other, shared.task))
    return [label for label in model if label not in both], [label for label in other if label not in both]


def _label_notes(shared: SharedTask, compared: TaskComparison) -> list[str]:
    return [
        f"The task {compared.task.name!r} is compared without the labels that only {whose} model has: "
        + ", ".join(f"{label!r} ({compared.left_out[label]:,} rows)" for label in labels)
        for whose, labels in zip(("this", "the other"), _alone(shared), strict=True)
        if labels
    ]


def _withheld_note(shared: SharedTask) -> list[str]:
    if shared.model.abstain_below is None and shared.other.abstain_below is None:
        return []
    return [f"The task {shared.task.name!r} is compared with the withheld answers"]


def _task_as_json(compared: TaskComparison) -> dict[str, Any]:
    def lines(slices: list[Slice]) -> list[dict[str, Any]]:
        return [{"name": each.name, "rows": each.rows, **each.figure._asdict()} for each in slices]

    better = Counter(each.better for each in compared.differences)
    return {
        "problem_type": compared.task.problem_type,
        "labels": compared.task.labels,
        "rows": compared.rows,
        "left_out": compared.left_out,
        "main_figure": compared.task.main_metric,
        "verdict": compared.verdict,
        "figures": {name: each._asdict() for name, each in compared.figures.items()},
        "slice_figure": compared.slice_figure,
        "by_length": lines(compared.by_length),
        "by_source": lines(compared.by_source),
        "by_pattern": lines(compared.by_pattern),
        "different": {"rows": len(compared.differences), **{who: better[who] for who in ("model", "other", "neither")}},
        "differences": [each._asdict() for each in compared.differences[:MOST_SHOWN]],
    }
