"""Tables whose rows get the columns of another table: those of the row with the same id, as in a left join.

Rows keep their place. A row without such a row has empty cells.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.join import Join
from datasets_builder.keyed_rows import KeyedRows, key_words, read_keyed_rows
from datasets_builder.nested import root_of, value_at
from datasets_builder.object_tables import ObjectTable
from datasets_builder.short_names import short_names
from datasets_builder.source import JoinedText, Source
from datasets_builder.tables import MadeTable, Rows, Table
from datasets_builder.word_arrays import is_text
from modeling_multitask.errors import DataError
from modeling_multitask.words_multitask import declared_words, nearest_hint

from .layout import Layout

SHOWN_IDS = 5  # of each table in a message
MOST_LETTERS = 60  # of each of them


class OtherTable:
    """The other table of a join. Its read columns are in memory from the first use on.

    Args:
        join: The words of the join.
        name: The name of the other table in messages.
        tables: The table, or those of a folder, which belong together.
        source: The source.
        requested: The columns that the source reads, from any table. They are read together.
    """

    def __init__(self, join: Join, name: str, tables: list[Table], source: Source, requested: Sequence[str]) -> None:
        self.join, self.tables, self.source, self.requested = join, tables, source, requested
        self.name = "the joined table" if name == source.name else name  # such as two sheets of a workbook
        self._rows: KeyedRows | None = None
        self._used = np.zeros(0, dtype=bool)  # (K,) whether a row of the source has this id
        self._counts: dict[str, tuple[int, int]] = {}  # by table of the source: its rows, and those without a match

    @property
    def key(self) -> list[str]:
        """The columns of the id."""
        return self.join.key

    @property
    def described_key(self) -> str:
        """The columns of the id as text."""
        return " and ".join(self.key)

    def rows(self, columns: Iterable[str]) -> KeyedRows:
        """Return the rows with at least these columns.

        Raises:
            DataError: If the table cannot be read, or rows with the same id differ in a column that is read.
        """
        there = {} if self._rows is None else self._rows.cells
        every = list(dict.fromkeys([*there, *columns]))
        if self._rows is None or len(every) > len(there):
            with naming_the_join():
                self._rows = read_keyed_rows(self.tables, self.key, every)
            self._used = np.zeros(len(self._rows.counts), dtype=bool)
        return self._rows

    def cells(self, name: str, places: np.ndarray) -> pa.Array:
        """Return (R,) the cells of a column that has been read, null for the place -1. Such a row has the weight 1."""
        column = self.rows([name]).cells[name]
        cells = column.take(pa.array(places, mask=places < 0))
        if name != self.source.weight or not (is_text(column.type) or _is_number(column.type)):
            return cells
        return pc.if_else(pa.array(places < 0), pa.scalar(1).cast(column.type), cells)

    def count(self, table: str, places: np.ndarray) -> None:
        """Note where all rows of a table of the source are found, -1 for a row without one."""
        self._counts[table] = len(places), int((places < 0).sum())
        self._used[places[places >= 0]] = True

    def notes(self) -> list[str]:
        """Return a note on the rows of both sides without a partner, if all tables have been read to their end."""
        if self._rows is None or not self._counts:
            return []
        source, name = short_names([self.source.name, self.name])
        count, unmatched = np.sum(list(self._counts.values()), axis=0)
        unused = self._rows.rows - int(self._rows.counts[self._used].sum())
        same = f"with the same {self.described_key}"
        parts = [f"{unmatched:,} of {count:,} rows have no row in {name} {same}"] if unmatched else []
        parts += [f"{unused:,} of {self._rows.rows:,} rows of {name} are not used"] if unused else []
        return [f"{source}: {'; '.join(parts)}"] if parts else []

    def digest(self) -> str:
        """Return a hash of the content, and of the words of the join."""
        how = replace(self.join, path="", data=None)
        return hashlib.sha256(repr((how, [table.digest() for table in self.tables])).encode()).hexdigest()


class JoinedTable(MadeTable):
    """A table with the columns of another table.

    Args:
        table: The table. Its rows keep their order, their numbers and their lines.
        other: The other table.
    """

    def __init__(self, table: Table, other: OtherTable) -> None:
        super().__init__(table)
        self.other = other
        self._paths: dict[str, tuple[bool, bool]] = {}

    def check_columns(self, required: Iterable[str]) -> None:
        """Raise a `DataError` if neither table has a required column, or both have it."""
        self._check_key()
        for name in required:
            if not (self._is_joined(name) or _holds(self.table, name)):
                there = ", ".join(map(repr, self.columns))
                raise DataError(
                    f"{self.name}: no column {name!r}, and none in {self.other.name}; their columns are {there}"
                    f"{nearest_hint(name, self.columns)}"
                )
            for table in self.other.tables if self._is_joined(name) else [self.table]:
                table.check_columns([name])

    def class_names(self, column: str) -> list[str] | None:
        """Return the class names of a column of one of the tables."""
        return (self.other.tables[0] if self._is_joined(column) else self.table).class_names(column)

    def read_rows(self, columns: list[str]) -> Iterator[Rows]:
        """Yield the rows of the table with these columns of both."""
        self.check_columns(columns)
        joined = [name for name in dict.fromkeys([*columns, *self.other.requested]) if self._is_joined(name)]
        keyed = self.other.rows(joined)
        every = []
        for rows in self.table.read_rows(self._own(columns)):
            places = keyed.index.places(key_words(rows.chunk, self.other.key, self.name))
            every.append(places)
            cells = [self.other.cells(name, places) if name in joined else rows.chunk[name] for name in columns]
            yield rows._replace(chunk=pa.table(cells, names=columns)) if columns else rows
        self.other.count(self.name, np.concatenate(every))

    def has_match(self) -> bool:
        """Return whether a row has the id of a row of the other table.

        Raises:
            DataError: If a table lacks a column of the id, or cannot be read.
        """
        self._check_key()
        keyed = self.other.rows(name for name in self.other.requested if self._is_joined(name))
        return any((keyed.index.places(words) >= 0).any() for words in self.key_words())

    def key_words(self) -> Iterator[pa.Array]:
        """Yield the ids of the rows of each chunk, null for an empty one."""
        key = self.other.key
        return (key_words(rows.chunk, key, self.name) for rows in self.table.read_rows(key))

    def notes(self) -> list[str]:
        """Return a note on the rows of both tables that have no partner."""
        return self.other.notes()

    @property
    def advice(self) -> str:
        """The line after the errors of the table: an error in a joined column is in the other table."""
        joined = [name for name in self.other.requested if self._is_joined(name)]
        columns = ", ".join(map(repr, joined))
        return f"these columns are joined from {self.other.name}: {columns}" if joined else ""

    def _own(self, columns: list[str]) -> list[str]:
        own = [name for name in columns if not self._is_joined(name)]
        return list(dict.fromkeys([*self.other.key, *own]))

    def _is_joined(self, name: str) -> bool:
        """Return whether a column is one of the other table. A column of exactly this name comes before a path.

        Raises:
            DataError: If both tables have the column.
        """
        if name in self.other.key:
            return False
        own, other = _holds(self.table, name), _holds(self.other.tables[0], name)
        if own == other == 1:  # objects of the same name in both tables, such as those with the id
            own, other = self._has_path(name)
        if own and own == other:
            raise DataError(
                f"{self.name} and {self.other.name} both have the column {name!r}, and the recipe reads it; rename it, "
                "or remove it, in one of them"
            )
        return other > own

    def _has_path(self, path: str) -> tuple[bool, bool]:
        """Return whether a row of the table has a path, and whether one of the other table has it."""
        if path not in self._paths:
            self._paths[path] = has_path(self.table, path), any(has_path(each, path) for each in self.other.tables)
        return self._paths[path]

    def _check_key(self) -> None:
        self.table.check_columns(self.other.key)
        with naming_the_join():
            for table in self.other.tables:
                table.check_columns(self.other.key)

    def _columns(self) -> list[str]:
        return list(dict.fromkeys([*self.table.columns, *self.other.tables[0].columns]))

    def _digest(self) -> str:
        return hashlib.sha256(f"{self.table.digest()} {self.other.digest()}".encode()).hexdigest()


def other_source(join: Join) -> Source:
    """Return the other table of a join as a source, of which only the id is read."""
    called = None if join.data is None else f"the joined {type(join.data).__name__}"
    words = {name: getattr(join, name) for name in declared_words(Layout)}
    return Source(join.path, JoinedText(join.key), labels={}, data=join.data, called=called, **words)


@contextmanager
def naming_the_join() -> Iterator[None]:
    """Let errors in the other table name the place of its words, which is the join and not the source."""
    try:
        yield
    except DataError as error:
        raise DataError(str(error).replace("this source", "`join` of this source")) from error


def check_matches(tables: Sequence[Table]) -> None:
    """Raise a `DataError` that shows ids of both tables, if no row of a source has the id of a row of the other table.

    Args:
        tables: The tables of the source.
    """
    joined = [table for table in tables if isinstance(table, JoinedTable)]
    if not joined or any(table.has_match() for table in joined):
        return
    other = joined[0].other
    source, on = other.source.name, other.described_key
    words = (word for table in joined for keys in table.key_words() for word in pc.unique(keys.drop_null()).to_pylist())
    there = _listed(word.as_py() for word in other.rows([]).index.words)
    raise DataError(
        f"{source}: no row has a row in {other.name} with the same {on}. In {source}, {on} is {_listed(words)}. In "
        f"{other.name}, it is {there}. `join.on` must name columns with the same ids"
    )


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def has_path(table: Table, path: str) -> bool:
    """Return whether a row of a table has a path into objects. Rows are read until one has it.

    Args:
        table: A table of objects.
        path: The path, such as `meta.team.name`.

    Raises:
        DataError: If a row that is read is damaged.
    """
    if isinstance(table, ObjectTable):
        return any(value_at(row, path)[0] for _, row in table.objects())
    try:
        next(table.read([path]), None)
    except DataError:  # no struct has it
        return False
    return True


def _holds(table: Table, name: str) -> int:
    """Return 2 if a table has a column of exactly this name, 1 if it has the column that a path leads into, else 0."""
    if name in table.columns:
        return 2
    return int(table.holds_objects and root_of(name, table.columns) is not None)


def _listed(words: Iterable[str]) -> str:
    """Return the first different words, or that there is none."""
    shown: dict[str, None] = {}
    for word in map(repr, (word[:MOST_LETTERS] for word in words)):
        if len(shown) == SHOWN_IDS and word not in shown:
            return f"{', '.join(shown)}, ..."
        shown[word] = None
    return ", ".join(shown) or "empty in all rows"
