"""The answers of a model to a text, with the reason for each missing answer.

Shapes: D width of the encoder.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from transformers import Pipeline

DEFAULT_THRESHOLD = 0.5  # default of the model's code for a task without thresholds


@dataclass(frozen=True)
class Option:
    """One label of a task.

    Args:
        label: Name of the label. `None` means that the task is not asked.
        score: Probability of the label.
        given: Whether the label is the answer, or part of it.
        threshold: Score above which the label is part of the answer, for tasks with thresholds.
    """

    label: str | None
    score: float
    given: bool = False
    threshold: float | None = None


@dataclass(frozen=True)
class TaskAnswer:
    """The answer to one task.

    Args:
        name: Name of the task.
        kind: Problem type of the task.
        options: All labels, the answer first and the others by score. Ordered labels keep their order. Empty for a
            number, and for a multi-label task that is not asked.
        number: Answer to a regression task.
        asked: Whether the task is asked.
        note: Reason for a missing answer, or else empty.
    """

    name: str
    kind: Any
    options: list[Option] = field(default_factory=list)
    number: float | None = None
    asked: bool = True
    note: str = ""

    @property
    def given(self) -> list[Option]:
        """Return the options that are the answer."""
        return [option for option in self.options if option.given]


@dataclass(frozen=True)
class TextAnswers:
    """All answers of a model to a text.

    Args:
        tasks: Answers in the model's task order.
        embedding: Sentence embedding, (D,).
        plain: Output of the pipeline.
    """

    tasks: list[TaskAnswer]
    embedding: torch.Tensor
    plain: dict[str, Any]


def answer_text(classify: Pipeline, text: str) -> TextAnswers:
    """Return the answer and all scores of every task, from one forward pass of the pipeline."""
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
    """Return the answer to one task.

    Args:
        task: Task from the model's configuration.
        plain: Output of the pipeline.
        ranked: Output of the pipeline with `top_k=None`.
        above: Answer to the task that this task depends on.
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
    score = None if several else plain["score"]
    silence = _Silence() if given or (several and ranked) else _silence(task, above, score)
    if kind.ordered:
        order = [*task.labels, None]
        options.sort(key=lambda option: order.index(option.label))
    return TaskAnswer(task.name, kind, options, None, *silence)


class _Silence(NamedTuple):
    """Whether a task is asked, and why it has no answer."""

    asked: bool = True
    note: str = ""


def _silence(task: Any, above: TaskAnswer | None, score: float | None = None) -> _Silence:
    """Return why a task has no answer: a low score, not asked, or no answer to the task that it depends on."""
    if above is not None and not above.asked:
        return _Silence(False, f"not asked: {above.name} is not asked")
    if above is not None and above.note:
        return _Silence(True, f"no answer: {above.name} has no answer")
    asking = [] if task.given is None else task.given.labels or list(task.given.parents.values())
    if above is None or above.given[0].label in asking:
        if task.abstain_by == "energy":  # the pipeline does not return the energy
            return _Silence(True, f"no answer: the energy of its logits is below {task.abstain_below:.2f}")
        return _Silence(True, f"no answer: score {_tell_apart(score or 0.0, task.abstain_below)}")
    after = f"not {asking[0]}" if len(asking) == 1 else above.given[0].label
    return _Silence(False, f"not asked: {task.given.task} is {after}")


def _tell_apart(score: float, limit: float) -> str:
    """Return `0.31 is below 0.45`, with enough digits to show the difference."""
    digits = next((n for n in (2, 3, 4) if round(score, n) < round(limit, n)), 6)
    return f"{score:.{digits}f} is below {limit:.{digits}f}"


def _thresholds(task: Any) -> dict[str, float]:
    """Return the thresholds by label. A binary task has at most one, for its second label."""
    if task.kind.several_labels:
        return dict(zip(task.labels, task.thresholds or [DEFAULT_THRESHOLD] * len(task.labels), strict=True))
    return {task.labels[1]: task.thresholds[0]} if task.thresholds else {}
