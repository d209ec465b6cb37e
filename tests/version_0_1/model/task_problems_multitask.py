"""Why a task, or a list of tasks, cannot be as described: what recipes, tables and models are checked by alike."""

import keyword
import re
from difflib import get_close_matches
from typing import Any, Literal, get_args

from torch import nn

ProblemType = Literal[
    "single_label_classification",
    "multi_label_classification",
    "binary_classification",
    "regression",
    "ordinal_regression",
]
PROBLEM_TYPES: tuple[str, ...] = get_args(ProblemType)
# Whose answer is one label.
ONE_LABEL = ("single_label_classification", "binary_classification", "ordinal_regression")
# The losses of each problem type; the first is its default.
LOSSES = {
    "single_label_classification": ("cross_entropy", "focal"),
    "multi_label_classification": ("cross_entropy", "focal"),
    "binary_classification": ("cross_entropy", "focal"),
    "regression": ("mse", "huber"),
    "ordinal_regression": ("cumulative_logits",),
}
# What a pipeline's answer, a table, a batch or a set of metrics calls by these names already.
RESERVED_TASK_NAMES = frozenset(
    {"embedding", "text", "source", "score", "loss", "labels", "position_ids", "past_key_values", "is_last"}
    | {"input_ids", "attention_mask", "token_type_ids"}
)
METRIC_PREFIXES = ("eval_", "test_", "train_")  # the Trainer tells its metrics apart by these


def task_name_problem(name: str) -> str | None:
    """Why a name cannot name a task, with a free one; `None` if it can.

    Heads are attributes of a module and names are parts of metrics and columns, so a name is a Python
    identifier that no module has already.
    """
    if name in RESERVED_TASK_NAMES:
        reason = "it is the name of something else beside it"
    elif name.startswith(METRIC_PREFIXES):
        reason = f"names of metrics begin with {', '.join(METRIC_PREFIXES)}"
    elif keyword.iskeyword(name):
        reason = "it is a word of Python"
    elif hasattr(nn.ModuleDict(), name):
        reason = "it is an attribute of nn.ModuleDict"
    elif not name.isidentifier():
        reason = "letters, digits and _ only, and no digit first"
    else:
        return None
    return f"{name!r} cannot name a task ({reason}); try {_free_task_name(name)!r}"


def task_list_problem(names: list[str]) -> str | None:
    """Why tasks of these names cannot stand side by side; `None` if they can."""
    if not names:
        return "a multi-task model needs at least one task; none was given"
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        return f"task names must differ; given more than once: {', '.join(map(repr, doubled))}"
    # `predict` writes the columns `<task>` and `<task>_score`.
    if clashing := [name for name in names if f"{name}_score" in names]:
        return f"tasks {clashing[0]!r} and '{clashing[0]}_score' would write the same column; rename one"
    return None


def task_labels_problem(problem_type: str, labels: list[str] | None, num_labels: int | None) -> str | None:
    """Why these labels do not fit this problem type; `None` if they do."""
    if problem_type == "regression":
        if labels is not None or num_labels not in (None, 1):
            return "a regression task has no labels"
        return None
    if labels is None:
        return f"{problem_type} needs its labels (or num_labels)"
    if num_labels is not None and num_labels != len(labels):
        return f"num_labels is {num_labels}, but {len(labels)} labels are given"
    if doubled := sorted({label for label in labels if labels.count(label) > 1}):
        return f"labels must differ; given more than once: {', '.join(map(repr, doubled))}"
    if "" in labels:
        return "a label is empty; an empty cell means that the label is missing"
    return _label_count_problem(problem_type, labels)


def task_given_problem(task: dict[str, Any], before: dict[str, dict[str, Any]]) -> tuple[str, str] | None:
    """Which setting of a task's `given` cannot be, and why; `None` if all can, or the task is always asked.

    Args:
        task: The settings by name; what is left out, or malformed, is not looked at.
        before: The settings of the tasks that stand before it, by name.
    """
    given = task.get("given")
    if not isinstance(given, dict) or not isinstance(given.get("task"), str):
        return None
    name = given["task"]
    if name not in before:
        names = ", ".join(map(repr, before)) or "none"
        return "task", f"is {name!r}, which is none of the tasks before it ({names}){nearest_hint(name, list(before))}"
    kind = before[name].get("problem_type")
    if kind in PROBLEM_TYPES and kind not in ONE_LABEL:
        return "task", f"is {name!r}, a {kind}; a condition needs one label for each row"
    return _given_kind_problem(task) or _given_labels_problem(task, before[name].get("labels"))


