"""Calibration: temperatures, thresholds and abstention, fitted on validation rows.

Shapes: N rows, C classes of one task.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from ..answers_multitask import NOT_ASKED, Decision, may_follow
from ..kinds_multitask import DEFAULT_THRESHOLD
from ..tasks_multitask import TaskConfig, parent_task
from ..training.label_hits import label_hits
from ..training.metrics import labelled_entries, labelled_rows_of, mean_loss, part_of
from ..training.row_parts import row_parts
from ..wording import first_few, with_a_label

_FLAT = 1e-4  # a difference between two mean losses that says nothing
BINS = 15  # in a reliability diagram, as in Guo et al. 2017
LOWEST, HIGHEST = 0.05, 20.0  # the search range of the temperature
# Measured, see "Rows for calibration" in docs/benchmarks.md.
FEWEST_ROWS = 100  # labelled rows that a temperature needs
FEWEST_OF_EACH = 10  # rows with a label, and rows without it, that its threshold needs
SHRINKAGE = 10  # rows that pull a threshold to 0.5, so that few rows move it less


class Calibrated(NamedTuple):
    """A task after calibration.

    Args:
        task: The task, with the values that were fitted.
        notes: What was not fitted, and why. One sentence each, without the name of the task.
    """

    task: TaskConfig
    notes: list[str]


class Reliability(NamedTuple):
    """The accuracy of answers by score, in bins of equal width.

    Args:
        scores: (BINS,), the mean score of the answers in each bin. NaN in an empty bin.
        accuracies: (BINS,), the share of the answers that are right. NaN in an empty bin.
        counts: (BINS,), the number of answers.
    """

    scores: np.ndarray
    accuracies: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between score and accuracy, weighted by the bin's answers."""
        there = self.counts > 0
        gaps = np.abs(self.scores[there] - self.accuracies[there])
        return float((gaps * self.counts[there]).sum() / max(self.counts.sum(), 1))


def calibrated(task: TaskConfig, logits: np.ndarray, labels: np.ndarray, methods: Sequence[str]) -> Calibrated:
    """Fit a temperature, and thresholds, on these rows.

    A value that needs more rows, or whose search ends at its bound, is not fitted. The task keeps the value that it
    has, and a note gives the reason. A regression has no scores: it is returned unchanged, without a note.

    Args:
        task: The task.
        logits: (N, C), the logits of validation rows.
        labels: The labels as in a batch, including missing ones.
        methods: `temperature` minimises the loss of the true labels. `thresholds` does the same first, and then
            maximises the F1 of each label of a multi-label task, or of the second label of a binary task. With few
            rows, these thresholds are closer to 0.5 than those of `fit_thresholds`.
    """
    if task.kind.is_number or not methods:
        return Calibrated(task, [])
    task, notes = _with_temperature(task, logits, labels)
    # Labels that are chosen jointly with another task's labels have no thresholds. Multi-label tasks are not joint.
    free = task.given is None or task.kind.several_labels
    if "thresholds" in methods and task.kind.thresholds != "none" and free:
        task, more = _with_thresholds(task, logits, labels)
        notes = [*notes, *more]
    return Calibrated(task, notes)


def logits_of_siblings(
    task: TaskConfig, tasks: list[TaskConfig], logits: dict[str, np.ndarray], labels: dict[str, np.ndarray]
) -> np.ndarray:
    """Return the logits (N, C) for a decision between the siblings of the true label. Other labels get -inf.

    Without parents, all labels are siblings.

    Args:
        task: One of the tasks.
        tasks: All tasks of the model.
        logits: The logits by task name.
        labels: The labels by task name, as in a batch.
    """
    if task.given is None or task.given.parents is None:
        return logits[task.name]
    siblings = may_follow(task, parent_task(task, tasks)).numpy()  # (P, C)
    parent_of = siblings.argmax(axis=0)  # (C,)
    return np.where(siblings[parent_of[np.maximum(labels[task.name], 0)]], logits[task.name], -np.inf)


