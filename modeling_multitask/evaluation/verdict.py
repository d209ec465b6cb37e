"""The verdict on a task: how much better than its baselines it is, and what to know before using it."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metric_names import IN_WORDS, LESS_IS_BETTER
from ..training.metrics import labelled_rows_of, part_of
from ..training.row_parts import index_of
from ..wording import first_few, on_one_line, shown_number, shown_numbers
from .intervals import RESAMPLES, ComparisonOutcome, Figure, bootstrapped, value_of
from .measures import improvement, task_measures

MOST_CHARACTERS = 60  # of a label in a note
NEVER_ANSWERED = "never answered"  # how the note on labels without an answer begins


class Verdict(NamedTuple):
    """The verdict on a task.

    Args:
        metric: The main metric.
        value: Its value. `None`, as `baseline` and `improvement`, if no row has a label.
        baseline: The name of the best baseline on these rows.
        improvement: The improvement over this baseline, positive if the task is better, with its paired interval.
        notes: What to know before using the task.
    """

    metric: str
    value: float | None
    baseline: str | None
    improvement: Figure | None
    notes: list[str]

    @property
    def outcome(self) -> ComparisonOutcome | Literal["not evaluated"]:
        """`better`, `worse`, `no clear difference`, or `not evaluated` if no row has a label."""
        return self.improvement.outcome if self.improvement else "not evaluated"

    def sentence(self) -> str:
        """Return the comparison as text, such as `R² 0.912: better than mean (+0.100, +0.080 to +0.120)`."""
        if self.value is None or self.improvement is None:
            return "not evaluated, because no row has a label"
        less = " (lower is better)" if self.metric in LESS_IS_BETTER else ""
        gain, *interval = shown_numbers(self.improvement, signed=True)
        spread = " to ".join(interval) or "no interval"
        compared = f"{self.outcome} than" if self.outcome in ("better", "worse") else f"{self.outcome} from"
        if not interval:
            compared = "too few rows to compare it with"
        value = f"{IN_WORDS[self.metric]}{less} {shown_number(self.value)}"
        return f"{value}: {compared} {self.baseline} ({gain}, {spread})"


def verdict(
    task: TaskConfig,
    decision: Decision,
    labels: np.ndarray,
    baselines: Mapping[str, Decision],
    *,
    resamples: int = RESAMPLES,
) -> Verdict | None:
    """Return the verdict on the rows that have a label for the task; `None` without such rows or without baselines.

    Args:
        task: The task.
        decision: The decision on all rows, as arrays.
        labels: The labels as in a batch, including missing ones.
        baselines: The decisions of the baselines on the same rows, by name.
        resamples: The number of resamples.
    """
    known = labelled_rows_of(labels, task.kind)
    if not known.any() or not baselines:
        return None
    rows, metric = index_of(known), task.main_metric
    own = part_of(decision, rows)
    gains = {
        name: improvement(task, part_of(each, rows), own, labels[rows]).only(metric) for name, each in baselines.items()
    }
    best = min(gains, key=lambda name: value_of(gains[name])[metric])
    value = value_of(task_measures(task, own, labels[rows]).only(metric))[metric]
    found = bootstrapped(gains[best], resamples=resamples)[metric]
    notes = [*never_answered(task, own.chosen), *_withheld(task, own, labels[rows])]
    return Verdict(metric, value, best, found, notes)


def never_answered(task: TaskConfig, answers: np.ndarray) -> list[str]:
    """Return a note on the labels of a task that no answer has, or nothing.

    Args:
        task: The task.
        answers: The answers to labelled rows, as in `Decision.chosen`.
    """
    labels = task.labels or []
    given = set(np.flatnonzero((answers == 1).any(axis=0)) if task.kind.several_labels else np.unique(answers))
    names = [repr(on_one_line(label, MOST_CHARACTERS)) for i, label in enumerate(labels) if i not in given]
    if not names or task.kind.is_number:
        return []
    return [f"{NEVER_ANSWERED}: {len(names)} of {len(labels)} labels ({first_few(names)})"]


def _withheld(task: TaskConfig, decision: Decision, labels: np.ndarray) -> list[str]:
    """Return a note on the answers that a task with `abstain` gives, or nothing.

    Args:
        task: The task.
        decision: The decision on the labelled rows, as arrays.
        labels: Their labels.
    """
    if task.abstain_below is None:
        return []
    answered = decision.asked & (decision.confidence >= task.abstain_below)
    given = f"gives an answer to {answered.sum():,} of {len(labels):,} rows, because it abstains from the others"
    if not answered.any():
        return [given]
    return [f"{given}; {(decision.chosen == labels)[answered].mean():.1%} of these answers are right"]
