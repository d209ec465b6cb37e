"""Tables and queries of SQLite databases."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datasets_builder import DataError, Source
from datasets_builder.sources import open_tables


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "desk.db")) as connection, connection:
        connection.execute('CREATE TABLE "my ""rows" (text TEXT, topic TEXT, n)')
        values = [("b", "film", 1), ("a", None, 2.5), ("c", "food", None)]
        connection.executemany('INSERT INTO "my ""rows" VALUES (?, ?, ?)', values)
    return tmp_path / "desk.db"


def read(path: Path, **words: Any) -> dict[str, list[Any]]:
    (opened,) = open_tables(Source(str(path), **words))
    return pa.concat_tables(opened.read(opened.columns)).to_pydict()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_the_only_table_is_read_in_its_order(database: Path) -> None:
    assert read(database) == {"text": ["b", "a", "c"], "topic": ["film", None, "food"], "n": [1.0, 2.5, None]}


def test_a_table_or_view_is_chosen_by_its_name(database: Path) -> None:
    change(database, 'CREATE VIEW named AS SELECT text FROM "my ""rows" WHERE topic IS NOT NULL')

    assert read(database, table="named") == {"text": ["b", "c"]}
    assert read(database, table='my "rows')["text"] == ["b", "a", "c"]


def test_a_query_names_the_columns(database: Path) -> None:
    assert read(database, query='SELECT topic AS text, 1 AS one FROM "my ""rows" ORDER BY text') == {
        "text": [None, "film", "food"],
        "one": [1, 1, 1],
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {},
            r"several tables \('my \"rows', 'other'\). Add ",
        ),
        ({"table": "rows"}, r"desk\.db: no table 'rows'; its tables are 'my \"rows', 'other'"),
        ({"query": "SELECT missing"}, r"desk\.db: `query` fails \(no such column: missing\)"),
        ({"query": "DELETE FROM other"}, r"desk\.db: `query` fails \(attempt to write a readonly database\)"),
        ({"query": "SELECT 1; SELECT 2"}, r"desk\.db: `query` fails \(You can only execute one statement at a time"),
        ({"query": ""}, "`query` returns no rows; it must be a SELECT"),
        ({"query": "SELECT text FROM other"}, "desk.db: no rows"),
    ],
)
def test_a_wrong_choice_is_an_error(database: Path, words: dict[str, str], message: str) -> None:
    change(database, "CREATE TABLE other (text TEXT)")

    with pytest.raises(DataError, match=message):
        read(database, **words)


def test_a_column_of_texts_and_numbers_is_refused(database: Path) -> None:
    change(database, """INSERT INTO "my ""rows" VALUES ('d', 'film', 'x')""")

    with pytest.raises(DataError, match="row 4, column 'n': 'x' is a text, but row 1 has a number"):
        read(database)


@pytest.mark.parametrize(
    ("old", "new"), [(b"topic TEXT", b"t\xffpic TEXT"), (b"CREATE TABLE", b"CREATE\xffTABLE"), (b"food", b"\xffo\nd")]
)
def test_what_is_not_utf_8_is_damage_in_one_line(database: Path, old: bytes, new: bytes) -> None:
    database.write_bytes(database.read_bytes().replace(old, new))

    with pytest.raises(DataError, match=r"^[^\n]*desk\.db: not a complete SQLite database \([^\n]*\)$"):
        read(database)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.sqlite").write_text("text,topic\na,film\n" * 100)

    with pytest.raises(DataError, match=r"t\.sqlite: not a complete SQLite database \(file is not a database\)"):
        read(tmp_path / "t.sqlite")


def test_a_database_without_tables_is_refused(tmp_path: Path) -> None:
    change(tmp_path / "t.sqlite", "PRAGMA user_version = 1")

    with pytest.raises(DataError, match=r"t\.sqlite: the database has no tables"):
        read(tmp_path / "t.sqlite")


def test_rows_that_sqlite_has_not_moved_yet_change_the_digest(database: Path) -> None:
    (opened,) = open_tables(Source(str(database)))
    before = opened.digest()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        moved = opened.digest()
        connection.execute("""INSERT INTO "my ""rows" VALUES ('d', 'film', 1)""")
        connection.commit()

        assert len({before, moved, opened.digest()}) == 3
