"""Recorded answers: a table with texts and the probabilities of a task's labels.

Shapes: M rows of the table, N texts, C labels.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datasets_builder.columns import distribution_column
from datasets_builder.soft_labels import MOST

from ..errors import DataError
from ..tasks_multitask import TaskConfig
from ..texts_multitask import Text
from ..wording import first_few
from .tables import read_table, texts_or_none

_ROUNDING = 0.01  # of a half-precision model, whose answers depend on the other texts of a batch


class RecordedAnswers:
    """The answers to one task in a table.

    A number is in the column of the task. Probabilities are in a column for each label, which is called
    `<task>_<label>` or `<label>`, or in the column of the task, as an object by label. In the output of
    `multitask predict`, which has only the score of the answer, the rest is shared evenly among the other labels, and
    the labels that a multi-label answer lacks have the probability 0. An answer to a task that is not always asked is
    refused in this form, because its score includes the probability of the answer to the other task.

    Args:
        path: The table.
        texts: The text column, or the two columns of pairs.
        task: The name of the task in the table.
        labels: The labels in the table.
        kind: The task that learns the answers.

    Raises:
        DataError: If the table cannot be read, lacks a column, or a cell is not valid.
    """

    def __init__(self, path: Path, texts: tuple[str, ...], task: str, labels: list[str], kind: TaskConfig) -> None:
        self.path, self.labels, self._task = path, labels, kind
        table = read_table(path, *texts)
        self.numbers = self._checked(self._numbers(table, task))  # (M, C) float32
        self._places = self._places_of(texts_or_none(table, texts))

    def answers(self, texts: Sequence[Text]) -> np.ndarray:
        """Return the numbers, (N, 1), or the probabilities, (N, C), of these texts, NaN for a text without them."""
        rows = np.array([self._places.get(text, -1) for text in texts], dtype=np.int64)
        found = np.full((len(rows), self.numbers.shape[1]), np.nan, np.float32)
        found[rows >= 0] = self.numbers[rows[rows >= 0]]
        return found

    def knows_any(self, texts: Iterable[Text]) -> bool:
        """Return whether the table has an answer to one of these texts."""
        return any(text in self._places for text in texts)

    def _places_of(self, texts: Sequence[Text | None]) -> dict[Text, int]:
        """Return the row with the answer to each text."""
        places: dict[Text, int] = {}
        for row, (text, empty) in enumerate(zip(texts, np.isnan(self.numbers).all(axis=1), strict=True)):
            if text is None or empty:
                continue
            first = places.setdefault(text, row)
            given = self.numbers[first], self.numbers[row]
            if first != row and not np.allclose(*given, rtol=_ROUNDING, atol=_ROUNDING, equal_nan=True):
                raise DataError(
                    f"{self.path}, rows {first + 1} and {row + 1}: the same text has different answers; remove one row"
                )
        return places

    def _numbers(self, table: pa.Table, task: str) -> np.ndarray:
        there = table.column_names
        if self._task.kind.is_number:
            return self._columns(table, [[task]])
        by_label = [[f"{task}_{label}", label] for label in self.labels]
        if all(any(name in there for name in names) for names in by_label):
            return self._columns(table, by_label)
        if task in there and f"{task}_score" in there:
            self._check_score(f"{task}_score")
            cells = zip(table[task].to_pylist(), table[f"{task}_score"].to_pylist(), strict=True)
            return self._by_label(len(table), (self._of_answer(*each) for each in cells))
        if (name := next((each for each in (distribution_column(task), task) if each in there), None)) is not None:
            return self._by_label(len(table), (self._of_object(cell, name) for cell in table[name].to_pylist()))
        return self._columns(table, by_label)

    def _columns(self, table: pa.Table, names: list[list[str]]) -> np.ndarray:
        """Return the numbers of columns, each of which may have several names, (M, C)."""
        found = []
        for either in names:
            name = next((each for each in either if each in table.column_names), None)
            if name is None:
                named, there = " or ".join(map(repr, either)), first_few(map(repr, table.column_names))
                raise DataError(f"{self.path}: no column {named}; its columns are {there}")
            found.append(np.array([_number(cell) for cell in table[name].to_pylist()], np.float32))
        return np.stack(found, axis=1)

    def _check_score(self, column: str) -> None:
        """Refuse the score of an answer that includes the probability of the answer to another task."""
        if self._task.given is not None and self._task.kind.one_label:
            raise DataError(
                f"{self.path}: the column {column!r} is refused, because the task {self._task.name!r} depends on "
                f"{self._task.given.task!r}: `multitask predict` writes the probability that the question is asked and "
                "the answer is right. Name the model itself as the teacher, or add a column for each label with its "
                "probability if the question is asked"
            )

    def _of_answer(self, answer: Any, score: Any) -> dict[str, Any]:
        """Return the probability of each label, from an answer of `multitask predict` and its score."""
        if answer in (None, ""):
            return {}
        if self._task.kind.several_labels:
            given = dict(zip(_read(answer) or (), _read(score) or (), strict=False))
            return {**dict.fromkeys(self.labels, 0.0), **given}
        share = _number(score)
        rest = (1 - share) / max(len(self.labels) - 1, 1)
        return {**dict.fromkeys(self.labels, rest), str(answer): share}

    def _of_object(self, cell: Any, column: str) -> dict[str, Any]:
        """Return the numbers by label of an object, or of a list of labels with scores. An empty cell has none."""
        if cell in (None, ""):
            return {}
        cell = _read(cell)
        if isinstance(cell, list):
            cell = {each["label"]: each["score"] for each in cell if each["label"] is not None}
        if not isinstance(cell, Mapping):
            raise DataError(
                f"{self.path}: the column {column!r} holds {cell!r}, not probabilities; add a column "
                f"{column + '_score'!r} with the score of the answer, or a column for each label"
            )
        return {label: each for label, each in cell.items() if each is not None}

    def _by_label(self, rows: int, cells: Iterable[dict[str, Any]]) -> np.ndarray:
        """Return the numbers of each row by label, (M, C), NaN where they are missing."""
        places = {label: i for i, label in enumerate(self.labels)}
        numbers = np.full((rows, len(places)), np.nan, np.float32)
        for row, cell in enumerate(cells):
            if strange := [label for label in cell if label not in places]:
                known = first_few(map(repr, self.labels))
                raise DataError(f"{self.path}, row {row + 1}: {strange[0]!r} is not one of the labels {known}")
            for label, each in cell.items():
                numbers[row, places[label]] = _number(each)
        return numbers

    def _checked(self, numbers: np.ndarray) -> np.ndarray:
        """Return the numbers; those of a row for one label add up to 1."""
        what = f"probabilities of the labels {first_few(map(repr, self.labels))}; give one for each label, or none"
        if self._task.kind.is_number:
            wrong, what = np.isinf(numbers[:, 0]), "a number"
        else:
            missing = np.isnan(numbers)
            allowed = missing | (numbers >= 0) & (numbers <= (1.0 if self._task.kind.several_labels else MOST))
            wrong = ~allowed.all(axis=1) | (missing.any(axis=1) & ~missing.all(axis=1))
            wrong |= self._task.kind.one_label & (numbers.sum(axis=1) == 0)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(f"{self.path}, row {row + 1}: {numbers[row].tolist()} is not {what}")
        return numbers / numbers.sum(axis=1, keepdims=True) if self._task.kind.one_label else numbers


def _number(cell: Any) -> float:
    """Return a cell as a number, NaN for an empty one, and infinity, which is not valid, for a word."""
    if cell in (None, ""):
        return math.nan
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.inf


def _read(cell: Any) -> Any:
    """Return the value of a cell, which may be JSON, as in a CSV file."""
    try:
        return json.loads(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell
