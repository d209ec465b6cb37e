"""From logits to answers: the score of each label, and which labels are the answer.

Shapes: (...) the rows, in one dimension or more; C classes of one task, P classes of the task that it depends on.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .tasks_multitask import ONE_LABEL, TaskConfig

DEFAULT_THRESHOLD = 0.5  # above which a label is part of the answer, unless its task says otherwise
NOT_ASKED = -1

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
    """

    scores: Any
    chosen: Any
    asked: Any


def answers(logits: dict[str, Tensor], tasks: list[TaskConfig], **top_k: int | None) -> list[dict[str, Answer]]:
    """The labelled answers to all tasks, a dict by task name for each row.

    Args:
        logits: By task name, (B, C); (B, 1) for a binary task or a regression, (B, C - 1) for an ordinal regression.
        tasks: The model's tasks, in order.
        top_k: `top_k=n` for the best n labels of each task, `top_k=None` for all of them, best first; left out, the
            answer alone.

    Returns:
        The label and its score. A label, or the number of a regression, is `None` where the question is not asked,
        and a label also where its score is too low for an answer.
    """
    columns = []
    for task, decision in zip(tasks, decide(logits, tasks).values(), strict=True):
        rows = zip(*(each.tolist() for each in decision), strict=True)
        columns.append([_answer(task, scores, chosen, asked, **top_k) for scores, chosen, asked in rows])
    names = [task.name for task in tasks]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def decide(logits: dict[str, Tensor], tasks: list[TaskConfig]) -> dict[str, Decision]:
    """Every task's decision; tasks that depend on each other get the labels that are most probable together.

    Labels p of one task and c of another that depends on it have the probability P(p) · P(c | p), where P(c | p) is the
    other head's over the labels that may follow p. Where none may, the question is not asked, and P(p) is all. What
    best follows each label is found from the last task up, the labels themselves from the first task down (max-product,
    Pearl 1988); in logarithms, for a label that nearly sure heads rule out has a probability that is 0 in float32.
    Numbers, and several labels, weigh nothing: they are only left out where they are not asked.

    Args:
        logits: By task name, (..., C).
        tasks: The model's tasks, in order.
    """
    scores = {task.name: probabilities(logits[task.name], task) for task in tasks}
    logs = {task.name: _log_probabilities(logits[task.name], task) for task in tasks if task.problem_type in ONE_LABEL}
    best_below, links = _link(logs, tasks)
    decisions: dict[str, Decision] = {}
    for task in tasks:
        own = scores[task.name]
        if task.given is None:
            together = task.name in best_below
            chosen = (logs[task.name] + best_below[task.name]).argmax(dim=-1) if together else choose(own, task)
            decisions[task.name] = Decision(own, chosen, torch.ones_like(own[..., 0], dtype=torch.bool))
            continue
        parent, link = decisions[task.given.task], links[task.name]
        before = parent.chosen.clamp(min=0)  # (...)
        asked = parent.asked & link.asked_after[before]
        if link.conditional is None:
            decisions[task.name] = Decision(own, choose(own, task), asked)
            continue
        joint = (parent.scores.unsqueeze(-1) * link.conditional.exp()).sum(dim=-2)  # (..., C)
        chosen = link.best.gather(-1, before.unsqueeze(-1)).squeeze(-1)
        decisions[task.name] = Decision(joint, chosen.where(asked, NOT_ASKED), asked)
    return decisions


def probabilities(logits: Tensor, task: TaskConfig) -> Tensor:
    """Logits as the score of each label (..., C), both labels for a binary task; the number itself for a regression."""
    if task.problem_type == "regression":
        return logits.float()
    logits = logits.float() / task.temperature
    if task.problem_type == "single_label_classification":
        return logits.softmax(dim=-1)
    if task.problem_type == "multi_label_classification":
        return logits.sigmoid()
    if task.problem_type == "binary_classification":
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=-1)
    above = logits.sigmoid()  # (..., C - 1), descending: the probability of lying above each label but the last
    each = torch.cat([torch.ones_like(above[..., :1]), above], -1) - torch.cat([above, 0 * above[..., :1]], -1)
    return each.clamp(min=0)  # of equal logits one may come out a last digit larger


