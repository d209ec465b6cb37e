"""Tables and queries of SQLite databases."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from datasets_builder.object_tables import Objects, ObjectTable
from modeling_multitask.errors import DataError
from modeling_multitask.wording import on_one_line


class SqliteTable(ObjectTable):
    """A table of a SQLite database, or the rows of a query. The database is opened only for reading."""

    unit: ClassVar[str] = "row"

    def objects(self) -> Objects:
        """Yield the rows in the order of the database, counted from 1."""
        with self._connection() as connection:
            cursor = self._cursor(connection)
            names = [column[0] for column in cursor.description]
            for number, cells in enumerate(cursor, start=1):
                yield number, dict(zip(names, cells, strict=True))

    def tables(self) -> list[str]:
        """Return the names of the database's tables and views, sorted."""
        with self._connection() as connection:
            return _names(connection)

    def _columns(self) -> list[str]:
        with self._connection() as connection:
            return [column[0] for column in self._cursor(connection).description]

    def _cursor(self, connection: sqlite3.Connection) -> sqlite3.Cursor:
        query = self.layout.query
        if query is None:
            name = self._chosen(connection).replace('"', '""')
            return connection.execute(f'SELECT * FROM "{name}"')
        cursor = connection.execute(query)
        if cursor.description is None:
            raise DataError(f"{self.path}: `query` returns no rows; it must be a SELECT")
        return cursor

    def _chosen(self, connection: sqlite3.Connection) -> str:
        names = _names(connection)
        there = ", ".join(map(repr, names))
        if not names:
            raise DataError(f"{self.path}: the database has no tables")
        if self.layout.table is None and len(names) == 1:
            return names[0]
        if self.layout.table is None:
            raise DataError(
                f"{self.path}: the database has several tables ({there}). Add `table: {names[0]}`, or a query"
            )
        if self.layout.table not in names:
            raise DataError(f"{self.path}: no table {self.layout.table!r}; its tables are {there}")
        return self.layout.table

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                yield connection
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:  # the last one for the name of a column
            what = "`query` fails" if self.layout.query is not None else "not a complete SQLite database"
            raise DataError(f"{self.path}: {what} ({on_one_line(str(error), most=200)})") from None

    def _digest(self) -> str:
        # Rows that were written last may be in a file of their own, until SQLite moves them.
        recent = Path(f"{self.path}-wal")
        content: Any = hashlib.sha256(super()._digest().encode())
        if recent.exists():
            content.update(recent.read_bytes())
        return str(content.hexdigest())


def _names(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    return [str(name) for (name,) in found]