def fit_temperature(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that minimises the mean loss of the true labels (Guo et al. 2017).

    The loss is without class weights and smoothing, because these would bias the scores.

    Args:
        task: The task.
        logits: (N, C).
        labels: The labels as in a batch.
    """
    mean_loss = _mean_loss(task, logits, labels)
    found = minimize_scalar(lambda x: mean_loss(np.exp(x)), bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def _mean_loss(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> Callable[[float], float]:
    """Return the mean loss of the true labels as a function of the temperature."""
    plain = plainly_judged(task)
    return lambda temperature: mean_loss(logits, labels, plain, temperature=temperature)


def plainly_judged(task: TaskConfig) -> TaskConfig:
    """Return the task with the default loss of its problem type, without weights and smoothing."""
    return replace(task, loss=task.kind.losses[0], class_weights=None, pos_weight=None, label_smoothing=0.0)


def fit_thresholds(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return the threshold with the highest F1 for each label. It is 0.5 if no row, or every row, has the label.

    The threshold is in the middle between two neighbouring scores. It is 0, the bound of the search, if the F1 is
    highest when every row gets the label. It is below 1, because the row with the highest score gets the label.

    Args:
        task: A binary or multi-label task.
        logits: (N, C).
        labels: (N,) or (N, C), as in a batch.
    """
    scores = task.kind.probabilities(torch.from_numpy(logits), task).numpy()
    truth = labels.reshape(len(labels), -1)
    scores = scores[:, -truth.shape[1] :]  # for a binary task, the score of the second label
    return [_best_threshold(*columns) for columns in zip(scores.T, truth.T, strict=True)]


def reliability(
    task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None = None
) -> Reliability:
    """Return the accuracy of the answers by score. In a multi-label task, each label is a separate answer.

    Args:
        task: The task, not a regression.
        decision: The decision on N rows, as arrays.
        labels: The labels as in a batch.
        unasked: (N,), as in `answer_scores`.
    """
    counts, sums, hits = np.zeros(BINS, dtype=int), np.zeros(BINS), np.zeros(BINS)
    for part in row_parts(*decision.scores.shape):
        known = None if unasked is None else unasked[part]
        scores, right = answer_scores(task, part_of(decision, part), labels[part], known)
        places = np.clip((scores * BINS).astype(int), 0, BINS - 1)
        counts += np.bincount(places, minlength=BINS)
        sums += np.bincount(places, weights=scores, minlength=BINS)
        hits += np.bincount(places, weights=right, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(sums / counts, hits / counts, counts)


def answer_scores(
    task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each answer with a known label, (M,), and whether the answer is right, (M,).

    Args:
        task: The task, not a regression.
        decision: The decision on N rows, as arrays.
        labels: The labels as in a batch.
        unasked: (N,), whether the row's labels imply that the question is not asked. An answer of one label is then
            wrong, because its score includes the probability that the question is asked.
    """
    scores, chosen = decision.scores.astype(float), decision.chosen
    if task.kind.several_labels:
        of_answers = np.where(chosen == 1, scores, 1 - scores)
    else:
        of_answers = np.take_along_axis(scores, np.maximum(chosen, 0)[:, None], axis=-1)[:, 0]
    present = _judged(task, decision, labels, unasked)
    return of_answers[present], (chosen == labels)[present]


def answer_confidences(
    task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each answer, (M,), and whether it is right, (M,), for a task of one label."""
    present = _judged(task, decision, labels, unasked)
    return decision.confidence.astype(float)[present], (decision.chosen == labels)[present]


def abstention_threshold(
    scores: np.ndarray, right: np.ndarray, *, precision: float | None = None, coverage: float | None = None
) -> float:
    """Return the lowest score of an answer that reaches the requested precision or coverage.

    Args:
        scores: (N,), the scores or energies of answers to validation rows.
        right: (N,), whether the answers are right.
        precision: The minimum share of the answers that are right. As many rows as possible are answered.
        coverage: The minimum share of the rows that are answered.

    Raises:
        ValueError: If not exactly one of the two is given, or no threshold reaches the precision.
    """
    if (precision is None) == (coverage is None):
        raise ValueError("abstain: give either a precision or a coverage")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal scores are all answered or all withheld
    answered = np.arange(1, len(scores) + 1)
    if precision is not None:
        good = np.flatnonzero(last & (hits / answered >= precision))
        if len(good) == 0:
            raise ValueError(
                f"abstain: no threshold reaches a precision of {precision}, so the task never abstains; "
                "set a lower precision"
            )
        return float(ranked[good[-1]])
    return float(ranked[np.flatnonzero(last & (answered / len(scores) >= (coverage or 0)))[0]])


def _judged(task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None) -> np.ndarray:
    """Return which answers have a known label, (N,), or (N, C) for a multi-label task."""
    present = labelled_entries(labels, task.kind)
    if unasked is not None and not task.kind.several_labels:
        present = present | unasked
    judged: np.ndarray = present & (decision.chosen != NOT_ASKED)
    return judged


def _with_temperature(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> Calibrated:
    rows = int(labelled_rows_of(labels, task.kind).sum())
    stays = f"the temperature stays {task.temperature:.3g}"
    if rows < FEWEST_ROWS:
        return Calibrated(task, [f"{stays}: {with_a_label(rows)}, and a fit needs {FEWEST_ROWS}"])
    found = fit_temperature(task, logits, labels)
    if not LOWEST * 1.01 < found < HIGHEST / 1.01:
        return Calibrated(task, [f"{stays}: the search ended at its bound {LOWEST if found < 1 else HIGHEST:g}"])
    mean_loss = _mean_loss(task, logits, labels)
    if mean_loss(LOWEST) <= mean_loss(found) + _FLAT:
        why = "no temperature is the best, because all answers are right"
        return Calibrated(task, [f"{stays}: {why}"])
    return Calibrated(replace(task, temperature=found), [])


def _with_thresholds(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> Calibrated:
    truth = labels.reshape(len(labels), -1)
    names = (task.labels or [])[-truth.shape[1] :]  # of a binary task, the second label
    thresholds = list(task.thresholds or [DEFAULT_THRESHOLD] * len(names))
    few, ended = [], []
    _, _, there, entries = label_hits(truth, truth)
    counts = zip(there.tolist(), (entries - there).tolist(), strict=True)
    for i, (found, (yes, no)) in enumerate(zip(fit_thresholds(task, logits, labels), counts, strict=True)):
        rarer = min(yes, no)
        if rarer < FEWEST_OF_EACH:
            few.append(f"{names[i]!r} ({yes:,} with it, {no:,} without it)")
        elif found == 0:
            ended.append(repr(names[i]))
        else:
            thresholds[i] = DEFAULT_THRESHOLD + (found - DEFAULT_THRESHOLD) * rarer / (rarer + SHRINKAGE)
    notes = [f"the threshold of {first_few(ended)} stays as it was: the search ended at its bound 0"] if ended else []
    if few:
        why = f"a fit needs {FEWEST_OF_EACH} validation rows with the label and {FEWEST_OF_EACH} without it"
        notes.append(f"the threshold of {first_few(few)} stays as it was: {why}")
    if len(few) + len(ended) == len(names):
        return Calibrated(task, notes)
    return Calibrated(replace(task, thresholds=thresholds), notes)


def _best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    ranked, positive = np.sort(scores[truth >= 0].astype(float)), scores[truth == 1].astype(float)
    if len(positive) in (0, len(ranked)):
        return DEFAULT_THRESHOLD
    # The highest F1 is at the score of a row with the label: other rows only add wrong answers.
    cuts, rows = np.unique(positive, return_counts=True)
    hits, given = rows[::-1].cumsum()[::-1], len(ranked) - np.searchsorted(ranked, cuts)
    precision, recall = hits / given, hits / len(positive)
    best = cuts[np.argmax(2 * precision * recall / (precision + recall))]
    below = np.searchsorted(ranked, best)  # the number of lower scores
    # A label is answered above its threshold, so the threshold is below the lowest score of an answered label.
    return float((best + ranked[below - 1]) / 2) if below else 0.0
