"""Two models' random answers to the same rows, for tests of comparisons."""

from dataclasses import replace
from typing import Any

import numpy as np

from modeling_multitask import TaskConfig
from modeling_multitask.evaluation.judged import Judged

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
LIKED = TaskConfig("liked", "binary_classification", labels=["no", "yes"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud", "odd"])
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine", "best"])
RATING = TaskConfig("rating", "regression")
TASKS = [TOPIC, LIKED, TAGS, GRADE, RATING]
ROWS = 240


def judged_rows(tasks: list[TaskConfig] | None = None, *, seed: int = 0, rows: int = ROWS) -> Judged:
    """Random answers; the labels are the same for each seed, and a third is missing."""
    rng, of_labels = np.random.default_rng(seed), np.random.default_rng(99)
    logits, labels = {}, {}
    for task in tasks or TASKS:
        own_logits = 2 * rng.normal(size=(rows, task.num_logits))
        logits[task.name] = -np.sort(-own_logits, axis=1) if task.kind.ordered else own_logits
        shape = (rows, len(task.labels or ())) if task.kind.several_labels else (rows,)
        classes = 2 if task.kind.several_labels else len(task.labels or ())
        own: Any = of_labels.normal(size=rows) if task.kind.is_number else of_labels.integers(classes, size=shape)
        missing = np.nan if task.kind.is_number else -100
        labels[task.name] = np.where(of_labels.random(shape) < 1 / 3, missing, own)
    lengths = of_labels.integers(3, 30, size=rows)
    texts = [f"text {row}" for row in range(rows)]
    return Judged(tasks or TASKS, list(texts), logits, labels, lengths, ["a.csv", "b.csv"] * (rows // 2))


def answering(task: TaskConfig, answers: list[int] | list[float], labels: Any, *, sure: float = 2.0) -> Judged:
    """A model of one task of one label, or of a number, that gives these answers."""
    given = np.array(answers)
    logits = given[:, None].astype(float) if task.kind.is_number else sure * np.eye(len(task.labels or ()))[given]
    rows = len(given)
    return Judged(
        [task],
        [f"text {row}" for row in range(rows)],
        {task.name: logits},
        {task.name: np.array(labels)},
        np.full(rows, 4),
    )


def with_labels(task: TaskConfig, *labels: str) -> TaskConfig:
    """The task with other labels."""
    return replace(task, labels=list(labels), num_labels=None)
