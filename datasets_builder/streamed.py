"""The rows of a source that are read during training, and never all at once."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from datasets_builder.columns import SOURCE, WEIGHT
from datasets_builder.features import encode_table
from datasets_builder.findings import Findings
from datasets_builder.row_places import with_places
from datasets_builder.soft_labels import votes_columns
from datasets_builder.sources import OpenSource
from datasets_builder.weights import weight_column
from modeling_multitask.tasks_multitask import TaskConfig


class StreamedRows:
    """Read the tables of a source on demand.

    Args:
        source: The source.
        tasks: The tasks with their labels.
        number: The number of the source.
        with_weight: Whether the rows have their weight.
        with_source: Whether the rows have the number of the source.
        tables: The names of all tables, if the rows have their place.
        voted: The tasks whose rows have the votes of their raters.
    """

    def __init__(
        self,
        source: OpenSource,
        tasks: list[TaskConfig],
        number: int,
        *,
        with_weight: bool,
        with_source: bool,
        tables: list[str] | None,
        voted: list[str],
    ) -> None:
        self.source, self.tasks, self.number = source, tasks, number
        self.with_weight, self.with_source, self.tables, self.voted = with_weight, with_source, tables, voted

    def __call__(self, part: int) -> Iterator[pa.Table]:
        """Yield the rows of the table of this number in chunks.

        Raises:
            DataError: If the table cannot be read, or a cell is not a label.
        """
        findings = Findings()
        for chunk in encode_table(self.source.tables[part], self.source, self.tasks, findings):
            findings.check()
            rows = chunk.rows
            if self.with_weight:
                rows = rows.append_column(WEIGHT, weight_column(chunk.weights))
            if self.with_source:
                rows = rows.append_column(SOURCE, pa.array(np.full(len(rows), self.number), pa.int32()))
            if self.tables is not None:
                rows = with_places(rows, np.full(len(rows), self.tables.index(chunk.table)), chunk.lines)
            votes = {name: [chunk.votes.get(name, len(rows))] for name in self.voted}
            for name, column in votes_columns(votes, self.tasks).items():
                rows = rows.append_column(name, column)
            yield rows
