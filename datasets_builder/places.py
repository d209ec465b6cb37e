"""The location of a chunk of rows, for messages about its cells."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import form_hint
from datasets_builder.findings import MAX_SHOWN, Findings
from modeling_multitask.words_multitask import nearest_hint


@dataclass(frozen=True)
class Place:
    """The location of a chunk, for messages.

    Args:
        table: The name of the table in messages.
        findings: Collects the wrong cells.
        numbers: (rows,) the number of each row in the table, counted from 1, if it is not that in the chunk.
    """

    table: str
    findings: Findings
    numbers: np.ndarray | None = None

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

        def problem() -> str:
            hint = form_hint(str(given), labels or []) or nearest_hint(str(given), labels or [])
            return f"column {column!r}: {given!r} is {why}{hint}"

        self.findings.add(self.table, self.number(row), (column, repr(given), why), problem)


def not_among(labels: list[str]) -> str:
    """Return the reason why a word is not a label: it is none of these."""
    if len(labels) > MAX_SHOWN:
        return f"not one of the task's {len(labels)} labels"
    return f"not one of {', '.join(map(repr, labels))}"
