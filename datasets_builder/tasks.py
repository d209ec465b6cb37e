"""Find the labels of each task: given in the task, named by a table, or inferred from the cells.

Inferred labels are checked for several spellings of one label, positions instead of labels, and fractions.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from datasets_builder.cell_words import unicode_form
from datasets_builder.findings import Findings
from datasets_builder.labels import NUMBER, occurring_words
from datasets_builder.places import Place
from datasets_builder.source import LabelColumn
from datasets_builder.sources import OpenSource
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES
from modeling_multitask.task_problems_multitask import task_labels_problem, task_list_problem
from modeling_multitask.tasks_multitask import TaskConfig, parse_task

# Settings of a task that only concern the tables and not the model. A `trained` task needs no labels in any table.
TABLE_SETTINGS = ("names", "aliases", "missing", "none", "blank", "trained")


def resolve_tasks(tasks: list[dict[str, Any]], sources: list[OpenSource]) -> list[TaskConfig]:
    """Return the tasks with their labels.

    The labels are those given in the task, otherwise those that the sources name, otherwise the sorted labels in the
    cells.

    Args:
        tasks: Dicts with the settings of a `TaskConfig`, and with `aliases`, `missing`, `none` and `blank` for all
            sources. A task that is already `trained` has its labels given, and needs labels in no source.
        sources: The sources of the training rows.

    Raises:
        DataError: If a task has labels in no source, the sources disagree, or the labels found do not fit the problem
            type. All problems are reported together.
        ValueError: If the settings of a task are not allowed.
    """
    if (problem := task_list_problem([task["name"] for task in tasks])) is not None:
        raise ValueError(problem)
    resolved, problems = [], []
    for task in tasks:
        settings = {name: value for name, value in task.items() if name not in TABLE_SETTINGS}
        named_by = [each for each in sources if task["name"] in each.source.label_columns]
        try:
            labels = _labels(settings, named_by) if named_by or not task.get("trained") else None
        except DataError as error:
            problems.append(str(error))
        else:
            resolved.append(parse_task(settings | ({} if labels is None else {"labels": labels})))
    if problems:
        raise DataError("\n".join(problems))
    return resolved


def _labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str] | None:
    """Return the labels to give to a task, or `None` if it already has them or needs none."""
    name, problem_type = task["name"], task["problem_type"]
    if problem_type not in PROBLEM_TYPES:
        allowed = ", ".join(PROBLEM_TYPES)
        raise ValueError(f"task {name!r}: problem_type is {problem_type!r}; it must be one of {allowed}")
    if not sources:
        raise DataError(f"task {name!r}: no source of training rows has a column for it")
    if tells_its_labels(task):
        return None
    labels = _named_labels(task, sources)
    if labels is None and PROBLEM_TYPES[problem_type].ordered:
        raise ValueError(f"task {name!r}: {problem_type} needs its labels in order, the lowest first")
    labels = _occurring_labels(task, sources) if labels is None else labels
    if (problem := task_labels_problem(problem_type, labels, None)) is not None:
        where = ", ".join(f"column {_columns(each, name)} of {each.source.name}" for each in sources)
        raise DataError(f"task {name!r}, from {where}: {problem}")
    return labels


def tells_its_labels(task: dict[str, Any]) -> bool:
    """Return whether a task needs no table to find its labels: they are given, or it is a regression without labels."""
    return bool(PROBLEM_TYPES[task["problem_type"]].is_number or task.get("labels") or task.get("num_labels"))


def _columns(source: OpenSource, task: str) -> str:
    return " and ".join(map(repr, source.source.label_columns[task].names))


def _named_labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str] | None:
    """Return the class names of the sources' `ClassLabel`, or `None` without one. All sources must use them."""
    named: list[tuple[str, list[str]]] = []
    for each in sources:
        column = each.source.label_columns[task["name"]]
        for table in each.tables:
            names = table.class_names(column.names[0]) if column.labels is None else None
            if names is not None:
                named.append((table.name, [column.aliases.get(name, name) for name in names]))
    if not named:
        return None
    first = named[0][1]
    if any(names != first for _, names in named):
        lists = "; ".join(f"{table} names {', '.join(map(repr, names))}" for table, names in named)
        raise DataError(
            f"task {task['name']!r}: its labels have different names in the sources; list them in the task ({lists})"
        )
    return list(dict.fromkeys(first))