def choose(scores: Tensor, task: TaskConfig) -> Tensor:
    """Which labels the scores give: ids (...), zeros and ones (..., C) for a multi-label task, or the number (...).

    Args:
        scores: (..., C) as `probabilities` gives them.
        task: Says the problem type and the thresholds.
    """
    if task.problem_type == "regression":
        return scores[..., 0]
    thresholds = scores.new_tensor(task.thresholds or [DEFAULT_THRESHOLD])
    if task.problem_type == "multi_label_classification":
        return (scores > thresholds).long()
    if task.problem_type == "binary_classification":
        return (scores[..., 1] > thresholds[0]).long()
    return scores.argmax(dim=-1)


def may_follow(task: TaskConfig, parent: TaskConfig) -> Tensor:
    """Which labels of a task may follow each label of the task that it depends on: (P, C), true and false.

    Args:
        task: With a `given`.
        parent: The task that it names.
    """
    given: Any = task.given
    after, labels = parent.labels or [], task.labels or [""]
    if given.parents is None:
        rows = [[each in given.labels] * len(labels) for each in after]
    else:
        rows = [[given.parents[label] == each for label in labels] for each in after]
    return torch.tensor(rows)


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


def _link(logs: dict[str, Tensor], tasks: list[TaskConfig]) -> tuple[dict[str, Tensor], dict[str, _Link]]:
    """For each label of a task that others depend on, the log-probability of what best follows; and each one's link."""
    best_below: dict[str, Tensor] = {}
    links = {}
    for task in reversed(tasks):
        if task.given is None:
            continue
        parent = next(each for each in tasks if each.name == task.given.task)
        allowed = may_follow(task, parent).to(logs[parent.name].device)  # (P, C)
        asked_after = allowed.any(dim=-1)
        if task.problem_type not in ONE_LABEL:
            links[task.name] = _Link(asked_after)
            continue
        among = logs[task.name].unsqueeze(-2).masked_fill(~allowed, -torch.inf)
        conditional = among.log_softmax(dim=-1).masked_fill(~allowed, -torch.inf)  # it is NaN where none is allowed
        below = best_below[task.name].unsqueeze(-2) if task.name in best_below else 0.0
        highest, best = (conditional + below).max(dim=-1)  # (..., P)
        links[task.name] = _Link(asked_after, conditional, best)
        best_below[parent.name] = best_below.get(parent.name, 0.0) + highest.where(asked_after, 0.0)
    return best_below, links


def _log_probabilities(logits: Tensor, task: TaskConfig) -> Tensor:
    """The logarithms of `probabilities` of a task of one label, finite where those are 0."""
    numbers = logits.float() / task.temperature
    if task.problem_type == "single_label_classification":
        return numbers.log_softmax(dim=-1)
    if task.problem_type == "binary_classification":
        return logsigmoid(torch.cat([-numbers, numbers], dim=-1))
    scores = probabilities(logits, task)
    return scores.clamp(min=torch.finfo(scores.dtype).tiny).log()


def _answer(task: TaskConfig, scores: list[float], chosen: Any, asked: bool, **top_k: int | None) -> Answer:
    if task.problem_type == "regression":
        return {"score": scores[0] if asked else None}
    labels = task.labels or []
    several = task.problem_type == "multi_label_classification"
    if "top_k" in top_k or several:
        ranked = sorted(range(len(labels)), key=lambda i: -scores[i])
        given = ranked[: top_k["top_k"]] if "top_k" in top_k else [i for i in ranked if asked and chosen[i]]
        return [{"label": labels[i], "score": scores[i]} for i in given]
    if not asked:
        return {"label": None, "score": max(1 - sum(scores), 0.0)}
    score = scores[chosen]
    refused = task.abstain_below is not None and score < task.abstain_below
    return {"label": None if refused else labels[chosen], "score": score}
