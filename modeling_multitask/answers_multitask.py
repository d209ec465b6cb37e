"""From logits to answers: the score of each label, and the labels that are the answer.

Shapes: (...) the rows, in one or more dimensions, C classes of one task, P classes of the task that it depends on.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .tasks_multitask import TaskConfig, parent_task

NOT_ASKED = -1
_NOTHING = 1e-6  # a remaining probability up to this is a rounding error

Answer = dict[str, Any] | list[dict[str, Any]]


class Decision(NamedTuple):
    """The decision on one task, computed from its logits. The fields are tensors, or arrays in evaluation.

    Args:
        scores: (..., C), the probability of each label. C is 2 for a binary task. If a task of one label depends on
            another task, this is the probability that the question is asked and the label is right. For a regression,
            the number, (..., 1).
        chosen: (...), the id of the label, or `NOT_ASKED` if the question is not asked. (..., C) for a multi-label
            task, zeros and ones. (...) for a regression, the number.
        asked: (...), whether the answer to the task that this one depends on causes the question to be asked.
        confidence: (...), the value that is compared with `abstain_below`: the score of the answer, or the energy,
            which is the log-sum-exp of the logits. It is 1 for several labels and for numbers.
    """

    scores: Any
    chosen: Any
    asked: Any
    confidence: Any = None


def answers(logits: dict[str, Tensor], tasks: list[TaskConfig], **top_k: int | None) -> list[dict[str, Answer]]:
    """Return the answers to all tasks, one dict by task name for each row.

    Args:
        logits: By task name, (B, C). (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        tasks: The model's tasks, in order.
        top_k: `top_k=n` returns the best n labels of each task and `top_k=None` all of them: the answer first, then
            the others by score. For an ordinal regression, whose answer may be the median, all are sorted by score.
            For a task that is not always asked, they include `None` with its probability. Without `top_k`, only the
            answer is returned.

    Returns:
        The label and its score. A label, or the number of a regression, is `None` if the question is not asked. It is
        also `None` if the answer, or the answer that it depends on, is withheld because its confidence is too low.

    Raises:
        ValueError: If `top_k` is not a whole number of at least 1.
    """
    most = top_k.get("top_k")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise ValueError(f"top_k is {most!r}; it must be a whole number of at least 1, or None for all labels")
    columns: list[list[Answer]] = []
    refused: dict[str, Tensor] = {}
    for task, decision in zip(tasks, decide(logits, tasks).values(), strict=True):
        # If an answer is withheld, the questions that depend on it are not answered either.
        refused[task.name] = _refused(task, decision) | (refused[task.given.task] if task.given else False)
        parts = (decision.scores, decision.chosen, decision.asked, refused[task.name])
        rows = zip(*(each.tolist() for each in parts), strict=True)
        columns.append([_answer(task, scores, chosen, asked, no, top_k) for scores, chosen, asked, no in rows])
    names = [task.name for task in tasks]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def decide(logits: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Decision]:
    """Return every task's decision. Tasks that depend on each other get the labels with the highest joint probability.

    A label p of one task and a label c of a task that depends on it have the joint probability P(p) · P(c | p). Here
    P(c | p) is the probability of c among the labels that may follow p. The parent task alone decides whether a
    question is asked, so that an uncertain answer does not make the question itself less likely. Only the labels that
    ask the same questions as the most probable label therefore compete. The best continuation of each label is found
    from the last task to the first, and the labels are chosen from the first task to the last (max-product, Pearl
    1988). The computation uses logarithms, because small probabilities become 0 in float32. Multi-label tasks and
    regressions do not influence the labels of other tasks.

    Args:
        logits: By task name, (..., C).
        tasks: The model's tasks, in order.
    """
    scores = {task.name: task.kind.probabilities(logits[task.name], task) for task in tasks}
    logs = {task.name: task.kind.log_probabilities(logits[task.name], task) for task in tasks if task.kind.one_label}
    followers, links = _link(logs, tasks)
    decisions: dict[str, Decision] = {}
    for task in tasks:
        own = scores[task.name]
        if task.given is None:
            together = task.name in followers
            chosen = followers[task.name].best(logs[task.name]) if together else task.kind.decide(own, task)
            asked = torch.ones_like(own[..., 0], dtype=torch.bool)
            decisions[task.name] = _decision(task, logits[task.name], own, chosen, asked)
            continue
        parent, link = decisions[task.given.task], links[task.name]
        before = parent.chosen.clamp(min=0)  # (...)
        asked = parent.asked & link.asked_after[before]
        if link.conditional is None:
            decisions[task.name] = _decision(task, logits[task.name], own, task.kind.decide(own, task), asked)
            continue
        joint = (parent.scores.unsqueeze(-1) * link.conditional.exp()).sum(dim=-2)  # (..., C)
        chosen = link.best.gather(-1, before.unsqueeze(-1)).squeeze(-1)
        decisions[task.name] = _decision(task, logits[task.name], joint, chosen.where(asked, NOT_ASKED), asked)
    return decisions


def may_follow(task: TaskConfig, parent: TaskConfig) -> Tensor:
    """Return a mask, (P, C): whether each label of a task may follow each label of the task that it depends on.

    Args:
        task: A task with a `given`.
        parent: The task that `given` names.
    """
    given: Any = task.given
    parents = None if given.parents is None else tuple(map(given.parents.get, task.labels or ()))
    return _may_follow(tuple(parent.labels or ()), frozenset(given.labels or ()), parents, len(task.labels or [""]))


@lru_cache(maxsize=64)  # called for each batch, and for each text of a pipeline
def _may_follow(
    after: tuple[str, ...], asking: frozenset[str], parents: tuple[str | None, ...] | None, labels: int
) -> Tensor:
    if parents is None:
        return torch.tensor([[each in asking] * labels for each in after])
    return torch.tensor([[each == parent for parent in parents] for each in after])


class _Link(NamedTuple):
    """How a task follows each label of the task that it depends on.

    Args:
        asked_after: (P,), whether the question is asked after it.
        conditional: (..., P, C), the log-probability of each label after it. `None` for numbers and several labels.
        best: (..., P), the best label after it. `None` for numbers and several labels.
    """

    asked_after: Tensor
    conditional: Any = None
    best: Any = None


class _Followers(NamedTuple):
    """How other tasks follow the labels of a task that they depend on.

    Args:
        asking: (C, K), whether each label asks each of K questions.
        below: (..., C), the log-probability of the best continuation of each label.
    """

    asking: Tensor
    below: Tensor

    def best(self, logs: Tensor) -> Tensor:
        """Return the best label, (...), among those that ask the same questions as the most probable label.

        The best label has the highest log-probability together with its continuation.
        """
        asking = (self.asking.unsqueeze(0) == self.asking.unsqueeze(1)).all(dim=-1)  # (C, C)
        return (logs + self.below).masked_fill(~asking[logs.argmax(dim=-1)], -torch.inf).argmax(dim=-1)


def _link(logs: dict[str, Tensor], tasks: list[TaskConfig]) -> tuple[dict[str, _Followers], dict[str, _Link]]:
    """Return the followers of each task that others depend on, and the link of each task that depends on another."""
    followers: dict[str, _Followers] = {}
    links = {}
    for task in reversed(tasks):
        if task.given is None:
            continue
        parent = parent_task(task, tasks)
        allowed = may_follow(task, parent).to(logs[parent.name].device)  # (P, C)
        asked_after = allowed.any(dim=-1)
        if not task.kind.one_label:
            links[task.name] = _Link(asked_after)
            continue
        among = logs[task.name].unsqueeze(-2).masked_fill(~allowed, -torch.inf)
        conditional = among.log_softmax(dim=-1).masked_fill(~allowed, -torch.inf)  # NaN where no label is allowed
        if (following := followers.get(task.name)) is None:
            below, best = torch.zeros(()), conditional.argmax(dim=-1)  # (..., P)
        else:
            below = following.below.unsqueeze(-2)
            best = following._replace(below=below).best(conditional)
        highest = (conditional + below).gather(-1, best.unsqueeze(-1)).squeeze(-1).where(asked_after, 0.0)
        links[task.name] = _Link(asked_after, conditional, best)
        followers[parent.name] = _joined(followers.get(parent.name), asked_after, highest)
    return followers, links


def _joined(before: _Followers | None, asked_after: Tensor, highest: Tensor) -> _Followers:
    asking = asked_after.unsqueeze(-1)
    if before is None:
        return _Followers(asking, highest)
    return _Followers(torch.cat([before.asking, asking], dim=-1), before.below + highest)


def _decision(task: TaskConfig, logits: Tensor, scores: Tensor, chosen: Tensor, asked: Tensor) -> Decision:
    """Return the decision with the confidence of its answer."""
    if not task.kind.one_label:
        confidence = torch.ones_like(scores[..., 0])
    elif task.abstain_by == "energy":
        confidence = (logits.float() / task.temperature).logsumexp(dim=-1)
    else:
        confidence = scores.gather(-1, chosen.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return Decision(scores, chosen, asked, confidence)


def _refused(task: TaskConfig, decision: Decision) -> Tensor:
    """Return whether each answer, (...), is withheld because its confidence is too low."""
    if task.abstain_below is None:
        return torch.zeros_like(decision.asked)
    return decision.asked & (decision.confidence < task.abstain_below)


def _answer(
    task: TaskConfig, scores: list[float], chosen: Any, asked: bool, refused: bool, top_k: dict[str, int | None]
) -> Answer:
    if task.kind.is_number:
        return {"score": scores[0] if asked and not refused else None}
    if task.kind.several_labels:
        if not asked or refused:
            return []
        ranked = sorted(zip(_options(task, scores), chosen, strict=True), key=lambda each: -each[0]["score"])
        return [option for option, given in ranked if given or top_k][: top_k.get("top_k")]
    unasked = max(1 - sum(scores), 0.0) if task.given is not None else 0.0
    if not top_k:
        label = None if refused or not asked else (task.labels or [])[chosen]
        return {"label": label, "score": scores[chosen] if asked else unasked}
    options = _options(task, scores)
    if not asked or unasked > _NOTHING:
        options.append({"label": None, "score": unasked})
    if task.kind.ordered:
        return sorted(options, key=lambda each: -each["score"])[: top_k["top_k"]]
    answer = options.pop(chosen if asked else -1)  # a parent task may make it a label that is not the highest
    return [answer, *sorted(options, key=lambda each: -each["score"])][: top_k["top_k"]]


def _options(task: TaskConfig, scores: list[float]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score} for label, score in zip(task.labels or (), scores, strict=True)]