def task_loss_problem(task: dict[str, Any]) -> tuple[str, str] | None:
    """Which setting of a task's loss does not fit its problem type, and why; `None` if all do.

    Args:
        task: The settings by name; those that are left out, or not lists of numbers, are not looked at.
    """
    kind, loss, labels = task["problem_type"], task.get("loss"), task.get("labels")
    count = len(labels) if isinstance(labels, list) else 0
    if loss is not None and loss not in LOSSES[kind]:
        hint = nearest_hint(loss, LOSSES[kind])
        return "loss", f"is {loss!r}; {kind} has {' and '.join(LOSSES[kind])}{hint}"
    if task.get("label_smoothing") and not kind.endswith("classification"):
        return "label_smoothing", f"is for classification; this is {kind}"
    allowed = {
        "class_weights": ({"single_label_classification": count}, "one for each label"),
        "pos_weight": (
            {"binary_classification": 1, "multi_label_classification": count},
            "one number for a binary task, or one for each label of a multi-label task",
        ),
    }
    for name, (counts, meaning) in allowed.items():
        numbers = task.get(name)
        if numbers is not None and kind not in counts:
            return name, f"is for {' and '.join(counts)}; this is {kind}"
        if isinstance(numbers, list) and counts[kind] and not _are_weights(numbers, counts[kind]):
            several = "s" if counts[kind] > 1 else ""
            return name, f"is {numbers}; it must be {counts[kind]} number{several}, none negative: {meaning}"
    return None


def nearest_hint(word: str, allowed: list[str] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?` if one of the allowed words is close to the one given, else nothing."""
    close = get_close_matches(str(word), [str(candidate) for candidate in allowed], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _are_weights(numbers: list[Any], count: int) -> bool:
    if not all(isinstance(each, int | float) for each in numbers):
        return True  # what is no number is said elsewhere
    return len(numbers) == count and all(each >= 0 for each in numbers)


def _given_kind_problem(task: dict[str, Any]) -> tuple[str, str] | None:
    given, kind = task["given"], task.get("problem_type")
    if given.get("labels") is not None and given.get("parents") is not None:
        return "labels", "are said, and so are parents; say one of the two"
    if kind not in PROBLEM_TYPES or kind == "single_label_classification":
        return None
    if given.get("parents") is not None:
        return "parents", f"is for single_label_classification; this is {kind}"
    if given.get("labels") is None:
        return "labels", f"are missing; rows tell the parents of single_label_classification alone, and this is {kind}"
    return None


def _given_labels_problem(task: dict[str, Any], above: Any) -> tuple[str, str] | None:
    """What is wrong with the labels that a `given` names; those of the task that it depends on are `above`."""
    given, own = task["given"], task.get("labels")
    parents = given["parents"] if isinstance(given.get("parents"), dict) else {}
    word = "parents" if parents else "labels"
    wanted = given["labels"] if isinstance(given.get("labels"), list) else list(parents.values())
    if isinstance(above, list) and (unknown := [each for each in wanted if each not in above]):
        return word, f"{unknown[0]!r} is not a label of {given['task']!r}{nearest_hint(unknown[0], above)}"
    if not parents or not isinstance(own, list):
        return None
    if strange := [each for each in parents if each not in own]:
        return word, f"{strange[0]!r} is not a label of the task{nearest_hint(strange[0], own)}"
    if left_out := [each for each in own if each not in parents]:
        return word, f"must name each label of the task; {left_out[0]!r} is left out"
    return None


def _label_count_problem(problem_type: str, labels: list[str]) -> str | None:
    if problem_type == "binary_classification" and len(labels) != 2:
        return f"binary_classification has exactly 2 labels (negative first); given: {labels}"
    fewest = 1 if problem_type == "multi_label_classification" else 2
    if len(labels) < fewest:
        return f"{problem_type} needs at least {fewest} labels; given: {labels}"
    return None


def _free_task_name(name: str) -> str:
    words = re.sub(r"\W+", "_", name).strip("_") or "task"
    candidates = (words, f"{words}_", f"task_{words}")
    return next(candidate for candidate in candidates if _is_free(candidate))


def _is_free(name: str) -> bool:
    taken = name in RESERVED_TASK_NAMES or name.startswith(METRIC_PREFIXES) or hasattr(nn.ModuleDict(), name)
    return name.isidentifier() and not taken and not keyword.iskeyword(name)