def _occurring_labels(task: dict[str, Any], sources: list[OpenSource]) -> list[str]:
    where: dict[str, str] = {}  # the table in which each label was seen first
    findings = Findings()
    for each in sources:
        column = each.source.label_columns[task["name"]]
        for table in each.tables:
            if table.advice:
                findings.advise(table.name, table.advice)
            for rows in table.read_rows(column.names):
                place = Place(table.name, findings, rows.numbers, rows.votes)
                for word in occurring_words(rows.chunk, column, task["problem_type"], place):
                    where.setdefault(word, table.name)
    findings.check()
    _check_spellings(task["name"], where)
    _check_whole(task["name"], where)
    columns = [each.source.label_columns[task["name"]] for each in sources]
    _check_marks(task["name"], where, columns)
    if any(column.labels is not None for column in columns):
        return list(where)  # in their given order
    if PROBLEM_TYPES[task["problem_type"]].several_labels:
        _check_no_positions(task["name"], where)
    return sorted_labels(where)


def _check_spellings(task: str, where: dict[str, str]) -> None:
    alike = defaultdict(list)
    for word in sorted(where):
        alike[folded(word)].append(word)
    if several := [words for words in alike.values() if len(words) > 1]:
        shown = [[f"{word!r} ({_place(word, words, where)})" for word in words] for words in several]
        pairs = "; ".join(map(" and ".join, shown))
        raise DataError(
            f"task {task!r}: these look like several spellings of one label: {pairs}; set the task's aliases "
            "({spelling: label}), or list its labels"
        )


def _check_marks(task: str, where: dict[str, str], columns: list[LabelColumn]) -> None:
    """Check that no label looks like a word for a missing label, for the empty set, or for another label."""
    aliases = {folded(str(alias)): f"the alias {alias!r}" for column in columns for alias in column.aliases}
    marks = {
        folded(str(mark)): f"{mark!r} in `{name}`"
        for column in columns
        for name in ("missing", "none")
        for mark in getattr(column, name)
    }
    targets = {str(label) for column in columns for label in column.aliases.values()}
    for word, table in where.items():
        alike = (aliases | marks).get(folded(word))
        if alike is not None and word not in targets:
            raise DataError(
                f"task {task!r}: the label {word!r} ({table}) looks like {alike}; add this spelling there too, or list "
                "the task's labels"
            )


def _place(word: str, words: list[str], where: dict[str, str]) -> str:
    """Return the table of a spelling, and its Unicode form if another spelling looks the same."""
    composed = [unicodedata.normalize("NFC", each) for each in words]
    looks_the_same = composed.count(unicodedata.normalize("NFC", word)) > 1
    return f"Unicode {unicode_form(word) or 'mixed'}, {where[word]}" if looks_the_same else where[word]


def folded(word: str) -> str:
    """Return a form that is equal for words that differ only in case, spaces, letter forms or number format."""
    if re.fullmatch(r"\s*[+-]?\d{16,}\s*", word):  # more digits than a float can distinguish
        return word.strip()
    if re.fullmatch(NUMBER, word):
        return str(float(word))
    visible = (letter for letter in unicodedata.normalize("NFKC", word) if unicodedata.category(letter) != "Cf")
    return " ".join("".join(visible).split()).casefold()


def _check_no_positions(task: str, where: dict[str, str]) -> None:
    if where and (where.keys() <= {"0", "1"} or where.keys() <= {"false", "true"}):
        table = next(iter(where.values()))
        raise DataError(
            f"task {task!r}: the lists in {table} contain only {' and '.join(sorted(where))}, which name no label; "
            "list the labels of the task in their order"
        )


def _check_whole(task: str, where: dict[str, str]) -> None:
    numbers = [word for word in where if re.fullmatch(NUMBER, word) or word in ("inf", "-inf")]
    fractions = [word for word in numbers if not float(word).is_integer()]
    if fractions and len(numbers) == len(where):
        raise DataError(
            f"task {task!r}: its labels are numbers with fractions, such as {fractions[0]!r} ({where[fractions[0]]}); "
            "for a regression, set problem_type: regression; otherwise list its labels"
        )


def sorted_labels(words: Collection[str]) -> list[str]:
    """Return labels in the order of their ids: by value if all of them are numbers."""
    return sorted(words, key=float if all(re.fullmatch(NUMBER, word) for word in words) else str)
