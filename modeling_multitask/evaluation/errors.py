"""Where the answers to one task go wrong.

Shapes: N labelled rows, C classes of one task, M entries: the labelled rows, or the labelled positions of several labels.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.func import vmap

from ..answers_multitask import NOT_ASKED, Decision
from ..inference.predict import Text
from ..losses_multitask import labelled, masked_loss
from ..tasks_multitask import LOSSES, TaskConfig
from .figures import Figure, task_figures
from .judged import Judged

RESAMPLES = 200  # of each slice: there are many, and their intervals are wide anyway
LENGTH_BINS = 4
MOST_PATTERNS = 12
# The figure that slices are compared by, where it is not the accuracy.
MAIN_FIGURES = {"multi_label_classification": "micro_f1", "regression": "mae"}
UNASKED = "(not asked)"
NO_LABEL = "(none)"


class WorstRow(NamedTuple):
    """A labelled row, and what is said of it.

    Args:
        row: Its index among all rows.
        text: As `shown_text` has it.
        label: In words; of several labels those of the row, as far as it says whether it has them.
        answer: In words, likewise.
        score: The probability that the answer is right, of several labels that all of them are; NaN of a number.
        loss: Of the true label.
    """

    row: int
    text: str
    label: str
    answer: str
    score: float
    loss: float


class Confusion(NamedTuple):
    """A label that is taken for another.

    Args:
        label: The true one; of several labels `has LABEL` or `lacks LABEL`.
        answer: What is given for it; of several labels `given` or `not given`.
        rows: How many.
        share: Of the rows with that label.
        examples: The texts with the largest losses.
    """

    label: str
    answer: str
    rows: int
    share: float
    examples: list[str]


class Slice(NamedTuple):
    """Some of the labelled rows, and the task's main figure on them."""

    name: str
    rows: int
    figure: Figure


@dataclass(frozen=True)
class TaskErrors:
    """Where the answers to one task go wrong.

    Args:
        task: The task.
        worst: The rows with the largest losses, right answers among them, worst first.
        confusions: Most frequent first; none of a regression.
        main_figure: Names the figure of the slices.
        by_length: By the number of tokens, shortest first.
        by_source: By the table that a row comes from; empty if that is one, or not known.
        by_pattern: By the tasks that a row has a label for, most frequent first; empty if all have the same.
    """

    task: TaskConfig
    worst: list[WorstRow]
    confusions: list[Confusion]
    main_figure: str
    by_length: list[Slice]
    by_source: list[Slice]
    by_pattern: list[Slice]


