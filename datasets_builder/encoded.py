"""The rows of one split: read once from all sources, merged, and ready to be written.

Shapes: N rows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets.utils import tqdm

from datasets_builder.agreement import agreement_notes
from datasets_builder.columns import SOURCE, TEXT, TEXT_PAIR, WEIGHT, distribution_column
from datasets_builder.features import encode_cells
from datasets_builder.findings import Findings
from datasets_builder.label_rows import without_labels
from datasets_builder.merging import merge_rows, text_digests
from datasets_builder.row_places import with_places
from datasets_builder.soft_labels import votes_columns, with_most_probable
from datasets_builder.sources import OpenSource
from datasets_builder.splits import hide_labels
from datasets_builder.tables import CHUNK_ROWS
from datasets_builder.weights import weight_column, weights_of_merged
from modeling_multitask.errors import DataError
from modeling_multitask.tasks_multitask import TaskConfig

from .words import Contradictions


@dataclass(frozen=True)
class EncodedRows:
    """The rows of one split. The texts are in a file, everything else is in memory.

    Args:
        texts: An Arrow file with the texts of all rows that were read.
        rows: (N,) the numbers of the kept rows.
        labels: (N rows) the label columns and, if requested, the weight, the source and the place.
        keys: (N,) the number of each row's text. Equal texts have the same number in every split.
        groups: (N,) each row's group, if requested.
        notes: Messages about repaired and merged rows.
    """

    texts: Path
    rows: np.ndarray
    labels: pa.Table
    keys: np.ndarray
    groups: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, places: np.ndarray) -> "EncodedRows":
        """Return the rows at these places."""
        groups = None if self.groups is None else self.groups[places]
        return replace(
            self, rows=self.rows[places], labels=self.labels.take(places), keys=self.keys[places], groups=groups
        )

    def with_hidden_labels(self, tasks: list[TaskConfig], fraction: float, seed: int) -> "EncodedRows":
        """Return the rows with this share of each task's labels made missing."""
        rng, labels = np.random.default_rng(seed), self.labels
        for task in tasks:
            soft = distribution_column(task.name)
            place = labels.column_names.index(soft if soft in labels.column_names else task.name)
            labels = labels.set_column(place, labels.field(place), hide_labels(labels[place], fraction, rng))
        return replace(self, labels=with_most_probable(labels, tasks))

    def parts(self) -> list[np.ndarray]:
        """Return the places of the rows in chunks."""
        return [np.arange(start, min(start + CHUNK_ROWS, len(self))) for start in range(0, len(self), CHUNK_ROWS)]

    def tables(self, places: np.ndarray) -> Iterator[pa.Table]:
        """Yield the rows at these places with all their columns."""
        rows = self.rows[places]
        with pa.memory_map(str(self.texts)) as file:
            # The rows are ascending. Slice first, because `take` copies the whole table that it is called on.
            table = pa.ipc.open_file(file).read_all().slice(rows[0], rows[-1] + 1 - rows[0]).take(rows - rows[0])
        for name in self.labels.column_names:
            table = table.append_column(self.labels.schema.field(name), self.labels[name].take(places))
        yield table


