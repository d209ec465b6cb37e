"""The location of a chunk of rows, for messages about its cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import form_hint
from datasets_builder.findings import MAX_SHOWN, Findings
from modeling_multitask.words_multitask import nearest_hint


class VoteRows(NamedTuple):
    """The rows of V votes, which may be in several tables.

    Args:
        names: The names of the tables.
        tables: (V,) the place of each vote's table among the names.
        numbers: (V,) the number of each vote's row in its table, counted from 1.
    """

    names: list[str]
    tables: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class Place:
    """The location of a chunk, for messages.

    Args:
        table: The name of the table in messages.
        findings: Collects the wrong cells.
        numbers: (rows,) the number of each row in the table, counted from 1, if it is not that in the chunk.
        votes: By column, the rows of the votes in its lists, if they are not the rows of the chunk.
    """

    table: str
    findings: Findings
    numbers: np.ndarray | None = None
    votes: Mapping[str, VoteRows] = field(default_factory=dict)

    def number(self, row: int) -> int:
        """Return the number in the table, counted from 1, of a row of the chunk, counted from 0."""
        return row + 1 if self.numbers is None else int(self.numbers[row])

    def where(self, column: str) -> str:
        """Return the table and a column as text."""
        return f"{self.table}, column {column!r}"

    def note(self, column: str, cells: pa.Array, wrong: pa.Array, why: str, labels: list[str] | None = None) -> None:
        """Add the wrong cells to the findings, with a suggestion if one of the labels is similar."""
        for row in pc.indices_nonzero(wrong).to_pylist():
            self.note_cell(column, row, cells[row].as_py(), why, labels)

    def note_cell(self, column: str, row: int, given: object, why: str, labels: list[str] | None = None) -> None:
        """Add the cell of one row of the chunk, counted from 0, to the findings."""
        self._add(self.table, self.number(row), column, given, why, labels)

    def note_element(
        self, column: str, row: int, element: int, given: object, why: str, labels: list[str] | None = None
    ) -> None:
        """Add an element of the lists of a column to the findings.

        Args:
            column: The column.
            row: The row of the chunk, counted from 0.
            element: The place of the element among those of all lists.
            given: The element.
            why: Why it is wrong.
            labels: The labels, one of which may be similar.
        """
        if (votes := self.votes.get(column)) is None:
            return self.note_cell(column, row, given, why, labels)
        return self._add(votes.names[votes.tables[element]], int(votes.numbers[element]), column, given, why, labels)

    def _add(self, table: str, number: int, column: str, given: object, why: str, labels: list[str] | None) -> None:
        def problem() -> str:
            hint = form_hint(str(given), labels or []) or nearest_hint(str(given), labels or [])
            return f"column {column!r}: {given!r} is {why}{hint}"

        self.findings.add(table, number, (column, repr(given), why), problem)


def not_among(labels: list[str]) -> str:
    """Return the reason why a word is not a label: it is none of these."""
    if len(labels) > MAX_SHOWN:
        return f"not one of the task's {len(labels)} labels"
    return f"not one of {', '.join(map(repr, labels))}"