def task_errors(
    judged: Judged,
    task: TaskConfig,
    *,
    most: int = 20,
    examples: int = 3,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> TaskErrors:
    """Where the answers to a task go wrong, over the rows that have a label for it.

    Of a task that depends on another, the loss is that of its own head; so are its numbers, and its several labels,
    whether they are asked for or not.

    Args:
        judged: The rows, with their labels and logits.
        task: One of its tasks.
        most: Worst rows, and confusions, at most.
        examples: Texts of each confusion, at most.
        seed: Of the resampling.
        resamples: From which the interval of a slice comes.
    """
    main = MAIN_FIGURES.get(task.problem_type, "accuracy")
    rows = np.flatnonzero(_labelled_rows(judged, task))
    if len(rows) == 0:
        return TaskErrors(task, [], [], main, [], [], [])
    labels = judged.labels[task.name][rows]
    decision = Decision(*(each[rows] for each in judged.decisions[task.name]))
    losses = entry_losses(task, judged.logits[task.name][rows], labels)
    texts = [shown_text(judged.texts[row]) for row in rows]

    def measured(parts: dict[str, np.ndarray]) -> list[Slice]:
        slices = []
        for name, there in parts.items():
            part = Decision(*(each[there] for each in decision))
            found = task_figures(task, part, labels[there], seed=seed, resamples=resamples)
            slices.append(Slice(name, found.rows, found.figures[main]))
        return slices

    return TaskErrors(
        task,
        [row._replace(row=int(rows[row.row])) for row in _worst(task, texts, decision, labels, losses)[:most]],
        _confusions(_entries(task, decision, labels, losses), texts, most, examples),
        main,
        measured(_by_length(judged.lengths[rows])),
        measured(_by_source(judged.sources, rows)),
        measured(_by_pattern(judged, rows)),
    )


def entry_losses(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The plain loss of each entry at the task's temperature, 0 where its label is missing; shaped like `labels`.

    Plain is without weights, smoothing and focus, which would make some rows look worse than others; of a number it is
    the squared error.

    Args:
        task: The task.
        logits: As the head gives them.
        labels: As in a batch.
    """
    kind = task.problem_type
    plain = replace(task, loss=LOSSES[kind][0], class_weights=None, pos_weight=None, label_smoothing=0.0)
    numbers, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    if kind != "regression":
        numbers = numbers / task.temperature
    numbers = numbers.reshape(truth.numel(), -1)  # (M, ...), one logit for each position of several labels
    each = vmap(lambda logit, label: masked_loss(logit[None], label[None], plain))(numbers, truth.reshape(-1))
    losses: np.ndarray = each.reshape(truth.shape).numpy()
    return losses


def shown_text(text: Text) -> str:
    """A text as it is, a pair of texts as `first | second`."""
    return text if isinstance(text, str) else " | ".join(text)


def _labelled_rows(judged: Judged, task: TaskConfig) -> np.ndarray:
    """Which rows have a label for the task, or one of several; one truth value for each of all rows."""
    labels = judged.labels[task.name]
    rows: np.ndarray = _present(labels, task).reshape(len(labels), -1).any(axis=1)
    return rows


def _present(labels: np.ndarray, task: TaskConfig) -> np.ndarray:
    present: np.ndarray = labelled(torch.from_numpy(labels), task.problem_type).numpy()
    return present


def _worst(
    task: TaskConfig, texts: list[str], decision: Decision, labels: np.ndarray, losses: np.ndarray
) -> list[WorstRow]:
    """All labelled rows, the largest loss first, by their place among these."""
    present = _present(labels, task)
    of_rows = losses.reshape(len(losses), -1).sum(axis=1) / present.reshape(len(present), -1).sum(axis=1)
    scores = _answer_scores(task, decision, present)
    return [
        WorstRow(
            row=row,
            text=texts[row],
            label=_words(task, labels[row], present[row]),
            answer=_words(task, decision.chosen[row], present[row]),
            score=float(scores[row]),
            loss=float(of_rows[row]),
        )
        for row in np.argsort(-of_rows, kind="stable").tolist()
    ]


def _answer_scores(task: TaskConfig, decision: Decision, present: np.ndarray) -> np.ndarray:
    """The probability, by the model itself, that an answer is right; (N,)."""
    scores, chosen = decision.scores.astype(float), decision.chosen
    if task.problem_type == "regression":
        return np.full(len(scores), np.nan)
    if task.problem_type == "multi_label_classification":
        return np.where(present, np.where(chosen == 1, scores, 1 - scores), 1).prod(axis=1)
    given = np.take_along_axis(scores, np.maximum(chosen, 0)[:, None], axis=-1)[:, 0]
    return np.where(chosen == NOT_ASKED, 1 - scores.sum(axis=1), given)


def _words(task: TaskConfig, value: np.ndarray, present: np.ndarray) -> str:
    if task.problem_type == "regression":
        return f"{value:g}"
    names = task.labels or []
    if task.problem_type == "multi_label_classification":
        return ", ".join(names[i] for i in np.flatnonzero((value == 1) & present)) or NO_LABEL
    return UNASKED if value == NOT_ASKED else names[value]


class _Entries(NamedTuple):
    """What is right or wrong by itself.

    Args:
        rows: (M,) the row of each, among the labelled ones.
        truth: (M,) an index into `truth_words`.
        given: (M,) an index into `given_words`, the same as the truth's if the answer is right.
        losses: (M,).
        truth_words: What can be true.
        given_words: What can be given; the last is also index -1, which is `NOT_ASKED`.
    """

    rows: np.ndarray
    truth: np.ndarray
    given: np.ndarray
    losses: np.ndarray
    truth_words: list[str]
    given_words: list[str]


def _entries(task: TaskConfig, decision: Decision, labels: np.ndarray, losses: np.ndarray) -> _Entries:
    names = task.labels or []
    if task.problem_type == "regression":
        none = np.empty(0, dtype=int)
        return _Entries(none, none, none, none, [], [])
    if task.problem_type == "multi_label_classification":
        rows, places = np.nonzero(_present(labels, task))
        truth, given = 2 * places + labels[rows, places], 2 * places + decision.chosen[rows, places]
        truth_words = [f"{verb} {name}" for name in names for verb in ("lacks", "has")]
        return _Entries(rows, truth, given, losses[rows, places], truth_words, ["not given", "given"] * len(names))
    return _Entries(np.arange(len(labels)), labels, decision.chosen, losses, names, [*names, UNASKED])


def _confusions(entries: _Entries, texts: list[str], most: int, examples: int) -> list[Confusion]:
    wrong = entries.truth != entries.given
    counts = Counter(zip(entries.truth[wrong].tolist(), entries.given[wrong].tolist(), strict=True))
    confusions = []
    for truth, given in sorted(counts, key=lambda pair: (-counts[pair], pair))[:most]:
        there = np.flatnonzero((entries.truth == truth) & (entries.given == given))
        worst = there[np.argsort(-entries.losses[there], kind="stable")][:examples]
        confusions.append(
            Confusion(
                label=entries.truth_words[truth],
                answer=entries.given_words[given],
                rows=len(there),
                share=len(there) / int((entries.truth == truth).sum()),
                examples=[texts[row] for row in entries.rows[worst]],
            )
        )
    return confusions


def _by_length(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Bins of about as many rows each; rows of the same length are never parted."""
    ends = np.quantile(lengths, np.arange(1, LENGTH_BINS + 1) / LENGTH_BINS, method="inverted_cdf")
    places = np.searchsorted(np.unique(ends), lengths)  # an end belongs to the bin that it ends
    bins = [np.flatnonzero(places == place) for place in np.unique(places)]
    return {_length_name(int(lengths[there].min()), int(lengths[there].max())): there for there in bins}


def _length_name(least: int, greatest: int) -> str:
    if least == greatest:
        return f"{least} token{'s' if least != 1 else ''}"
    return f"{least} to {greatest} tokens"


def _by_source(sources: list[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(sources))
    if len(names) < 2:
        return {}
    own = np.array(sources)[rows]
    return {name: np.flatnonzero(own == name) for name in names if (own == name).any()}


def _by_pattern(judged: Judged, rows: np.ndarray) -> dict[str, np.ndarray]:
    there = np.stack([_labelled_rows(judged, task)[rows] for task in judged.tasks], axis=1)  # (N, tasks)
    patterns, places, counts = np.unique(there, axis=0, return_inverse=True, return_counts=True)
    if len(patterns) < 2:
        return {}
    names = [_pattern_name([task.name for task, has in zip(judged.tasks, row, strict=True) if has]) for row in patterns]
    order = np.argsort(-counts, kind="stable")[:MOST_PATTERNS]
    return {names[i]: np.flatnonzero(places == i) for i in order}


def _pattern_name(tasks: list[str]) -> str:
    if len(tasks) == 1:
        return f"only {tasks[0]} labelled"
    return f"{', '.join(tasks[:-1])} and {tasks[-1]} labelled"
