"""Long tables, which have one row for each annotation: the rows with the same id become one row with all their votes.

Shapes: N rows of all tables, G groups.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datasets_builder.all_rows import AllRows, read_all_rows
from datasets_builder.derived import lists_of
from datasets_builder.places import VoteRows
from datasets_builder.tables import MadeTable, Rows, Table
from modeling_multitask.errors import DataError

MOST_CHARACTERS = 60  # of a cell in a message


class GroupedTable(MadeTable):
    """The first row of each id in a table, with the lists of the votes in all rows of that id.

    Args:
        table: The table, which has a row for each vote.
        number: Its number among the tables of its source, whose rows are grouped together.
        grouping: The groups.
    """

    def __init__(self, table: Table, number: int, grouping: "Grouping") -> None:
        super().__init__(table)
        self.number = number
        self.grouping = grouping

    def check_columns(self, required: Iterable[str]) -> None:
        """Raise a `DataError` that lists the columns, if a required one or that of the id is missing."""
        self.table.check_columns([*required, self.grouping.by])

    def class_names(self, column: str) -> list[str] | None:
        """Return the class names of a column that has no votes."""
        return None if column in self.grouping.voted else self.table.class_names(column)

    def read_rows(self, columns: list[str]) -> Iterator[Rows]:
        """Yield the first rows with their numbers and lines in the table. Chunks without any such row are left out.

        Raises:
            DataError: If a row has no id, or rows of one id differ in a column that has no votes.
        """
        groups = self.grouping.groups
        is_first, group = groups.first[self.number], groups.starts[self.number]
        stored = [name for name in columns if name not in groups.votes] or [self.grouping.by]
        row = 0
        for read in self.table.read_rows(stored):
            first = is_first[row : row + len(read.chunk)]
            row += len(first)
            if not (count := int(first.sum())):
                continue
            kept = read.chunk.filter(pa.array(first))
            votes = {name: groups.votes[name].part(group, count) for name in columns if name in groups.votes}
            cells = [votes[name].words if name in votes else kept[name] for name in columns]
            yield Rows(
                pa.table(cells, names=columns) if columns else kept,
                read.numbers[first],
                read.lines[first],
                {name: each.rows for name, each in votes.items()},
            )
            group += count

    def _digest(self) -> str:
        return hashlib.sha256(f"{self.table.digest()} {self.grouping.by!r} {self.grouping.voted}".encode()).hexdigest()


@dataclass(frozen=True)
class Groups:
    """The groups of the rows of several tables, in the order of their first rows.

    Args:
        first: For each table (rows,) whether a row is the first of its group.
        starts: The number of the first group of each table.
        votes: The votes of the groups in each column of votes.
    """

    first: list[np.ndarray]
    starts: list[int]
    votes: dict[str, "Votes"]


@dataclass(frozen=True)
class Votes:
    """The votes of some groups.

    Args:
        words: (G,) the lists of the words of their votes.
        rows: The row of each vote.
    """

    words: pa.ListArray
    rows: VoteRows

    def part(self, start: int, count: int) -> "Votes":
        """Return the votes of this number of groups, from one group on."""
        first, end = self.words.offsets[start].as_py(), self.words.offsets[start + count].as_py()
        rows = self.rows._replace(tables=self.rows.tables[first:end], numbers=self.rows.numbers[first:end])
        return Votes(self.words.slice(start, count), rows)


@dataclass(frozen=True)
class Grouping:
    """The rows of a source's tables, to be grouped by their id.

    Args:
        tables: The tables in order. A group may have rows in several of them.
        by: The column of the id.
        voted: The columns of votes, each with the word of one vote in a row or null.
        others: The other columns that are read. They must be equal in all rows of a group.
    """

    tables: list[Table]
    by: str
    voted: list[str]
    others: list[str]

    @functools.cached_property
    def groups(self) -> Groups:
        """The groups, for which all rows are read once.

        Raises:
            DataError: If a row has no id, or rows of one group differ in another column.
        """
        rows = read_all_rows(self.tables, list(dict.fromkeys([self.by, *self.voted, *self.others])))
        ids = rows.cells[self.by]
        self._check_ids(rows, ids.codes)
        first = np.sort(np.unique(ids.codes, return_index=True)[1])  # (G,) rows
        first_of_id = np.empty(len(first), dtype=np.int64)
        first_of_id[ids.codes[first]] = first
        own_first = first_of_id[ids.codes]  # (N,) the first row of each row's group
        for name in self.others:
            self._check_equal(rows, name, own_first)
        group = np.searchsorted(first, own_first)  # (N,)
        is_first = own_first == np.arange(len(own_first))
        ends = np.cumsum(rows.counts)
        return Groups(
            np.split(is_first, ends[:-1]),
            [0, *np.searchsorted(first, ends[:-1]).tolist()],
            {name: _votes(rows, name, group, len(first)) for name in self.voted},
        )

    def _check_ids(self, rows: AllRows, codes: np.ndarray) -> None:
        if (codes < 0).any():
            raise DataError(
                f"{rows.place(int(np.argmin(codes)))}, column {self.by!r}: is empty, but `votes` need the id of each "
                "row; fill it in, or remove the row"
            )

    def _check_equal(self, rows: AllRows, name: str, own_first: np.ndarray) -> None:
        cells = rows.cells[name]
        if not (differ := cells.codes != cells.codes[own_first]).any():
            return
        row = int(np.argmax(differ))
        first, several = int(own_first[row]), int(differ.sum()) - 1
        more = f" (and {several} more rows differ from the first row of their id)" if several else ""
        given, other = _apart(cells.word(row), cells.word(first))
        raise DataError(
            f"{rows.place(row)}, column {name!r}: {given}, but {other} in {rows.place(first, row)}, which has the same "
            f"id, {rows.cells[self.by].word(row)[:MOST_CHARACTERS]!r} in column {self.by!r}{more}. The rows of an id "
            "may only differ in their votes: correct the cells, use different ids, or read the labels of this column "
            "as votes, too"
        )


def grouped(tables: list[Table], by: str, voted: list[str], others: list[str]) -> list[GroupedTable]:
    """Return tables with the first row of each id. Their rows are read, and compared, when the first one is read.

    Args:
        tables: The tables of a source. The rows of an id may be in several of them.
        by: The column of the id.
        voted: The columns of votes, each with the word of one vote in a row or null.
        others: The other columns that are read. They must be equal in all rows of an id.
    """
    grouping = Grouping(tables, by, voted, others)
    return [GroupedTable(table, number, grouping) for number, table in enumerate(tables)]


def check_not_grouped(tables: list[Table]) -> None:
    """Raise a `DataError` for long tables, because streamed rows are never all known."""
    for each in tables:
        if isinstance(each, GroupedTable):
            raise DataError(
                f"{each.name}: the votes by {each.grouping.by!r} need all rows of an id, but streamed rows are read "
                "one by one; remove `streaming`"
            )


def _votes(rows: AllRows, name: str, group: np.ndarray, count: int) -> Votes:
    """Return the votes of G groups in a column.

    Args:
        rows: N rows.
        name: The column.
        group: (N,) the group of each row.
        count: G.
    """
    there = np.flatnonzero(rows.cells[name].codes >= 0)
    in_order = there[np.argsort(group[there], kind="stable")]
    tables = np.repeat(np.arange(len(rows.names)), rows.counts)
    numbers = np.concatenate(rows.numbers)
    words = lists_of(rows.cells[name].words, group, count)
    return Votes(words, VoteRows(rows.names, tables[in_order], numbers[in_order]))


def _apart(one: str, other: str) -> tuple[str, str]:
    """Return two words for a message: the parts of them around the first character that differs."""
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    begin = max(same - MOST_CHARACTERS // 3, 0)
    end = begin + MOST_CHARACTERS
    shown = [f"{'...' * (begin > 0)}{each[begin:end]!r}{'...' * (end < len(each))}" for each in (one, other)]
    return shown[0], shown[1]
