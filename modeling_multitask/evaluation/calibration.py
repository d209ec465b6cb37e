"""Scores that mean what they say: temperatures, thresholds and abstention, fitted on validation rows.

Shapes: N rows, C classes of one task.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import precision_recall_curve

from ..answers_multitask import NOT_ASKED, Decision
from ..losses_multitask import masked_loss
from ..tasks_multitask import TaskConfig
from ..training.metrics import labelled_entries

BINS = 15  # of a reliability diagram, as in Guo et al. 2017
LOWEST, HIGHEST = 0.05, 20.0  # temperatures among which the best is sought


class Reliability(NamedTuple):
    """How often answers of a score are right, in bins of equal width.

    Args:
        scores: (BINS,) the mean score of the answers in each bin, NaN in an empty one.
        accuracies: (BINS,) the share of them that is right, likewise.
        counts: (BINS,) how many there are.
    """

    scores: np.ndarray
    accuracies: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of score and accuracy over all answers."""
        there = self.counts > 0
        gaps = np.abs(self.scores[there] - self.accuracies[there])
        return float((gaps * self.counts[there]).sum() / max(self.counts.sum(), 1))


def calibrated(task: TaskConfig, logits: np.ndarray, labels: np.ndarray, methods: Sequence[str]) -> TaskConfig:
    """The task with a temperature, or thresholds, that suit these rows.

    Args:
        task: The task; a regression, and a task without labelled rows, stay as they are.
        logits: (N, C) of validation rows.
        labels: As in a batch, missing ones among them.
        methods: `temperature` makes the loss of the true labels least; `thresholds` makes the F1 of each label of a
            multi-label task, or of the second of a binary one, greatest.
    """
    if task.kind.is_number or not labelled_entries(labels, task.kind).any():
        return task
    if "temperature" in methods:
        task = replace(task, temperature=fit_temperature(task, logits, labels))
    # Labels that are chosen together with another task's have none; several labels never are.
    free = task.given is None or task.kind.several_labels
    if "thresholds" in methods and task.kind.thresholds != "none" and free:
        task = replace(task, thresholds=fit_thresholds(task, logits, labels))
    return task


def fit_temperature(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least mean loss of the true labels (Guo et al. 2017).

    The loss is the plain one: weights of classes and smoothing would make up for what scores ought to say.

    Args:
        task: The task.
        logits: (N, C).
        labels: As in a batch.
    """
    plain = plainly_judged(task)
    numbers, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)

    def mean_loss(log_temperature: float) -> float:
        return masked_loss(numbers / np.exp(log_temperature), truth, plain).item()

    found = minimize_scalar(mean_loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def plainly_judged(task: TaskConfig) -> TaskConfig:
    """The task with the plain loss of its problem type: without weights, smoothing and focus."""
    return replace(task, loss=task.kind.losses[0], class_weights=None, pos_weight=None, label_smoothing=0.0)


def fit_thresholds(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """For each label the threshold of greatest F1; 0.5 where the rows have no such label, or nothing else.

    Between two scores that give the same answers, the threshold lies in the middle.

    Args:
        task: A binary or multi-label task.
        logits: (N, C).
        labels: (N,) or (N, C), as in a batch.
    """
    scores = task.kind.probabilities(torch.from_numpy(logits), task).double().numpy()
    truth = labels.reshape(len(labels), -1)
    scores = scores[:, -truth.shape[1] :]  # of a binary task that of the second label
    return [_best_threshold(*columns) for columns in zip(scores.T, truth.T, strict=True)]


def reliability(
    task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None = None
) -> Reliability:
    """How often the answers are right, by their score; of a multi-label task each label's answer by itself.

    Args:
        task: The task; not a regression.
        decision: Of N rows, as arrays.
        labels: As in a batch.
        unasked: (N,) as for `answer_scores`.
    """
    scores, right = answer_scores(task, decision, labels, unasked)
    places = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean_scores = np.bincount(places, weights=scores, minlength=BINS) / counts
        accuracies = np.bincount(places, weights=right, minlength=BINS) / counts
    return Reliability(mean_scores, accuracies, counts)


def answer_scores(
    task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The score of each answer that has a label to be held against, and whether it is right; (M,) each.

    Args:
        task: The task; not a regression.
        decision: Of N rows, as arrays.
        labels: As in a batch.
        unasked: (N,) the rows whose labels say that the question is not asked, where an answer of one label is wrong:
            its score is the probability that it is asked as well.
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
    """As `answer_scores`, but of a task of one label, and by what its answers are refused: the score, or the energy."""
    present = _judged(task, decision, labels, unasked)
    return decision.confidence.astype(float)[present], (decision.chosen == labels)[present]


def abstention_threshold(
    scores: np.ndarray, right: np.ndarray, *, precision: float | None = None, coverage: float | None = None
) -> float:
    """The least score that is an answer, so that what is answered is as often right, or as much, as wanted.

    Args:
        scores: (N,) of answers to validation rows; or energies.
        right: (N,) whether they are right.
        precision: The least share of answers that is right; as many rows as possible are answered.
        coverage: The least share of rows that is answered.

    Raises:
        ValueError: If not exactly one of the two is wanted, or no threshold has the precision.
    """
    if (precision is None) == (coverage is None):
        raise ValueError("abstain: give either a precision or a coverage")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(right[order])
    last = np.append(ranked[1:] < ranked[:-1], True)  # of equal scores, only all or none can be answered
    answered = np.arange(1, len(scores) + 1)
    if precision is not None:
        good = np.flatnonzero(last & (hits / answered >= precision))
        if len(good) == 0:
            raise ValueError(f"abstain: no score is high enough for a precision of {precision}")
        return float(ranked[good[-1]])
    return float(ranked[np.flatnonzero(last & (answered / len(scores) >= (coverage or 0)))[0]])


def _judged(task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray | None) -> np.ndarray:
    """Which answers have something to be held against; (N,), (N, C) of a multi-label task."""
    present = labelled_entries(labels, task.kind)
    if unasked is not None and not task.kind.several_labels:
        present = present | unasked
    judged: np.ndarray = present & (decision.chosen != NOT_ASKED)
    return judged


def _best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    scores, truth = scores[truth >= 0], truth[truth >= 0]
    if len(np.unique(truth)) < 2:
        return 0.5
    precision, recall, cuts = precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1[:-1]))  # the last point has no threshold
    below = scores[scores < cuts[best]]
    # A label is given above its threshold, so that it lies below the least score that is wanted.
    return float((cuts[best] + (below.max() if len(below) else 0.0)) / 2)
