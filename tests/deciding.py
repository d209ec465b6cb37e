"""Answers and figures of one task by itself, for tests."""

from typing import Any

import numpy as np
from torch import Tensor

from modeling_multitask import TaskConfig
from modeling_multitask.answers_multitask import Answer, Decision, answers
from modeling_multitask.training.metrics import decide_arrays


def answer(logits: Tensor, task: TaskConfig, **top_k: int | None) -> Answer:
    """The answer that one row's logits (C,) give."""
    return answers({task.name: logits[None]}, [task], **top_k)[0][task.name]


def decision_of(task: TaskConfig, logits: np.ndarray) -> Decision:
    """The decision that the logits (N, C) of a task make when no other task has a say."""
    return decide_arrays({task.name: logits}, [task])[task.name]


def predicted(logits: np.ndarray, task: TaskConfig) -> Any:
    """The labels, or numbers, that logits (N, C) give."""
    return decision_of(task, logits).chosen
