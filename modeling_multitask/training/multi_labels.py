"""The labels of a multi-label task as they may be given from Python.

Shapes: C labels of one task.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, takewhile
from typing import Any

import numpy as np
from datasets import Dataset, LargeList, List

from datasets_builder.label_lists import ListForm, list_form, plain_list

from ..kinds_multitask import IGNORE_INDEX, MISSING_IDS
from ..tasks_multitask import TaskConfig
from ..texts_multitask import is_null, plain_rows, plain_value
from ..words_multitask import nearest_hint

SEPARATORS = (";", ",", "|")  # between names in one text
MOST_LISTED = 20  # entries of a list in a message
MOST_STREAMED = 10_000  # rows of a stream that are read to know how its lists are written
_NUMBERS = {bool, int, float, type(None)}


def label_entries(given: Any, places: Mapping[str, int], form: ListForm | None) -> np.ndarray | list[Any]:
    """Return 1, 0 or -100 for each label, (C,), or a list of values that are not numbers, such as `"1"`.

    Args:
        given: A list of names, ids, or zeros and ones; a text with separated names; or a dict by name.
        places: The id of each label of the task, in order.
        form: How lists of numbers are written.

    Raises:
        ValueError: If a name or id is not one of the labels, or the list has a wrong length.
    """
    if isinstance(given, Mapping):
        return _of_mapping(given, places)
    if isinstance(given, str):
        return _names(_separated(given, places), places) if given.strip() else np.full(len(places), IGNORE_INDEX)
    values = plain_list(given)
    if values is None:
        raise ValueError(f"{given!r} is not a list of labels, a text with separated labels, or a dict by label")
    if not values or any(issubclass(each, str) for each in set(map(type, values))):
        return _names(values, places)
    return _ids(values, places) if form == "ids" else _multi_hot(values, places)


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


def _of_mapping(given: Mapping[str, Any], places: Mapping[str, int]) -> np.ndarray | list[Any]:
    _check_names(given, places)
    known = _numbers(list(given.values()))
    if known is None:
        return [plain_value(given.get(label)) for label in places]
    entries = np.full(len(places), IGNORE_INDEX)
    entries[list(map(places.__getitem__, given))] = known
    return entries


def _numbers(values: list[Any]) -> np.ndarray | None:
    """Return 1, 0 or -100 for each value. `None` if one of them is something else, or is not a number of Python."""
    if not set(map(type, values)) <= _NUMBERS:
        return None
    try:
        numbers = np.array(values, dtype=float)  # None becomes NaN
    except OverflowError:
        return None
    missing = np.isnan(numbers) | np.isin(numbers, MISSING_IDS)
    known = missing | (numbers == 0) | (numbers == 1)
    return np.where(missing, IGNORE_INDEX, numbers).astype(int) if known.all() else None


def _check_names(names: Iterable[Any], places: Mapping[str, int]) -> None:
    if unknown := [name for name in names if not isinstance(name, str) or name not in places]:
        hint = nearest_hint(unknown[0], list(places))
        raise ValueError(f"{unknown[0]!r} is not one of its labels {shortened(list(places))}{hint}")


def _separated(text: str, places: Mapping[str, int]) -> list[str]:
    """Return the names in a text. A text that is a label is one name."""
    if text in places:
        return [text]
    splits = [[part.strip() for part in text.split(separator) if part.strip()] for separator in SEPARATORS]
    fitting = [parts for parts in splits if parts and all(part in places for part in parts)]
    return fitting[0] if fitting else [] if [] in splits else max(splits, key=len)


def _names(names: list[Any], places: Mapping[str, int]) -> np.ndarray:
    _check_names(names, places)
    return _with(list(map(places.__getitem__, names)), len(places))


def _ids(ids: list[Any], places: Mapping[str, int]) -> np.ndarray:
    for place, each in enumerate(ids):
        if isinstance(each, bool) or not isinstance(each, int) or not 0 <= each < len(places):
            raise ValueError(
                f"{each!r} is not one of its class ids 0 to {len(places) - 1}, in the list {shortened(ids)}"
            )
        if each in ids[:place]:
            raise ValueError(
                f"the class id {each} is twice in {shortened(ids)}; other rows show that lists are class ids"
            )
    return _with(ids, len(places))


def _with(ids: list[int], count: int) -> np.ndarray:
    entries = np.zeros(count, dtype=int)
    entries[ids] = 1
    return entries


def _multi_hot(entries: list[Any], places: Mapping[str, int]) -> np.ndarray | list[Any]:
    if len(entries) != len(places):
        count = f"{len(entries)} zeros and ones are given, but it has {len(places)} labels"
        raise ValueError(f"{count}: {shortened(entries)}")
    if (known := _numbers(entries)) is not None:
        return known
    for each in entries:
        if not (is_null(each) or each in (0, 1, *MISSING_IDS)):
            raise ValueError(f"{each!r} is neither 0 nor 1, in the list {shortened(entries)}")
    return entries


def shortened(values: list[Any]) -> str:
    """Return a list as text, without the end of a long one."""
    if len(values) <= MOST_LISTED:
        return repr(values)
    return f"{repr(values[:MOST_LISTED])[:-1]}, and {len(values) - MOST_LISTED:,} more]"
