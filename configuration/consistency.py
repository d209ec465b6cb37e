"""Whether the parts of a recipe fit together.

This reads the recipe as it was written, part by part, so that what does not fit is reported together with what is
misspelt; a part that is malformed is left to the report of that.
"""

from typing import Any

from modeling_multitask.configuration_multitask import (
    PROBLEM_TYPES,
    nearest_hint,
    task_labels_problem,
    task_list_problem,
    task_loss_problem,
)

Content = dict[str, Any]


def consistency_problems(content: Content) -> list[str]:
    """What does not fit together, each problem with its place."""
    tasks = _tables(content.get("tasks"))
    data = _table(content.get("data"))
    return [*_task_problems(tasks, content), *_source_problems(tasks, data), *_split_problems(data)]


def _task_problems(tasks: list[Content], content: Content) -> list[str]:
    problems = []
    names = [task["name"] for task in tasks if isinstance(task.get("name"), str)]
    none_given = content.get("tasks") == []
    if (names or none_given) and (problem := task_list_problem(names)) is not None:
        problems.append(f"tasks: {problem}")
    for i, task in enumerate(tasks):
        kind, labels = task.get("problem_type"), task.get("labels")
        if kind not in PROBLEM_TYPES:
            continue
        if (loss_problem := task_loss_problem(task)) is not None:
            problems.append(f"tasks[{i}].{loss_problem[0]}: {loss_problem[1]}")
        if kind == "ordinal_regression" and labels is None:
            problems.append(f"tasks[{i}].labels: ordinal_regression needs its labels in order, the lowest first")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            continue
        if (problem := task_labels_problem(kind, labels, None)) is not None:
            problems.append(f"tasks[{i}].labels: {problem}")
    return problems


def _source_problems(tasks: list[Content], data: Content) -> list[str]:
    kinds = {task["name"]: task.get("problem_type") for task in tasks if isinstance(task.get("name"), str)}
    problems, trained = [], set()
    for split in ("train", "validation", "test"):
        for i, source in enumerate(_tables(data.get(split))):
            where = f"data.{split}[{i}].labels"
            for name, columns in source["labels"].items() if isinstance(source.get("labels"), dict) else ():
                trained |= {name} if split == "train" else set()
                if name not in kinds:
                    problems.append(f"{where}.{name}: no such task{nearest_hint(name, list(kinds))}")
                elif isinstance(columns, list) and kinds[name] != "multi_label_classification":
                    problems.append(f"{where}.{name}: {kinds[name]} has one column; given: {columns}")
                elif isinstance(columns, str) and kinds[name] == "multi_label_classification":
                    problems.append(f"{where}.{name}: give a list with one column for each label; given: {columns!r}")
    if _tables(data.get("train")):
        problems += [f"data.train: no source has labels for the task {name!r}" for name in kinds if name not in trained]
    return problems


def _split_problems(data: Content) -> list[str]:
    split = _table(data.get("split"))
    shares = {name: split[name] for name in ("validation", "test") if isinstance(split.get(name), int | float)}
    problems = [
        f"data.split.{name}: rows for {name} are taken from train, but data.{name} gives a file; say one of the two"
        for name in shares
        if data.get(name)
    ]
    if sum(shares.values()) >= 1:
        problems.append(f"data.split: {' + '.join(map(str, shares.values()))} leaves nothing to train on")
    return problems


def _table(given: Any) -> Content:
    return given if isinstance(given, dict) else {}


def _tables(given: Any) -> list[Content]:
    return [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
