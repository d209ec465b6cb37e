"""The labels of a multi-label task as they may be given from Python.

Shapes: C labels of one task.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, takewhile
from typing import Any

from datasets import Dataset, LargeList, List

from datasets_builder.label_lists import ListForm, list_form, plain_list

from ..kinds_multitask import MISSING_IDS
from ..tasks_multitask import TaskConfig
from ..texts_multitask import is_null, plain_rows, plain_value
from ..words_multitask import nearest_hint

SEPARATORS = (";", ",", "|")  # between names in one text
MOST_STREAMED = 10_000  # rows of a stream that are read to know how its lists are written


def label_entries(given: Any, labels: list[str], form: ListForm | None) -> list[Any]:
    """Return 1, 0 or a missing value for each label, (C,).

    Args:
        given: A list of names, ids, or zeros and ones; a text with separated names; or a dict by name.
        labels: The labels of the task.
        form: How lists of numbers are written.

    Raises:
        ValueError: If a name or id is not one of the labels, or the list has a wrong length.
    """
    if isinstance(given, Mapping):
        _check_names(given, labels)
        return [plain_value(given.get(label)) for label in labels]
    if isinstance(given, str):
        return _names(_separated(given, labels), labels) if given.strip() else [None] * len(labels)
    values = plain_list(given)
    if values is None:
        raise ValueError(f"{given!r} is not a list of labels, a text with separated labels, or a dict by label")
    if not values or any(isinstance(value, str) for value in values):
        return _names(values, labels)
    return _ids(values, labels) if form == "ids" else _multi_hot(values, labels)


def forms_of(
    rows: Sequence[Mapping[str, Any]], tasks: list[TaskConfig], known: Mapping[str, ListForm]
) -> dict[str, ListForm | None]:
    """Return how the lists of numbers of each multi-label task are written in these rows.

    Args:
        rows: The rows.
        tasks: The model's tasks.
        known: The forms that are known already, by task name.

    Raises:
        ValueError: If the lists of numbers of a task may be ids or zeros and ones.
    """
    several = [task for task in tasks if task.kind.several_labels]
    return {task.name: known.get(task.name) or _form((row.get(task.name) for row in rows), task) for task in several}


def forms_of_columns(
    tables: Iterable[Any], tasks: list[TaskConfig], known: Mapping[str, ListForm]
) -> dict[str, ListForm]:
    """Return how the lists of numbers in the columns of multi-label tasks are written, by task name.

    Args:
        tables: The tables of a run, or dicts of them. Tables that are not a `datasets.Dataset` are read row by row, up
            to the first row that decides: of a stream, at most the first 10,000 rows.
        tasks: The model's tasks.
        known: The forms that are known already, by task name.

    Raises:
        ValueError: If all lists of numbers of a task may be ids or zeros and ones.
    """
    each = chain.from_iterable(given.values() if isinstance(given, dict) else [given] for given in tables)
    given = [table.with_format(None) if isinstance(table, Dataset) else plain_rows(table) for table in each]
    forms = dict(known)
    for task in [each for each in tasks if each.kind.several_labels and each.name not in known]:
        if (form := _form(chain.from_iterable(_cells(table, task.name) for table in given), task)) is not None:
            forms[task.name] = form
    return forms


def _cells(table: Any, name: str) -> Iterable[Any]:
    """Return the labels of a multi-label task in a table, as far as they can be lists of numbers."""
    if isinstance(table, Dataset):
        return table[name] if isinstance(table.features.get(name), List | LargeList) else ()
    if isinstance(table, Iterable) and not isinstance(table, str):
        rows: Iterable[Any] = islice(table, MOST_STREAMED)
    elif hasattr(table, "__len__") and hasattr(table, "__getitem__"):
        rows = (table[i] for i in range(len(table)))
    else:
        return ()
    cells = (row.get(name) for row in rows if isinstance(row, Mapping))
    return takewhile(lambda cell: not isinstance(cell, str | Mapping) and not _has_names(cell), cells)


def _has_names(cell: Any) -> bool:
    return any(isinstance(value, str) for value in plain_list(cell) or ())


def _form(cells: Iterable[Any], task: TaskConfig) -> ListForm | None:
    try:
        return list_form(cells, task.labels or [])
    except ValueError as error:
        raise ValueError(f"task {task.name!r}: {error}") from None


def _check_names(names: Iterable[Any], labels: list[str]) -> None:
    if unknown := [name for name in names if name not in labels]:
        raise ValueError(f"{unknown[0]!r} is not one of its labels {labels}{nearest_hint(unknown[0], labels)}")


def _separated(text: str, labels: list[str]) -> list[str]:
    """Return the names in a text. A text that is a label is one name."""
    if text in labels:
        return [text]
    splits = [[part.strip() for part in text.split(separator) if part.strip()] for separator in SEPARATORS]
    fitting = [parts for parts in splits if parts and all(part in labels for part in parts)]
    return fitting[0] if fitting else [] if [] in splits else max(splits, key=len)


def _names(names: list[Any], labels: list[str]) -> list[int]:
    _check_names(names, labels)
    return [int(label in names) for label in labels]


def _ids(ids: list[Any], labels: list[str]) -> list[int]:
    for place, each in enumerate(ids):
        if isinstance(each, bool) or not isinstance(each, int) or not 0 <= each < len(labels):
            raise ValueError(f"{each!r} is not one of its class ids 0 to {len(labels) - 1}, in the list {ids}")
        if each in ids[:place]:
            raise ValueError(f"the class id {each} is twice in {ids}; other rows show that lists are class ids")
    return [int(i in ids) for i in range(len(labels))]


def _multi_hot(entries: list[Any], labels: list[str]) -> list[Any]:
    if len(entries) != len(labels):
        raise ValueError(f"{len(entries)} zeros and ones are given, but it has {len(labels)} labels: {entries}")
    for each in entries:
        if not (is_null(each) or each in (0, 1, *MISSING_IDS)):
            raise ValueError(f"{each!r} is neither 0 nor 1, in the list {entries}")
    return entries
