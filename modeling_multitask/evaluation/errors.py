"""The errors of one task: confusions, rows with a large loss, and figures on parts of the rows.

Shapes: N labelled rows, C classes of one task, M rows or, with several labels, labelled (row, label) pairs.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.func import vmap

from ..problem_types_multitask import AnswerForm
from ..tasks_multitask import TaskConfig
from ..training.label_hits import label_hits
from ..training.metrics import labelled_entries, labelled_rows_of, part_of
from ..training.row_parts import index_of, row_parts
from .calibration import plainly_judged
from .confusions import UNASKED
from .figures import task_figures
from .intervals import Figure
from .judged import Judged
from .slices import by_length, by_pattern, by_source, combined
from .worst_rows import LabelledRows, WorstRow, shown_text, worst_rows

RESAMPLES = 200  # for each slice: there are many slices, and their intervals are wide anyway
# The figure that is shown for slices, by the form of the answer.
SLICE_FIGURES: dict[AnswerForm, str] = {"label": "accuracy", "labels": "micro_f1", "number": "mae"}


class Confusion(NamedTuple):
    """A true label and a wrong answer, with the rows where they occur.

    Args:
        label: The true label. With several labels, `has LABEL` or `lacks LABEL`.
        answer: The answer. With several labels, `given` or `not given`.
        rows: The number of rows.
        share: The share of the rows with that label.
        examples: The texts with the largest losses, as returned by `shown_text`.
    """

    label: str
    answer: str
    rows: int
    share: float
    examples: list[str]


class Slice(NamedTuple):
    """A part of the labelled rows, with the task's main figure on them."""

    name: str
    rows: int
    figure: Figure


@dataclass(frozen=True)
class TaskErrors:
    """The errors of one task.

    Args:
        task: The task.
        worst: The errors on which the raters disagreed, the most disputed first, and then the rows with the largest
            losses, largest first. Some of the answers to the latter may be right.
        confusions: The confusions, most frequent first. Empty for a regression.
        main_figure: The name of the figure of the slices.
        by_length: Slices by the number of tokens, shortest first.
        by_source: Slices by source table. Empty if the sources are unknown.
        by_pattern: Slices by the tasks for which a row has labels, most frequent first.

    Slices with fewer than 20 rows are combined into `other`, which comes last. If there is only one slice, the list is
    empty.
    """

    task: TaskConfig
    worst: list[WorstRow]
    confusions: list[Confusion]
    main_figure: str
    by_length: list[Slice]
    by_source: list[Slice]
    by_pattern: list[Slice]


def task_errors(
    judged: Judged, task: TaskConfig, *, most: int = 20, examples: int = 3, seed: int = 0, resamples: int = RESAMPLES
) -> TaskErrors:
    """Return the errors of a task on the rows that have a label for it.

    If the task depends on another one, the loss uses only the task's own head. For a regression or a multi-label task,
    the answer also comes from its own head, even if the question is not asked.

    Args:
        judged: The rows, with their labels and logits.
        task: One of the tasks of `judged`.
        most: The maximum number of confusions, of errors on which the raters disagreed, and of other worst rows.
        examples: The maximum number of texts for each confusion.
        seed: The seed of the resampling.
        resamples: The number of resamples for the interval of a slice.
    """
    main = SLICE_FIGURES[task.kind.answer]
    known = rows_with_a_label(judged, task)
    if not known.any():
        return TaskErrors(task, [], [], main, [], [], [])
    rows, index = np.flatnonzero(known), index_of(known)
    labels, decision = judged.labels[task.name][index], part_of(judged.decisions[task.name], index)
    present = labelled_entries(labels, task.kind)
    losses = entry_losses(task, judged.logits[task.name][index], labels)
    texts, soft = [shown_text(judged.texts[row]) for row in rows], judged.raters.get(task.name)
    own = LabelledRows(task, rows, texts, labels, present, decision, losses, None if soft is None else soft[index])

    def measured(parts: dict[str, np.ndarray]) -> list[Slice]:
        figures = partial(task_figures, task, only=main, seed=seed, resamples=resamples)
        found = {name: figures(part_of(decision, there), labels[there]) for name, there in combined(parts).items()}
        return [Slice(name, each.rows, each.figures[main]) for name, each in found.items()]

    return TaskErrors(
        task,
        [each._replace(**judged.place(each.row)._asdict()) for each in worst_rows(own, most)],
        [] if task.kind.is_number else _confusions(_entries(own), own.texts, most, examples),
        main,
        measured(by_length(judged.lengths[rows])),
        measured(by_source(judged.sources, rows)),
        measured(by_pattern({each.name: rows_with_a_label(judged, each)[rows] for each in judged.tasks})),
    )


