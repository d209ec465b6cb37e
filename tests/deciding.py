"""Answers and decisions, for tests."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Answer, Decision, answers
from modeling_multitask.training.metrics import decide_arrays


def answer(logits: Tensor, task: TaskConfig, **top_k: int | None) -> Answer:
    """Return the answer for the logits (C,) of one row."""
    return answers({task.name: logits[None]}, [task], **top_k)[0][task.name]


def decision_of(task: TaskConfig, logits: np.ndarray) -> Decision:
    """Return the decision for the logits (N, C) of a task, independent of other tasks."""
    return decide_arrays({task.name: logits}, [task])[task.name]


def predicted(logits: np.ndarray, task: TaskConfig) -> Any:
    """Return the labels or numbers for logits (N, C)."""
    return decision_of(task, logits).chosen


def same_answers(given: Any, expected: Any) -> bool:
    """Return whether answers are equal except for the last digits of scores."""
    if isinstance(expected, dict):
        return given.keys() == expected.keys() and all(same_answers(given[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(given) == len(expected) and all(map(same_answers, given, expected))
    return given == (pytest.approx(expected, abs=1e-5) if isinstance(expected, float) else expected)
