"""What a model says of a text, task by task, with the reason where it says nothing.

Shapes: D width of the encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from transformers import Pipeline

DEFAULT_THRESHOLD = 0.5  # of the model's own code, where a task says none


@dataclass(frozen=True)
class Option:
    """One label of a task; `None` is that the question is not asked.

    Args:
        label: Its name.
        score: Its probability.
        given: Whether it is the answer, or part of it.
        threshold: Above which score it is part of the answer, where that is how the task is read.
    """

    label: str | None
    score: float
    given: bool = False
    threshold: float | None = None


@dataclass(frozen=True)
class TaskAnswer:
    """The answer to one task.

    Args:
        name: Of the task.
        kind: That of the task.
        options: All labels: the answer first and then by score, those of an order in that order; none of a number, and
            none where several labels are not asked for.
        number: Of a regression.
        asked: Whether the question is asked at all.
        note: Why there is no answer; empty where there is one.
    """

    name: str
    kind: Any
    options: list[Option] = field(default_factory=list)
    number: float | None = None
    asked: bool = True
    note: str = ""

    @property
    def given(self) -> list[Option]:
        """The options that are the answer."""
        return [option for option in self.options if option.given]


@dataclass(frozen=True)
class TextAnswers:
    """All that a model says of a text.

    Args:
        tasks: In the order of the model's.
        embedding: (D,).
        plain: What the pipeline answers.
    """

    tasks: list[TaskAnswer]
    embedding: torch.Tensor
    plain: dict[str, Any]


def answer_text(classify: Pipeline, text: str) -> TextAnswers:
    """Every task's answer and all its scores, by the pipeline's own reading of one forward pass."""
    with torch.inference_mode():
        windows = [classify.forward(each) for each in classify.preprocess(text)]
        plain = classify.postprocess(windows, return_embedding=True)
        ranked = classify.postprocess(windows, top_k=None)
    embedding = torch.tensor(plain.pop("embedding"))
    answers: dict[str, TaskAnswer] = {}
    for task in classify.model.config.tasks:
        above = answers[task.given.task] if task.given else None
        answers[task.name] = task_answer(task, plain[task.name], ranked[task.name], above)
    return TextAnswers(list(answers.values()), embedding, plain)


def task_answer(task: Any, plain: Any, ranked: Any, above: TaskAnswer | None = None) -> TaskAnswer:
    """The answer to one task.

    Args:
        task: Of the model's configuration.
        plain: What the pipeline answers.
        ranked: What it answers with `top_k=None`.
        above: The answer to the task that this one depends on.
    """
    kind = task.kind
    if kind.is_number:
        silence = _silence(task, above) if plain["score"] is None else _Silence()
        return TaskAnswer(task.name, kind, [], plain["score"], *silence)
    several = kind.several_labels
    given = {each["label"] for each in (plain if several else [plain])} - {None}
    thresholds = _thresholds(task)
    options = [
        Option(each["label"], each["score"], each["label"] in given, thresholds.get(each["label"])) for each in ranked
    ]
    silence = _Silence() if given or (several and ranked) else _silence(task, above, options)
    if kind.ordered:
        order = [*task.labels, None]
        options.sort(key=lambda option: order.index(option.label))
    return TaskAnswer(task.name, kind, options, None, *silence)


class _Silence(NamedTuple):
    """Whether a question is asked, and why it has no answer."""

    asked: bool = True
    note: str = ""


def _silence(task: Any, above: TaskAnswer | None, options: Sequence[Option] = ()) -> _Silence:
    """Why a task has no answer: its score is too low, or it is not asked, or the task that it depends on has none."""
    if above is not None and not above.asked:
        return _Silence(False, f"not asked: nor is {above.name}")
    if above is not None and above.note:
        return _Silence(True, f"no answer: {above.name} has none")
    if options and options[0].label is not None:
        if task.abstain_by == "energy":  # which the pipeline does not tell
            return _Silence(True, f"no answer: the energy of its logits is below {task.abstain_below:.2f}")
        return _Silence(True, f"no answer: score {_tell_apart(options[0].score, task.abstain_below)}")
    asking = task.given.labels or []
    after = f"not {asking[0]}" if len(asking) == 1 else above.given[0].label if above else ""
    return _Silence(False, f"not asked: {task.given.task} is {after}")


def _tell_apart(score: float, limit: float) -> str:
    """`0.31 is below 0.45`, in as many digits as it takes to see that."""
    digits = next((n for n in (2, 3, 4) if round(score, n) < round(limit, n)), 6)
    return f"{score:.{digits}f} is below {limit:.{digits}f}"


def _thresholds(task: Any) -> dict[str, float]:
    """By label; of a binary task the second one's, if it has one of its own."""
    if task.kind.several_labels:
        return dict(zip(task.labels, task.thresholds or [DEFAULT_THRESHOLD] * len(task.labels), strict=True))
    return {task.labels[1]: task.thresholds[0]} if task.thresholds else {}
