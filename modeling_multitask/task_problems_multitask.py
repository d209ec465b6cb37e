"""Checks of tasks and lists of tasks. Recipes, tables and models share them."""

import keyword
import re
from typing import Any

from .problem_types_multitask import PROBLEM_TYPES, ProblemType
from .words_multitask import nearest_hint

# These names are already used in a pipeline's answer, a table, a batch or a set of metrics.
RESERVED_TASK_NAMES = frozenset(
    {"embedding", "text", "source", "score", "loss", "labels", "position_ids", "past_key_values", "is_last"}
    | {"input_ids", "attention_mask", "token_type_ids"}
    | {"base_layer"}  # peft merges modules that have one
)
# A saved model may have a task of these names, but no new one: they are columns of tables with a weight for each row,
# with the split of each row, with pairs of texts, and with the place that each row comes from.
RESERVED_COLUMNS = frozenset({"weight", "split", "text_pair", "table", "line"})
# The attributes of torch's `nn.ModuleDict`. The list makes it possible to check a recipe without torch.
# fmt: off
MODULE_ATTRIBUTES = frozenset(
    {
        "T_destination", "_apply", "_backward_hooks", "_backward_pre_hooks", "_buffers", "_call_impl",
        "_compiled_call_impl", "_forward_hooks", "_forward_hooks_always_called", "_forward_hooks_with_kwargs",
        "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_get_backward_hooks",
        "_get_backward_pre_hooks", "_get_name", "_is_full_backward_hook", "_load_from_state_dict",
        "_load_state_dict_post_hooks", "_load_state_dict_pre_hooks", "_maybe_warn_non_full_backward_hook",
        "_modules", "_named_members", "_non_persistent_buffers_set", "_parameters",
        "_register_load_state_dict_pre_hook", "_register_state_dict_hook", "_replicate_for_data_parallel",
        "_save_to_state_dict", "_slow_forward", "_state_dict_hooks", "_state_dict_pre_hooks", "_version",
        "_wrapped_call_impl", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children",
        "clear", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward",
        "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "items", "keys",
        "load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules",
        "named_parameters", "parameters", "pop", "register_backward_hook", "register_buffer",
        "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
        "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook", "register_module", "register_parameter",
        "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "set_extra_state",
        "set_submodule", "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "update",
        "values", "xpu", "zero_grad"
    }
)
# fmt: on
# The weights of a loss, and their form.
_WEIGHTS = {
    "class_weights": "one for each label",
    "pos_weight": "one number for a binary task, or one for each label of a multi-label task",
}
METRIC_PREFIXES = ("eval_", "test_", "train_")  # the Trainer distinguishes its metrics by these


def task_name_problem(name: str) -> str | None:
    """Return why a name cannot name a task, with an alternative, or `None` if it can.

    Heads are attributes of a module, and names are parts of metrics and columns. So a name must be a Python identifier
    that is not an attribute of every module.
    """
    if name in RESERVED_TASK_NAMES:
        reason = "it is a reserved name"
    elif name.startswith(METRIC_PREFIXES):
        reason = f"metric names begin with {', '.join(METRIC_PREFIXES)}"
    elif keyword.iskeyword(name):
        reason = "it is a Python keyword"
    elif name in MODULE_ATTRIBUTES:
        reason = "it is an attribute of nn.ModuleDict"
    elif not name.isidentifier():
        reason = "only letters, digits and _ are allowed, and the first must not be a digit"
    else:
        return None
    return f"{name!r} cannot name a task ({reason}); try {_free_task_name(name)!r}"


def new_task_name_problem(name: str) -> str | None:
    """Return why a name cannot name a task of a recipe or a table, or `None` if it can.

    In addition to `task_name_problem`, it refuses the names of other columns, which older models may have.
    """
    if name in RESERVED_COLUMNS:
        return f"{name!r} cannot name a task (it is the name of another column); try {f'{name}_'!r}"
    return task_name_problem(name)


def task_list_problem(names: list[str]) -> str | None:
    """Return why these task names cannot be in one model, or `None` if they can."""
    if not names:
        return "a multi-task model needs at least one task; none is given"
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        return f"task names must differ; given more than once: {', '.join(map(repr, doubled))}"
    # `predict` writes the columns `<task>` and `<task>_score`.
    if clashing := [name for name in names if f"{name}_score" in names]:
        return f"tasks {clashing[0]!r} and '{clashing[0]}_score' would write the same column; rename one"
    return None


def task_labels_problem(problem_type: str, labels: list[str] | None, num_labels: int | None) -> str | None:
    """Return why these labels do not fit this problem type, or `None` if they do."""
    facts = PROBLEM_TYPES[problem_type]
    if facts.is_number:
        return f"a {problem_type} task has no labels" if labels is not None or num_labels not in (None, 1) else None
    if labels is None:
        return f"{problem_type} needs its labels (or num_labels)"
    if num_labels is not None and num_labels != len(labels):
        return f"num_labels is {num_labels}, but {len(labels)} labels are given"
    if doubled := sorted({label for label in labels if labels.count(label) > 1}):
        return f"labels must differ; given more than once: {', '.join(map(repr, doubled))}"
    if "" in labels:
        return "a label is empty; an empty cell means that the label is missing"
    return _label_count_problem(facts, labels)


