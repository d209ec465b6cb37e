"""The answers of annotators to the tasks of an export, as one row for each task."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from datasets_builder.cell_words import cell_word
from datasets_builder.nested import value_at
from datasets_builder.object_tables import Objects
from modeling_multitask.errors import DataError

WAY_OUT = "export one annotation for each task, or add `votes: annotators`, as in {column: topic, votes: annotators}"


class AnsweredTask(NamedTuple):
    """A task, or one annotator's copy of it.

    Args:
        place: The file and the line, for messages.
        line: The line in the file.
        fields: The columns of the data.
        answers: For each annotation, the columns of its answers.
        task: Equal in all copies of a task; `None` if there is only one.
        annotator: Equal in all copies that one annotator answered.
    """

    place: str
    line: int
    fields: dict[str, Any]
    answers: list[dict[str, Any]]
    task: Any = None
    annotator: Any = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The columns of the data with the answers of each annotation, or alone if there is none."""
        return [self.fields | each for each in self.answers] or [self.fields]


def rows_of_one(answered: Iterable[AnsweredTask], annotators: dict[Any, Any]) -> Objects:
    """Yield the row of each task, which one annotator has answered.

    Args:
        answered: The tasks.
        annotators: The annotator of each task so far. It is added to.

    Raises:
        DataError: If several annotators answered a task.
    """
    for each in answered:
        names = [name for answer in each.answers for name in answer]
        other = each.task is not None and annotators.setdefault(str(each.task), each.annotator) != each.annotator
        if other or len(set(names)) < len(names):
            raise DataError(f"{each.place}: several annotators answered this task; {WAY_OUT}")
        row = dict(each.fields)
        for answer in each.answers:
            row |= answer
        yield each.line, row


def rows_with_votes(answered: Iterable[AnsweredTask], voted: Sequence[str], others: Sequence[str]) -> Objects:
    """Yield one row for each task, at the place of its first copy, with the list of all votes in the voted columns.

    Each annotation has one vote. All other columns have the value of the first annotation that has one.

    Args:
        answered: The tasks.
        voted: The columns of the votes.
        others: The other columns that are read.

    Raises:
        DataError: If annotators of a task differ in another column that is read, or a vote is no word.
    """
    tasks: dict[Any, list[AnsweredTask]] = {}
    for number, each in enumerate(answered):
        tasks.setdefault(number if each.task is None else str(each.task), []).append(each)
    for copies in tasks.values():
        rows = [row for each in copies for row in each.rows]
        yield copies[0].line, _together(rows, copies[0].place, voted, others)


def _together(rows: list[dict[str, Any]], place: str, voted: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    together: dict[str, Any] = {}
    for row in rows:
        together |= {name: value for name, value in row.items() if together.get(name) is None}
    for name in others:
        first, *more = [value for value in _values(rows, name) if value is not None] or [None]
        if any(value != first for value in more):
            raise DataError(f"{place}: several annotators answered this task, and differ in {name!r}; {WAY_OUT}")
    for name in voted:
        if values := _values(rows, name):
            together[name] = [word for value in values for word in _vote(value, name, place)]
    return together


def _values(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the values of a column, or at a path, in the rows that have it."""
    return [value for found, value in (value_at(row, name) for row in rows) if found]


def _vote(value: Any, name: str, place: str) -> list[str]:
    """Return the word of a vote as a list, or an empty list without a vote."""
    if isinstance(value, list) and len(value) <= 1:
        return _vote(value[0], name, place) if value else []
    if isinstance(value, list | dict):
        raise DataError(f"{place}, column {name!r}: {value!r} is the answer of one annotator, but a vote is one label")
    return [] if value is None or value != value else [cell_word(value)]  # NaN differs from itself