def entry_losses(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the loss of each entry at the task's temperature, in the shape of `labels`. It is 0 for missing labels.

    The loss is without weights, smoothing and focus, so that rows are comparable. For a number it is the squared error.

    Args:
        task: The task.
        logits: The output of the task's head.
        labels: The labels as in a batch.
    """
    plain, losses = plainly_judged(task), np.zeros(labels.shape)
    each = vmap(lambda logit, label: plain.kind.loss_sum(logit[None], label[None], plain))
    for part in row_parts(*logits.shape) if len(logits) else ():
        numbers, truth = torch.from_numpy(logits[part]).double(), torch.from_numpy(labels[part])
        if not task.kind.is_number:
            numbers = numbers / task.temperature
        numbers = numbers.reshape(truth.numel(), -1)  # (M, ...), with several labels one logit for each
        losses[part] = each(numbers, truth.reshape(-1)).reshape(truth.shape).numpy()
    return losses


def rows_with_a_label(judged: Judged, task: TaskConfig) -> np.ndarray:
    """Return which of all rows have a label for the task, or with several labels at least one."""
    return labelled_rows_of(judged.labels[task.name], task.kind)


class _Entries(NamedTuple):
    """The true labels, the answers and the losses of wrong answers, (M,), and the number of all answers by true label.

    The index `NOT_ASKED` is the last word.
    """

    rows: np.ndarray
    truth: np.ndarray
    given: np.ndarray
    losses: np.ndarray
    counts: np.ndarray
    truth_words: list[str]
    given_words: list[str]


def _entries(own: LabelledRows) -> _Entries:
    names, chosen = own.task.labels or [], own.decision.chosen
    if own.task.kind.several_labels:
        rows, places = np.nonzero(own.present & (own.labels != chosen))
        truth, given = 2 * places + own.labels[rows, places], 2 * places + chosen[rows, places]
        truth_words = [f"{verb} {name}" for name in names for verb in ("lacks", "has")]
        _, _, yes, entries = label_hits(chosen, own.labels)
        counts = np.stack([entries - yes, yes], axis=1).reshape(-1)
        words = truth_words, ["not given", "given"] * len(names)
        return _Entries(rows, truth, given, own.losses[rows, places], counts, *words)
    wrong = np.flatnonzero(own.labels != chosen)
    counts = np.bincount(own.labels)
    return _Entries(wrong, own.labels[wrong], chosen[wrong], own.losses[wrong], counts, names, [*names, UNASKED])


def _confusions(entries: _Entries, texts: list[str], most: int, examples: int) -> list[Confusion]:
    width = len(entries.given_words) + 1
    pairs = entries.truth * width + entries.given + 1  # NOT_ASKED is -1
    kinds, counts = np.unique(pairs, return_counts=True)
    confusions = []
    for pair in kinds[np.argsort(-counts, kind="stable")[:most]]:
        there, (truth, given) = np.flatnonzero(pairs == pair), divmod(int(pair), width)
        worst = there[np.argsort(-entries.losses[there], kind="stable")][:examples]
        confusions.append(
            Confusion(
                label=entries.truth_words[truth],
                answer=entries.given_words[given - 1],
                rows=len(there),
                share=len(there) / int(entries.counts[truth]),
                examples=[texts[row] for row in entries.rows[worst]],
            )
        )
    return confusions
