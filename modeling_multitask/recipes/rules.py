"""The rules that connect several words of a recipe.

The rules read the written recipe without malformed values, so that contradictions and misspelt words are reported
together. Every value has the type of its word. Any word may be missing.
"""

from typing import Any

from datasets_builder.addresses import is_address
from datasets_builder.formats import names_table

from ..problem_types_multitask import PROBLEM_TYPES, ProblemType
from ..task_problems_multitask import (
    new_task_name_problem,
    task_given_problem,
    task_labels_problem,
    task_list_problem,
    task_loss_problem,
)
from ..training.metric_names import evaluated_metrics
from ..training.parts import part_problem
from ..training.phases import parse_phase, phase_problems
from ..words_multitask import nearest_hint
from .label_text_rules import label_text_problems
from .teacher_rules import learns_without_labels, teacher_problems

Content = dict[str, Any]


def rule_problems(content: Content) -> list[str]:
    """Return the contradictions between words, each with its location."""
    tasks = _tables(content.get("tasks"))
    data = _table(content.get("data"))
    return [
        *_model_problems(content),
        *_task_problems(tasks, content),
        *_given_problems(tasks, content),
        *_source_problems(tasks, data, afresh=not content.get("start_from")),
        *_split_problems(data),
        *_streaming_problems(tasks, content),
        *teacher_problems(tasks, streamed=data.get("streaming") is True),
        *label_text_problems(tasks, streamed=data.get("streaming") is True),
        *_training_problems(tasks, content),
        *_phase_problems(tasks, content),
        *_calibration_problems(tasks, content),
    ]


def may_validate(data: Content) -> bool:
    """Return whether the recipe's `data` may have validation rows, as far as its words tell.

    A single source that is a data set on the Hub may contain a validation split.
    """
    if data.get("validation") or _table(data.get("split")).get("validation"):
        return True
    train = data.get("train")
    source = train[0] if isinstance(train, list) and len(train) == 1 else train
    path = source.get("path") if isinstance(source, dict) else source
    return isinstance(path, str) and not (names_table(path) or is_address(path))


def _model_problems(content: Content) -> list[str]:
    problems = []
    if not content.get("backbone") and not content.get("start_from"):
        problems.append("backbone: is missing; name an encoder, or a trained model with start_from")
    if content.get("rename_labels") and not content.get("start_from"):
        problems.append("rename_labels: needs start_from, the trained model whose labels are renamed")
    if content.get("prompt_name") is not None and content.get("prompt") is not None:
        problems.append("prompt: cannot be combined with prompt_name; leave one out")
    lora = {name: value for name, value in _table(content.get("lora")).items() if name != "keep_adapter"}
    if lora:
        from ..training.lora import lora_problem  # noqa: PLC0415, peft and torch take seconds to import

        if (problem := lora_problem(lora)) is not None:
            problems.append(f"lora.{problem}")
    keep = _table(content.get("lora")).get("keep_adapter", False)
    if not isinstance(keep, bool):
        problems.append(f"lora.keep_adapter: is {keep!r}; it must be true or false")
    return problems


def _task_problems(tasks: list[Content], content: Content) -> list[str]:
    problems = []
    names = [task["name"] for task in tasks if isinstance(task.get("name"), str)]
    none_given = content.get("tasks") == []
    if (names or none_given) and (problem := task_list_problem(names)) is not None:
        problems.append(f"tasks: {problem}")
    for i, task in enumerate(tasks):
        if "name" in task and (problem := new_task_name_problem(task["name"])) is not None:
            problems.append(f"tasks[{i}].name: {problem}")
        facts, labels = _facts(task.get("problem_type")), task.get("labels")
        if facts is None:
            continue
        if (loss_problem := task_loss_problem(task)) is not None:
            problems.append(f"tasks[{i}].{loss_problem[0]}: {loss_problem[1]}")
        if facts.ordered and labels is None:
            problems.append(f"tasks[{i}].labels: {facts.name} requires its labels in order, the lowest first")
        if labels is not None and (problem := task_labels_problem(facts.name, labels, None)) is not None:
            problems.append(f"tasks[{i}].labels: {problem}")
    return problems


