"""The rows of several folds, each judged by the model that was trained without its fold."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..answers_multitask import Decision
from ..tasks_multitask import TaskConfig
from .judged import Judged


@dataclass(frozen=True)
class JudgedFolds(Judged):
    """The rows of all folds. The decisions are those of the models of the folds, each with its own calibration.

    The logits are divided by the temperature of their model, so the tasks have no temperature. They have no thresholds
    and no abstention either, because these differ between the models.

    Args:
        decided: The decisions by task name.
    """

    decided: dict[str, Decision] | None = None

    @cached_property
    def decisions(self) -> dict[str, Decision]:
        """The decisions by task name, as arrays."""
        return self.decided or {}


def join_folds(folds: list[Judged], tasks: list[TaskConfig]) -> JudgedFolds:
    """Return the rows of all folds, in the order of the folds.

    Args:
        folds: The rows of each fold with the tasks of its model.
        tasks: The tasks of the final model. Their losses and labels are kept.
    """
    names = [task.name for task in tasks]
    return JudgedFolds(
        tasks=[replace(task, temperature=1.0, thresholds=None, abstain_below=None) for task in tasks],
        texts=[text for fold in folds for text in fold.texts],
        logits={
            task.name: np.concatenate([fold.logits[task.name] / fold.tasks[i].temperature for fold in folds])
            for i, task in enumerate(tasks)
        },
        labels={name: np.concatenate([fold.labels[name] for fold in folds]) for name in names},
        lengths=np.concatenate([fold.lengths for fold in folds]),
        sources=[source for fold in folds for source in fold.sources],
        soft={name: np.concatenate([fold.soft[name] for fold in folds]) for name in folds[0].soft},
        raters={name: np.concatenate([fold.raters[name] for fold in folds]) for name in folds[0].raters},
        places=[place for fold in folds for place in fold.places],
        decided={
            name: Decision(*map(np.concatenate, zip(*(fold.decisions[name] for fold in folds), strict=True)))
            for name in names
        },
    )
