"""The rows of a source that are read during training, and never all at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from datasets_builder.columns import SOURCE, WEIGHT
from datasets_builder.features import encode_table
from datasets_builder.findings import Findings
from datasets_builder.sources import OpenSource
from datasets_builder.weights import weight_column


class StreamedRows:
    """Read the tables of a source on demand.

    Args:
        source: The source.
        tasks: The tasks with their labels.
        number: The number of the source, if the rows have it.
        with_weight: Whether the rows have their weight.
    """

    def __init__(self, source: OpenSource, tasks: list[Any], number: int | None, with_weight: bool) -> None:
        self.source, self.tasks, self.number, self.with_weight = source, tasks, number, with_weight

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
            if self.number is not None:
                rows = rows.append_column(SOURCE, pa.array(np.full(len(rows), self.number), pa.int32()))
            yield rows