def _given_problems(tasks: list[Content], content: Content) -> list[str]:
    """Return the problems of tasks that depend on other tasks."""
    problems = []
    streamed = _table(content.get("data")).get("streaming") is True
    for i, task in enumerate(tasks):
        before = {str(each.get("name")): each for each in tasks[:i]}
        if (problem := task_given_problem(task, before)) is not None:
            problems.append(f"tasks[{i}].given.{problem[0]}: {problem[1]}")
            continue
        given = _table(task.get("given"))
        if streamed and given and not (given.get("labels") or given.get("parents")):
            problems.append(f"tasks[{i}].given: parents cannot be read from streamed rows; write them in the recipe")
    return problems


def _source_problems(tasks: list[Content], data: Content, *, afresh: bool) -> list[str]:
    """Return the problems of the sources' labels. With `afresh`, every task needs a source with its labels."""
    kinds = {task["name"]: task.get("problem_type") for task in tasks if "name" in task}
    if not kinds:
        return []
    problems = []
    for split in ("train", "validation", "test"):
        for i, source in enumerate(_tables(data.get(split))):
            where = f"data.{split}[{i}].labels"
            for name, columns in _table(source.get("labels")).items():
                if name not in kinds:
                    problems.append(f"{where}.{name}: no such task{nearest_hint(name, list(kinds))}")
                elif isinstance(columns, list) and (facts := _facts(kinds[name])) and not facts.several_labels:
                    problems.append(f"{where}.{name}: is {columns}; it must be one column for {kinds[name]}")
    # A source without `labels` has the labels of every task whose name is one of its columns.
    train = _tables(data.get("train"))
    if afresh and train and all(isinstance(source.get("labels"), dict) for source in train):
        trained = {name for source in train for name in source["labels"]}
        trained |= {task["name"] for task in tasks if "name" in task and learns_without_labels(task)}
        problems += [f"data.train: no source has labels for the task {name!r}" for name in kinds if name not in trained]
    return problems


def _streaming_problems(tasks: list[Content], content: Content) -> list[str]:
    data, training = _table(content.get("data")), _table(content.get("training"))
    if data.get("streaming") is not True:
        return []
    problems = []
    if not training.get("max_steps"):
        problems.append("training.max_steps: is missing; with data.streaming the number of rows is unknown")
    for name in ("split", "hide_labels"):
        given = {word for word, value in _table(data.get(name)).items() if value is not None} - {"seed"}
        if given:
            problems.append(f"data.{name}: streamed rows cannot be split, nor their labels hidden; use separate files")
    problems += [
        f"{name}: needs the {what} of every row before training, and rows are streamed"
        for name, what in (("tokens_per_batch", "length"), ("keep_embedding", "embedding"))
        if content.get(name) is not None
    ]
    if _table(content.get("sampling")).get("strategy", "concatenated") != "concatenated":
        problems.append("sampling.strategy: streamed rows are read in their own order; leave sampling.strategy out")
    for i, task in enumerate(tasks):
        problems += [
            f"tasks[{i}].{name}: balanced weights cannot be computed from streamed rows; give numbers"
            for name in ("class_weights", "pos_weight")
            if task.get(name) == "balanced"
        ]
    return problems


def _split_problems(data: Content) -> list[str]:
    split = _table(data.get("split"))
    shares = {name: split[name] for name in ("validation", "test") if isinstance(split.get(name), int | float)}
    problems = [
        f"data.split.{name}: holds out training rows, but data.{name} has a source; give only one of the two"
        for name in shares
        if data.get(name)
    ]
    if split.get("folds") and data.get("test"):
        problems.append(
            "data.test: is set together with data.split.folds, where each fold is the test split once; "
            "leave data.test out, or add its table to data.train"
        )
    if sum(shares.values()) >= 1:
        problems.append(f"data.split: {' + '.join(map(str, shares.values()))} leaves no training rows")
    return problems


