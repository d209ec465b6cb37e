"""How lists of numbers in a multi-label column are written: as ids of labels, or as zeros and ones (multi-hot).

A list of numbers can be both only if it has one entry for each label, without repeats: `[0, 1]` of two labels. Floats
and truth values are always zeros and ones, as in the multi-label heads of transformers.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

ListForm = Literal["ids", "multi_hot"]

MISSING_ENTRIES = (-1, -100)  # in a list of zeros and ones, in addition to null and NaN


def list_form(lists: Iterable[Any], labels: Sequence[str]) -> ListForm | None:
    """Return how a column's lists of numbers are written. The first list that can be only one of both decides.

    Args:
        lists: The cells of the column. Only lists of numbers count.
        labels: The labels of the task.

    Returns:
        `None` if there is no list of numbers.

    Raises:
        ValueError: If there are lists of numbers, and each may be both.
    """
    unclear = None
    for each in lists:
        values = plain_list(each)
        if values is None or any(isinstance(value, str) for value in values):
            continue
        if (form := _form(values, len(labels))) is not None:
            return form
        unclear = unclear or values
    if unclear is None:
        return None
    names = list(labels[:2])
    raise ValueError(
        f"{unclear} may be ids of labels, or zeros and ones; write names of labels, such as {names}, or zeros and ones "
        f"as floats, such as {[float(value) for value in unclear]}"
    )


def plain_list(given: Any) -> list[Any] | None:
    """Return a list, a tuple, a set, an array or a tensor as a list of plain values, and `None` for anything else."""
    if hasattr(given, "tolist"):
        given = given.tolist()
    if not isinstance(given, list | tuple | set | frozenset):
        return None
    return [value.item() if hasattr(value, "item") else value for value in given]


def _form(values: list[Any], count: int) -> ListForm | None:
    """Return the only form that a list of numbers can have, or `None` if it can be both."""
    if any(value is None or isinstance(value, bool | float) or value in MISSING_ENTRIES for value in values):
        return "multi_hot"
    if len(values) != count or max(values, default=0) > 1:
        return "ids"
    return "multi_hot" if len(set(values)) < len(values) else None
