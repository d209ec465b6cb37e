"""Tables whose rows are chosen by `where`, with columns that are made of others.

They let all other modules read plain columns, whatever the words of the source are.
"""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.cell_words import cell_word
from datasets_builder.derived import (
    CellsOfColumns,
    Constant,
    Derived,
    LabelOfColumns,
    Level,
    NameOfFile,
    TextOfColumns,
    VoteOfRow,
    VotesOfAnnotators,
    VotesOfColumns,
    name_of,
)
from datasets_builder.findings import MAX_SHOWN, Findings
from datasets_builder.grouped import grouped
from datasets_builder.label_column import ANNOTATORS, Cell, LabelColumn
from datasets_builder.layout import TOOLS
from datasets_builder.long_votes import LongVotes
from datasets_builder.places import Place
from datasets_builder.source import JoinedText, Source
from datasets_builder.sources import OpenSource
from datasets_builder.tables import MadeTable, Rows, Table
from datasets_builder.word_arrays import compared_words
from modeling_multitask.errors import DataError
from modeling_multitask.problem_types_multitask import PROBLEM_TYPES, ProblemType

Where = Mapping[str, tuple[str, ...]]  # the words that the cells of a column may be


class ArrangedTable(MadeTable):
    """A table with some rows of another table, and with columns that are made of its columns.

    Args:
        table: The other table.
        derived: The columns to make, by name. They come before those of the table.
        where: The rows to keep. The word "" stands for an empty cell.
        texts: The columns of the texts, which are read if no other column is.
    """

    def __init__(self, table: Table, derived: Mapping[str, Derived], where: Where, texts: list[str]) -> None:
        super().__init__(table)
        self.derived = dict(derived)
        self.where = where
        self.texts = texts

    def check_columns(self, required: Iterable[str]) -> None:
        """Raise a `DataError` that lists the columns, if one is missing that a required column is made of."""
        self.table.check_columns(self._stored(required))

    def class_names(self, column: str) -> list[str] | None:
        """Return the class names of a column of the table."""
        return None if column in self.derived else self.table.class_names(column)

    def read_rows(self, columns: list[str]) -> Iterator[Rows]:
        """Yield the kept rows with their numbers and lines in the table. Chunks without any such row are left out."""
        for read in self.table.read_rows(self._stored(columns)):
            rows = self._kept(read)
            if not len(rows.chunk):
                continue
            place = Place(self.name, Findings(), rows.numbers)
            cells = [
                self.derived[name].cells(rows.chunk, self.table, place) if name in self.derived else rows.chunk[name]
                for name in columns
            ]
            yield rows._replace(chunk=pa.table(cells, names=columns)) if columns else rows

    def _stored(self, columns: Iterable[str]) -> list[str]:
        """Return the columns of the table that are read for these columns, at least one."""
        stored = dict.fromkeys(self.where)
        for name in columns:
            stored |= dict.fromkeys(self.derived[name].sources(self.table) if name in self.derived else [name])
        return list(stored) or self._stored(self.texts)

    def _kept(self, rows: Rows) -> Rows:
        if not self.where:
            return rows
        masks = [
            pc.is_in(where_words(rows.chunk, name, self.name), pa.array(words)) for name, words in self.where.items()
        ]
        kept = functools.reduce(pc.and_, masks)
        places = kept.to_numpy(zero_copy_only=False)
        return Rows(rows.chunk.filter(kept), rows.numbers[places], rows.lines[places])

    def _digest(self) -> str:
        names = [
            name_of(self.table.path, each.what)
            for each in self.derived.values()
            if isinstance(each, NameOfFile) and self.table.path is not None
        ]
        how = repr((self.derived, dict(self.where), names))
        return hashlib.sha256(f"{self.table.digest()} {how}".encode()).hexdigest()


def where_words(chunk: pa.Table, name: str, table: str) -> pa.Array:
    """Return (rows,) the words of a column that `where` names, "" for an empty cell.

    Raises:
        DataError: If the column holds lists, objects, dates or the like.
    """
    return pc.fill_null(compared_words(chunk[name].combine_chunks(), f"{table}, column {name!r}", "where"), "")


def arranged(source: Source, tables: list[Table], tasks: list[dict[str, Any]]) -> OpenSource:
    """Return a source whose texts and labels are all in plain columns of its tables.

    Args:
        source: The source, with the label columns of all its tasks.
        tables: Its tables.
        tasks: The settings of each task.

    Raises:
        DataError: If the words of a label column do not fit its task, or `where` matches no row.
    """
    kinds = {task["name"]: PROBLEM_TYPES.get(task["problem_type"]) for task in tasks}
    derived: dict[str, Derived] = {}
    plain = set(source.read_columns)
    labels: dict[str, LabelColumn] = {}
    for task, column in source.label_columns.items():
        several = kinds[task].several_labels if kinds.get(task) is not None else None  # type: ignore[union-attr]
        problem = _problem(task, column, several) or _votes_problem(source, task, column, kinds.get(task))
        if problem is not None:
            raise DataError(f"{source.name}: {problem}")
        made = _made(column, listed=bool(several))
        labels[task] = column if made is None else _plain(column, _added(*made, derived, plain))
    resolved = replace(source, labels=labels)
    if isinstance(text := source.text, JoinedText):
        missing = tuple(str(each).strip() for each in source.missing_text)
        made_text = TextOfColumns(tuple(text.columns), text.separator, missing)
        resolved = replace(resolved, text=_added(text.name, made_text, derived, plain))
    where = {name: _words(given) for name, given in (source.where or {}).items()}
    if not derived and not where:
        return OpenSource(resolved, tables)
    by = _id_column(source)
    made_tables = [ArrangedTable(table, derived, where, resolved.texts) for table in tables]
    _check_where(source, where, made_tables)
    if by is None:
        return OpenSource(resolved, list(made_tables))
    voted = [name for name, made in derived.items() if isinstance(made, VoteOfRow)]
    others = [name for name in resolved.read_columns if name not in voted]
    return OpenSource(resolved, list(grouped(list(made_tables), by, voted, others)))


