"""The decoder in the card of a code-free twin: from one vector to the answers of the original model.

The card contains this source from the first import on. Therefore it needs only numpy and `multitask.json`.
"""

from typing import Any

import numpy as np


def decode(vector: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to each task from one vector and the content of multitask.json."""
    tasks, vector = {task["name"]: task for task in settings["tasks"]}, np.asarray(vector, dtype=np.float64)
    # Some engines do not normalise the embedding. In all others this length is 1.
    length = np.linalg.norm(vector[slice(*settings["embedding"])]) if settings["normalize"] else 1.0
    logits = {name: (vector[slice(*t["slice"])] - t["bias"]) / length + t["bias"] for name, t in tasks.items()}
    scores = {name: _scores(task, logits[name] / task["temperature"]) for name, task in tasks.items()}
    logs = {name: np.log(np.maximum(each, 1e-300)) for name, each in scores.items()}
    chosen: dict[Any, Any] = {}
    withheld: dict[Any, bool] = {None: False}
    answers: dict[str, Any] = {}
    for name, task in tasks.items():
        parent = task["given"] and task["given"]["task"]
        asked = _after(task, chosen.get(parent), logs)  # None if the question is not asked
        withheld[name] = withheld[parent]
        if task["answer"] != "label":
            answers[name] = _number_or_labels(task, scores[name], asked is not None and not withheld[name])
            continue
        if parent:  # the probability that the question is asked and that the label is right
            every = [_after(task, label, logs) for label in tasks[parent]["labels"]]
            scores[name] = sum(p * np.exp(e) for p, e in zip(scores[parent], every, strict=True) if e is not None)
        i = _choose(task, asked, scores[name], tasks, logs)
        if asked is not None and task["abstain_below"] is not None:
            energy = np.logaddexp.reduce(logits[name] / task["temperature"])
            confidence = energy if task["abstain_by"] == "energy" else scores[name][i]
            withheld[name] |= bool(confidence < task["abstain_below"])
        chosen[name] = None if asked is None else task["labels"][i]
        score = max(1 - scores[name].sum(), 0) if asked is None else scores[name][i]
        answers[name] = {"label": None if withheld[name] else chosen[name], "score": float(score)}
    return answers


def _scores(task: dict[str, Any], logits: Any) -> Any:
    """Return the probability of each label, or the number."""
    above = np.exp(-np.logaddexp(0, -logits))  # the sigmoid
    if task["answer"] == "number":
        return np.expm1(np.minimum(logits, 80)) if task["transform"] == "log1p" else logits
    if task["answer"] == "labels":
        return above
    if len(logits) == len(task["labels"]):  # the softmax
        return np.exp(logits - np.logaddexp.reduce(logits))
    return -np.diff([1, *above, 0])  # each logit is for "above this label"


def _number_or_labels(task: dict[str, Any], scores: Any, shown: bool) -> Any:
    if task["answer"] == "number":
        return {"score": float(scores[0]) if shown else None}
    above = [i for i in np.argsort(-scores, kind="stable") if scores[i] > task["thresholds"][i]]
    return [{"label": task["labels"][i], "score": float(scores[i])} for i in above if shown]


def _after(task: dict[str, Any], label: str | None, logs: dict[str, Any]) -> Any:
    """Return the log-probabilities after a label of the task that this one depends on, None if it is not asked."""
    given, parents = task["given"], (task["given"] or {}).get("parents")
    if given is None:
        return logs[task["name"]]
    allowed = [label == parents.get(own) if parents else label in given["labels"] for own in task["labels"] or [None]]
    after = np.where(allowed, logs[task["name"]], -np.inf)
    return after - np.logaddexp.reduce(after) if any(allowed) else None


def _choose(task: dict[str, Any], asked: Any, scores: Any, tasks: dict[str, Any], logs: dict[str, Any]) -> int:
    """Return the id of the label that is the answer."""
    if task["thresholds"]:
        return int(scores[1] > task["thresholds"][0])
    if task["decision"] == "median":
        return int((scores.cumsum()[:-1] < 0.5).sum())
    return 0 if asked is None else _best(task, asked, tasks, logs)[1]


def _best(task: dict[str, Any], own: Any, tasks: dict[str, Any], logs: dict[str, Any]) -> tuple[float, int]:
    """Return the label that is best together with those of the tasks that depend on it, and their log-probability.

    It must ask the same questions as the most probable label.
    """
    joint = own.copy()
    asks: list[list[bool]] = [[] for _ in own]
    for child in tasks.values():
        if child["answer"] != "label" or not child["given"] or child["given"]["task"] != task["name"]:
            continue
        for i, label in enumerate(task["labels"]):
            after = _after(child, label, logs)
            asks[i].append(after is None)
            joint[i] += 0 if after is None else _best(child, after, tasks, logs)[0]
    same = [each == asks[int(own.argmax())] for each in asks]
    i = int(np.where(same, joint, -np.inf).argmax())
    return float(joint[i]), i