@dataclass(frozen=True)
class ReadRows:
    """All rows of a split's sources that have a text, before merging.

    Args:
        texts: An Arrow file with their texts.
        labels: (N rows) their label columns.
        digests: (N, 2) the digest of each row's text.
        groups: (N,) each row's group, if requested.
        notes: Messages about the rows that were left out, and about raters.
        origins: The table of each chunk, and the places of its rows.
    """

    texts: Path
    labels: pa.Table
    digests: np.ndarray
    groups: np.ndarray | None
    notes: list[str]
    origins: list["_Origin"]

    def merge(
        self,
        tasks: list[TaskConfig],
        rule: Contradictions,
        keys: np.ndarray,
        *,
        with_weight: bool = False,
        with_source: bool = False,
        tables: list[str] | None = None,
        voted: Sequence[str] = (),
    ) -> EncodedRows:
        """Return the rows, with rows of the same text in several sources merged into one.

        Args:
            tasks: The tasks with their labels.
            rule: How to resolve labels that differ between sources.
            keys: (N,) the number of each row's text, see `text_keys`.
            with_weight: Whether to add the weight of each row; of merged rows, that of the first one with a label.
            with_source: Whether to add the number of each row's source.
            tables: The names of all tables, to add the place of each row; of merged rows, that of the first one.
            voted: The tasks to add the votes of; of merged rows, those of the first one.

        Raises:
            DataError: If labels differ and the rule is `error`.
        """
        whole = EncodedRows(self.texts, np.arange(len(keys)), self.labels, keys, self.groups, self.notes)
        sources = np.concatenate([np.full(len(each.numbers), each.source) for each in self.origins])
        names = {task.name: task.labels or [] for task in tasks}
        merged = merge_rows(whole.labels, names, whole.keys, sources, rule, self._describe)
        labels = with_most_probable(merged.labels, tasks)
        rows = replace(whole.select(merged.rows), labels=labels, notes=[*whole.notes, *merged.notes()])
        if with_weight:
            weights = np.concatenate([each.weights for each in self.origins])
            before, after = (without_labels(each, list(names)) for each in (whole.labels, labels))
            weights = weights_of_merged(weights, merged.rows, keys, before, after)
            rows = replace(rows, labels=rows.labels.append_column(WEIGHT, weight_column(weights)))
        if with_source:
            rows = replace(rows, labels=rows.labels.append_column(SOURCE, pa.array(sources[merged.rows], pa.int32())))
        if tables is not None:
            numbers = np.concatenate([np.full(len(each.lines), tables.index(each.table)) for each in self.origins])
            lines = np.concatenate([each.lines for each in self.origins])
            rows = replace(rows, labels=with_places(rows.labels, numbers[merged.rows], lines[merged.rows]))
        votes = {name: [each.votes.get(name, len(each.lines)) for each in self.origins] for name in voted}
        for name, column in votes_columns(votes, tasks).items():
            rows = replace(rows, labels=rows.labels.append_column(name, column.take(pa.array(merged.rows))))
        return rows

    def _describe(self, row: int) -> str:
        ends = np.cumsum([len(each.numbers) for each in self.origins])
        place = int(np.searchsorted(ends, row, side="right"))
        origin = self.origins[place]
        number = origin.numbers[row - ends[place] + len(origin.numbers)]
        with pa.memory_map(str(self.texts)) as file:
            text = pa.ipc.open_file(file).read_all()[TEXT][row].as_py()
        return f"{origin.table}, row {number}: {text[:60]!r}"


def read_rows(
    split: str, sources: list[OpenSource], tasks: list[TaskConfig], folder: Path, findings: Findings
) -> ReadRows:
    """Read all sources of a split, with a progress bar if this takes longer than a second.

    Args:
        split: The name of the split.
        sources: The sources in order.
        tasks: The tasks with their labels.
        folder: The folder to write the texts to.
        findings: Collects the wrong cells.

    Raises:
        DataError: If a table cannot be read.
    """
    names = text_columns(sources)
    labels: list[pa.Table] = []
    digests: list[np.ndarray] = []
    groups: list[str] = []
    origins: list[_Origin] = []
    dropped: Counter[str] = Counter()
    agreement: dict[str, np.ndarray] = {}
    texts = folder / f"{split}.arrow"
    with (
        pa.OSFile(str(texts), "wb") as file,
        pa.ipc.new_file(file, _text_schema(names)) as writer,
        tqdm(desc=f"Reading {split} rows", unit=" rows", delay=1) as bar,
    ):
        for number, source in enumerate(sources):
            for chunk in encode_cells(source, tasks, findings):
                writer.write_table(chunk.rows.select(names))
                labels.append(chunk.rows.drop_columns(names))
                digests.append(text_digests(chunk.rows.select(names)))
                groups += chunk.groups or []
                origins.append(_Origin(number, chunk.table, chunk.numbers, chunk.lines, chunk.weights, chunk.votes))
                dropped += chunk.dropped
                agreement |= {name: agreement.get(name, 0) + each for name, each in chunk.agreement.items()}
                bar.update(len(chunk.rows))
    if not sum(map(len, digests)):
        raise DataError(f"{' and '.join(source.source.name for source in sources)}: no row has a text")
    return ReadRows(
        texts,
        pa.concat_tables(labels),
        np.concatenate(digests),
        groups=np.array(groups) if groups else None,
        notes=[
            *(f"{count} {reason}" for reason, count in dropped.items()),
            *dict.fromkeys(note for source in sources for table in source.tables for note in table.notes()),
            *agreement_notes(agreement, tasks),
        ],
        origins=origins,
    )


def text_columns(sources: list[OpenSource]) -> list[str]:
    """Return the text columns: one, or two for pairs of texts.

    Raises:
        DataError: If some sources have single texts and others have pairs.
    """
    single = [source.source.name for source in sources if len(source.source.texts) == 1]
    pairs = [source.source.name for source in sources if len(source.source.texts) == 2]
    if single and pairs:
        raise DataError(f"{pairs[0]} has pairs of texts, but {single[0]} has single texts; they cannot be mixed")
    return [TEXT, TEXT_PAIR] if pairs else [TEXT]


@dataclass(frozen=True)
class _Origin:
    """The source and table of one chunk, and the numbers, lines, weights and votes of its rows."""

    source: int
    table: str
    numbers: np.ndarray
    lines: np.ndarray
    weights: np.ndarray
    votes: dict[str, pa.Array]


def _text_schema(names: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in names])
