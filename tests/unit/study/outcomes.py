"""Outcomes of runs whose answers have a known share of right ones."""

import numpy as np

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.resampled import TaskAnswers
from modeling_multitask.study.summary import Outcome

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food"], metric="accuracy")
MOOD = TaskConfig("mood", "binary_classification", labels=["bad", "good"], metric="accuracy")
METRICS = {"topic": "accuracy", "mood": "accuracy"}
ROWS = 1000


def answered(task: TaskConfig, share: float, *, seed: int, rows: int = ROWS) -> TaskAnswers:
    """Answers of which a share is right. With one seed, the rows are the same, and fewer mistakes are among more."""
    rng = np.random.default_rng(seed)
    labels, places = rng.integers(0, 2, rows), rng.permutation(rows)
    return TaskAnswers(task, labels, np.where(places < round((1 - share) * rows), 1 - labels, labels))


def outcome(seed: int, share: float, test: float | None = None, *, parameters: int = 1000, rows: int = ROWS) -> Outcome:
    """A run in which both tasks have the same share of right answers."""

    def answers(value: float, split: int) -> list[TaskAnswers]:
        return [answered(task, value, seed=2 * seed + split, rows=rows) for task in (TOPIC, MOOD)]

    splits = {"validation": answers(share, 0)} | ({} if test is None else {"test": answers(test, 1)})
    results = {split: {"score": 0.0} for split in splits}
    costs = {"seconds": 10.0 * (1 + seed), "cpu_seconds": 9.0, "memory": 500.0 + seed}
    return Outcome(seed, results, parameters, **costs, answers=splits)