def task_given_problem(task: dict[str, Any], before: dict[str, dict[str, Any]]) -> tuple[str, str] | None:
    """Return the invalid setting of a task's `given` and the reason, or `None` if there is none.

    Args:
        task: The settings by name. Missing and malformed ones are not checked.
        before: The settings of the tasks that come before it, by name.
    """
    given = task.get("given")
    if not isinstance(given, dict) or not isinstance(given.get("task"), str):
        return None
    name = given["task"]
    if name not in before:
        names = ", ".join(map(repr, before)) or "none"
        return "task", f"is {name!r}, which is none of the tasks before it ({names}){nearest_hint(name, list(before))}"
    facts = PROBLEM_TYPES.get(str(before[name].get("problem_type")))
    if facts is not None and not facts.one_label:
        return "task", f"is {name!r}, a {facts.name}; a condition needs one label for each row"
    return _given_kind_problem(task) or _given_labels_problem(task, before[name].get("labels"))


def task_loss_problem(task: dict[str, Any]) -> tuple[str, str] | None:
    """Return the setting of a task's loss, metric or decision that does not fit its problem type, and the reason.

    Returns `None` if all settings fit.

    Args:
        task: The settings by name. Missing ones, and weights that are not lists of numbers, are not checked.
    """
    facts = PROBLEM_TYPES[task["problem_type"]]
    for name, allowed in (("loss", facts.losses), ("metric", facts.metric_names)):
        if (given := task.get(name)) is not None and given not in allowed:
            return name, f"is {given!r}; {facts.name} has {' and '.join(allowed)}{nearest_hint(given, allowed)}"
    if task.get("label_smoothing") and not facts.smoothed:
        return "label_smoothing", f"is for classification; this is {facts.name}"
    if task.get("transform") is not None and not facts.is_number:
        return "transform", f"is for regression; this is {facts.name}"
    if task.get("decision") is not None and not facts.ordered:
        return "decision", f"is for ordinal_regression; this is {facts.name}"
    return _weights_problem(facts, task)


def _weights_problem(facts: ProblemType, task: dict[str, Any]) -> tuple[str, str] | None:
    labels = task.get("labels")
    for name, meaning in _WEIGHTS.items():
        numbers, count = task.get(name), _weight_count(facts, name, labels)
        if numbers is not None and count is None:
            fitting = [each.name for each in PROBLEM_TYPES.values() if _weight_count(each, name, labels) is not None]
            return name, f"is for {' and '.join(fitting)}; this is {facts.name}"
        if isinstance(numbers, list) and count and not _are_weights(numbers, count):
            several = "s" if count > 1 else ""
            return name, f"is {numbers}; it must be {count} non-negative number{several}: {meaning}"
    return None


def _weight_count(facts: ProblemType, name: str, labels: Any) -> int | None:
    """Return the number of weights, 0 if the labels are not known yet, or `None` if the type has no such weights."""
    each_label = len(labels) if isinstance(labels, list) else 0
    if name == "class_weights":
        return each_label if facts.class_weights else None
    return {"none": None, "one": 1, "each label": each_label}[facts.pos_weights]


def _are_weights(numbers: list[Any], count: int) -> bool:
    if not all(isinstance(each, int | float) for each in numbers):
        return True  # values that are not numbers are reported elsewhere
    return len(numbers) == count and all(each >= 0 for each in numbers)


def _given_kind_problem(task: dict[str, Any]) -> tuple[str, str] | None:
    given, facts = task["given"], PROBLEM_TYPES.get(str(task.get("problem_type")))
    if given.get("labels") is not None and given.get("parents") is not None:
        return "labels", "is set together with parents; set only one of them"
    if facts is None or facts.has_parents:
        return None
    fitting = " and ".join(each.name for each in PROBLEM_TYPES.values() if each.has_parents)
    if given.get("parents") is not None:
        return "parents", f"is for {fitting}; this is {facts.name}"
    if given.get("labels") is None:
        return "labels", f"are missing; only {fitting} reads parents from the training rows, and this is {facts.name}"
    return None


def _given_labels_problem(task: dict[str, Any], above: Any) -> tuple[str, str] | None:
    """Return the invalid setting of a `given` and the reason, or `None`.

    Args:
        task: The settings by name.
        above: The labels of the task that it depends on.
    """
    given, own = task["given"], task.get("labels")
    parents = given["parents"] if isinstance(given.get("parents"), dict) else {}
    word = "parents" if parents else "labels"
    named = given["labels"] if isinstance(given.get("labels"), list) else list(parents.values())
    if isinstance(above, list) and (unknown := [each for each in named if each not in above]):
        return word, f"{unknown[0]!r} is not a label of {given['task']!r}{nearest_hint(unknown[0], above)}"
    if not parents or not isinstance(own, list):
        return None
    if strange := [each for each in parents if each not in own]:
        return word, f"{strange[0]!r} is not a label of the task{nearest_hint(strange[0], own)}"
    if left_out := [each for each in own if each not in parents]:
        return word, f"must name each label of the task; {left_out[0]!r} is missing"
    return None


def _label_count_problem(facts: ProblemType, labels: list[str]) -> str | None:
    if facts.most_labels is not None and len(labels) != facts.most_labels:
        return f"{facts.name} has exactly {facts.most_labels} labels (negative first); given: {labels}"
    if len(labels) < facts.fewest_labels:
        return f"{facts.name} needs at least {facts.fewest_labels} labels; given: {labels}"
    return None


def _free_task_name(name: str) -> str:
    words = re.sub(r"\W+", "_", name).strip("_") or "task"
    candidates = (words, f"{words}_", f"task_{words}")
    return next(candidate for candidate in candidates if _is_free(candidate))


def _is_free(name: str) -> bool:
    taken = name in RESERVED_TASK_NAMES or name.startswith(METRIC_PREFIXES) or name in MODULE_ATTRIBUTES
    return name.isidentifier() and not taken and not keyword.iskeyword(name)
