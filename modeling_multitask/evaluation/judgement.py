"""The metrics of a task's baselines, and the verdict on the task.

Shapes: N rows of a split.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from ..training.metrics import labelled_rows_of
from .baseline import Baseline, constant
from .intervals import RESAMPLES
from .taught import TEACHER
from .verdict import Verdict, verdict

# The names of the baselines in `results.json`, by their heading. The constant is always the first.
BASELINES = {"constant": "baseline", "linear probe": "linear_probe"}


class Judgement(NamedTuple):
    """The baselines of a task on the rows of a split, and the verdict.

    Args:
        baselines: The name and the metrics of each baseline, the constant first.
        verdict: The verdict. `None` if there are no baselines.
        teacher: The figures of the task's teacher, if it has one.
    """

    baselines: list[dict[str, Any]]
    verdict: Verdict | None
    teacher: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON types, with the keys `baseline`, `linear_probe`, `teacher` and `verdict` if they exist."""
        found: dict[str, Any] = dict(zip(BASELINES.values(), self.baselines, strict=False))
        if self.teacher is not None:
            found[TEACHER] = self.teacher
        if self.verdict is not None:
            improvement = self.verdict.improvement
            found["verdict"] = {
                **self.verdict._asdict(),
                "improvement": improvement and improvement._asdict(),
                "outcome": self.verdict.outcome,
                "sentence": self.verdict.sentence(),
            }
        return found


def judgement(
    task: TaskConfig,
    decision: Decision,
    labels: np.ndarray,
    baselines: Sequence[Baseline],
    split: str,
    *,
    notes: Sequence[str] = (),
    resamples: int = RESAMPLES,
) -> Judgement:
    """Return the judgement on a task.

    Args:
        task: The task.
        decision: The decision on the N rows, as arrays.
        labels: Their labels as in a batch.
        baselines: The baselines of the task.
        split: The split of the rows.
        notes: Further notes for the verdict.
        resamples: The number of resamples.
    """
    decisions = {each.name: each.decision(split) for each in baselines}
    found = verdict(task, decision, labels, decisions, resamples=resamples)
    metrics = [each.metrics(split, task, labels) for each in baselines] if found else []
    if found is None and not labelled_rows_of(labels, task.kind).any():
        found = Verdict(task.main_metric, None, None, None, [])
    return Judgement(metrics, found and found._replace(notes=[*found.notes, *notes]))


def judged_by_a_constant(
    task: TaskConfig, decision: Decision, labels: np.ndarray, *, resamples: int = RESAMPLES
) -> Judgement:
    """Return the judgement on a task whose training rows are not known: the constant is the best for these rows."""
    best = constant(task, labels, {"": len(labels)})
    named = [] if best is None else [best._replace(name=f"{best.name} of these rows")]
    return judgement(task, decision, labels, named, "", resamples=resamples)
