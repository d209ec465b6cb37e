"""From logits to answers: the score of each label, and which labels are the answer.

Shapes: (...) the rows, in one dimension or more; C classes of one task, P classes of the task that it depends on.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .tasks_multitask import TaskConfig, parent_task

NOT_ASKED = -1
_NOTHING = 1e-6  # of a probability that is left over by rounding

Answer = dict[str, Any] | list[dict[str, Any]]


class Decision(NamedTuple):
    """What logits say of one task, in tensors (or in arrays, where it is judged).

    Args:
        scores: (..., C) the probability of each label, both labels of a binary task; of one label that depends on
            another task, the probability that the question is asked and the label is right. (..., 1) the number of a
            regression.
        chosen: (...) the id of the label, `NOT_ASKED` where the question is not asked; (..., C) zeros and ones of a
            multi-label task; (...) the number of a regression.
        asked: (...) whether the question is asked, by the answer to the task that it depends on.
        confidence: (...) by what an answer of one label is refused where it is too low: its score, or the energy, the
            log-sum-exp of the logits. Of several labels and of numbers it is 1.
    """

    scores: Any
    chosen: Any
    asked: Any
    confidence: Any = None


def answers(logits: dict[str, Tensor], tasks: list[TaskConfig], **top_k: int | None) -> list[dict[str, Answer]]:
    """The labelled answers to all tasks, a dict by task name for each row.

    Args:
        logits: By task name, (B, C); (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        tasks: The model's tasks, in order.
        top_k: `top_k=n` for the best n labels of each task, `top_k=None` for all of them, the answer first and then by
            score; `None` is one of them, with its probability, where a question may not be asked. Left out, the answer
            alone.

    Returns:
        The label and its score. A label, or the number of a regression, is `None` where the question is not asked, and
        where its score, or that of the answer it depends on, is too low for an answer.
    """
    columns: list[list[Answer]] = []
    refused: dict[str, Tensor] = {}
    for task, decision in zip(tasks, decide(logits, tasks).values(), strict=True):
        # Where the answer is refused on which a question depends, that question is not answered either.
        refused[task.name] = _refused(task, decision) | (refused[task.given.task] if task.given else False)
        parts = (decision.scores, decision.chosen, decision.asked, refused[task.name])
        rows = zip(*(each.tolist() for each in parts), strict=True)
        columns.append([_answer(task, scores, chosen, asked, no, top_k) for scores, chosen, asked, no in rows])
    names = [task.name for task in tasks]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def decide(logits: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Decision]:
    """Every task's decision; tasks that depend on each other get the labels that are most probable together.

    Labels p of one task and c of another that depends on it have the probability P(p) · P(c | p), where P(c | p) is the
    other head's over the labels that may follow p. Whether a question is asked at all is for the task above to say: an
    unsure answer must not count against its being asked. So the labels that compete are those that ask the same
    questions as the most probable one. What best follows each label is found from the last task up, the labels
    themselves from the first task down (max-product, Pearl 1988); in logarithms, for a label that nearly sure heads
    rule out has a probability that is 0 in float32. Numbers, and several labels, weigh nothing.

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
    """Which labels of a task may follow each label of the task that it depends on: (P, C), true and false.

    Args:
        task: With a `given`.
        parent: The task that it names.
    """
    given: Any = task.given
    parents = None if given.parents is None else tuple(map(given.parents.get, task.labels or ()))
    return _may_follow(tuple(parent.labels or ()), frozenset(given.labels or ()), parents, len(task.labels or [""]))


@lru_cache(maxsize=64)  # it is asked for with each batch, and each text of a pipeline
def _may_follow(
    after: tuple[str, ...], asking: frozenset[str], parents: tuple[str | None, ...] | None, labels: int
) -> Tensor:
    if parents is None:
        return torch.tensor([[each in asking] * labels for each in after])
    return torch.tensor([[each == parent for parent in parents] for each in after])


class _Link(NamedTuple):
    """What follows each label of the task that one depends on.

    Args:
        asked_after: (P,) whether the question is asked after it.
        conditional: (..., P, C) the log-probability of each label after it; `None` for numbers and several labels.
        best: (..., P) the label that follows it best, likewise.
    """

    asked_after: Tensor
    conditional: Any = None
    best: Any = None


class _Followers(NamedTuple):
    """What follows the labels of a task that others depend on.

    Args:
        asking: (C, K) which of K questions each label asks.
        below: (..., C) the log-probability of what best follows each.
    """

    asking: Tensor
    below: Tensor

    def best(self, logs: Tensor) -> Tensor:
        """(...) of the labels that ask what the most probable one asks, the best by its own and what follows it."""
        asking = (self.asking.unsqueeze(0) == self.asking.unsqueeze(1)).all(dim=-1)  # (C, C)
        return (logs + self.below).masked_fill(~asking[logs.argmax(dim=-1)], -torch.inf).argmax(dim=-1)


def _link(logs: dict[str, Tensor], tasks: list[TaskConfig]) -> tuple[dict[str, _Followers], dict[str, _Link]]:
    """What follows the labels of each task that others depend on; and how each of the others follows."""
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
        conditional = among.log_softmax(dim=-1).masked_fill(~allowed, -torch.inf)  # it is NaN where none is allowed
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
    """The decision with how far its answer can be trusted."""
    if not task.kind.one_label:
        confidence = torch.ones_like(scores[..., 0])
    elif task.abstain_by == "energy":
        confidence = (logits.float() / task.temperature).logsumexp(dim=-1)
    else:
        confidence = scores.gather(-1, chosen.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return Decision(scores, chosen, asked, confidence)


def _refused(task: TaskConfig, decision: Decision) -> Tensor:
    """(...) where an answer is not to be trusted enough to be given."""
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
    answer = options.pop(chosen if asked else -1)  # the task that it depends on may have had a say in it
    return [answer, *sorted(options, key=lambda each: -each["score"])][: top_k["top_k"]]


def _options(task: TaskConfig, scores: list[float]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score} for label, score in zip(task.labels or (), scores, strict=True)]