def _id_column(source: Source) -> str | None:
    """Return the column of the id of a long table, or `None` if the source is none.

    Raises:
        DataError: If two tasks have votes by different columns.
    """
    columns = source.label_columns.items()
    by = {task: column.votes.by for task, column in columns if isinstance(column.votes, LongVotes)}
    tasks = list({column: task for task, column in reversed(by.items())}.values())
    if len(tasks) > 1:
        one, other = tasks[-1], tasks[-2]
        raise DataError(
            f"{source.name}: the votes of task {one!r} are by {by[one]!r}, and those of task {other!r} by "
            f"{by[other]!r}; the rows of a source are grouped once, so both must name the same column"
        )
    return next(iter(by.values()), None)


def _problem(task: str, column: LabelColumn, several: bool | None) -> str | None:
    """Return the reason why a label column does not fit its task, if that is known."""
    joins = [name for name in ("join", "level", "votes") if getattr(column, name) is not None]
    if several and joins:
        return f"task {task!r} has several labels for each row, but {joins[0]} makes one label; remove it"
    if several is False and isinstance(column.columns, Mapping):
        return f"task {task!r} has one label for each row, but columns names the column of each label; name one column"
    if several is False and column.columns is not None and column.join is None:
        return (
            f"task {task!r} has one label for each row, but columns names several columns; name one column, or add "
            '`join: "/"` if their cells form one label'
        )
    return None


def _votes_problem(source: Source, task: str, column: LabelColumn, kind: ProblemType | None) -> str | None:
    if column.votes == ANNOTATORS and source.format not in TOOLS:
        return f"task {task!r}: votes: annotators is only for the formats {', '.join(TOOLS)}; name the raters' columns"
    if column.votes is not None and kind is not None and kind.is_number:
        return f"task {task!r} has numbers, but votes choose the most frequent label; name one `column` with their mean"
    return None


def _made(column: LabelColumn, *, listed: bool) -> tuple[str, Derived] | None:
    """Return the column to make of the columns of the table, with its name in messages, or `None` for a plain one."""
    if column.constant is not None:
        return f"constant {column.constant}", Constant(str(column.constant), listed)
    if column.from_ is not None:
        return column.from_, NameOfFile(column.from_, listed)
    if column.join is not None:
        made = LabelOfColumns(tuple(column.names), column.join, tuple(map(str, column.missing)))
        return column.join.join(column.names), made
    if column.votes == ANNOTATORS:
        return f"{column.names[0]}, votes", VotesOfAnnotators(column.names[0], column)
    if isinstance(column.votes, LongVotes):
        return f"{column.votes.column}, votes by {column.votes.by}", VoteOfRow(column.votes.column, column)
    if column.votes is not None:
        return ", ".join(column.votes), VotesOfColumns(tuple(column.votes), column)
    if column.level is not None:
        name = column.names[0]
        return f"{name}, level {column.level}", Level(name, column.separator or "", column.level)
    return _cells_of_columns(column.columns)


def _cells_of_columns(columns: str | Sequence[str] | Mapping[Cell, str] | None) -> tuple[str, Derived] | None:
    if isinstance(columns, str):
        return columns, CellsOfColumns(columns)
    return (", ".join(columns), CellsOfColumns(tuple(columns))) if isinstance(columns, list | tuple) else None


def _plain(column: LabelColumn, name: str) -> LabelColumn:
    empty = dict.fromkeys(("separator", "columns", "join", "level", "constant", "from_", "votes", "as_"))
    if column.votes is not None:  # aliases are replaced before the votes are counted
        column = replace(column, aliases={}, counted=column.as_ or "majority")
    return replace(column, column=name, **empty)  # type: ignore[arg-type]


def _added(name: str, made: Derived, derived: dict[str, Derived], plain: set[str]) -> str:
    """Add a column to those to make, and return its name, which no other column has."""
    while name in plain or derived.get(name, made) != made:
        name += "'"
    derived[name] = made
    return name


def _words(given: Any) -> tuple[str, ...]:
    return tuple(map(cell_word, given if isinstance(given, list | tuple) else [given]))


def _check_where(source: Source, where: Where, tables: list[ArrangedTable]) -> None:
    """Raise a `DataError` that shows what the columns hold, if `where` matches no row of any table."""
    if not where or any(True for table in tables for _ in table.read_rows([])):
        return
    held: dict[str, dict[str, None]] = {name: {} for name in where}
    for table in tables:
        for chunk in table.table.read(list(where)):
            for name, words in held.items():
                if len(words) <= MAX_SHOWN:
                    words.update(dict.fromkeys(pc.unique(where_words(chunk, name, table.name)).to_pylist()))
    columns = "; ".join(f"column {name!r} holds {_listed(list(words))}" for name, words in held.items())
    raise DataError(f"{source.name}: `where` matches no row: {columns}")


def _listed(words: list[str]) -> str:
    more = ", ..." if len(words) > MAX_SHOWN else ""
    return ", ".join(repr(word[:60]) for word in words[:MAX_SHOWN]) + more