def _training_problems(tasks: list[Content], content: Content) -> list[str]:
    problems, names = [], [str(task.get("name")) for task in tasks]
    training, sampling = _table(content.get("training")), _table(content.get("sampling"))
    budget = content.get("tokens_per_batch")
    if budget is not None and "per_device_train_batch_size" in training:
        problems.append("tokens_per_batch: cannot be combined with training.per_device_train_batch_size; leave one out")
    if budget is not None and sampling.get("strategy", "concatenated") != "concatenated":
        what = f"{sampling['strategy']!r} cannot be combined with tokens_per_batch"
        problems.append(f"sampling.strategy: {what}; leave one out")
    if isinstance(sampling.get("task"), str) and sampling["task"] not in names:
        problems.append(f"sampling.task: no such task{nearest_hint(sampling['task'], names)}")
    if content.get("phases") and content.get("freeze") not in (None, "none"):
        problems.append("freeze: cannot be combined with phases; use the freeze of each phase")
    if content.get("average") and content.get("freeze") in ("everything", ["everything"]):
        problems.append("average: nothing trains with freeze 'everything'; leave one of them out")
    return problems


def _calibration_problems(tasks: list[Content], content: Content) -> list[str]:
    data = _table(content.get("data"))
    problems = [
        f"tasks[{i}].abstain: needs a task with one label per row; this task is {facts.name}"
        for i, task in enumerate(tasks)
        if task.get("abstain") and (facts := _facts(task.get("problem_type"))) and not facts.one_label
    ]
    fitting = " and ".join(each.name for each in PROBLEM_TYPES.values() if each.has_energy)
    problems += [
        f"tasks[{i}].abstain.by: energy is for {fitting}; this task is {facts.name}"
        for i, task in enumerate(tasks)
        if _table(task.get("abstain")).get("by") == "energy"
        and (facts := _facts(task.get("problem_type")))
        and facts.one_label
        and not facts.has_energy
    ]
    if may_validate(data):
        return problems
    asking = ["calibrate"] if content.get("calibrate") else []
    asking += [f"tasks[{i}].abstain" for i, task in enumerate(tasks) if task.get("abstain")]
    return problems + [no_validation_problem(place) for place in asking]


def no_validation_problem(place: str) -> str:
    """Return the problem of a word that needs validation rows in a recipe without them."""
    advice = "add data.validation or data.split.validation, or leave it out"
    return f"{place}: needs validation rows, and there are none; {advice}"


def _phase_problems(tasks: list[Content], content: Content) -> list[str]:
    """Return the problems of `freeze` and of the phases together."""
    names = [str(task.get("name")) for task in tasks]
    frozen = content.get("freeze", "none")
    parts = [frozen] if isinstance(frozen, str) else frozen if isinstance(frozen, list) else []
    found = [part_problem(str(part), names) for part in parts if part != "none"]
    problems = [f"freeze: {problem}" for problem in found if problem is not None]
    given = content.get("phases")
    if given is not None and not _tables(given):
        return [*problems, "phases: must be a list with at least one phase"]
    try:
        phases = [parse_phase(phase) for phase in _tables(given)]
    except ValueError:
        return problems  # already reported with its location
    data, training = _table(content.get("data")), _table(content.get("training"))
    kinds = [(name, str(task.get("problem_type"))) for name, task in zip(names, tasks, strict=True)]
    metrics = evaluated_metrics(kinds) if may_validate(data) and training.get("eval_strategy") != "no" else []
    return problems + phase_problems(phases, names, metrics)


def _facts(problem_type: Any) -> ProblemType | None:
    return PROBLEM_TYPES.get(problem_type) if isinstance(problem_type, str) else None


def _table(given: Any) -> Content:
    return given if isinstance(given, dict) else {}


def _tables(given: Any) -> list[Content]:
    """Return one table or a list of tables as a list. A string is the path of a source."""
    listed = given if isinstance(given, list) else [] if given is None else [given]
    return [{"path": each} if isinstance(each, str) else _table(each) for each in listed]
