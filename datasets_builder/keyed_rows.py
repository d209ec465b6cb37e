"""The rows of a table by their key, which is the word of one column or of several.

Shapes: R rows of a chunk, N rows of the table, K different keys.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.key_index import KeyIndex
from datasets_builder.tables import Table
from datasets_builder.word_arrays import as_text, as_words, compared_words, decoded, is_text
from modeling_multitask.errors import DataError


@dataclass(frozen=True)
class KeyedRows:
    """Some columns of a table in memory, with one row for each key.

    Args:
        index: (K,) the keys, in the order of the table.
        cells: By column, (K,) the cells.
        counts: (K,) the number of rows of each key.
        rows: N, which includes the rows without a key.
    """

    index: KeyIndex
    cells: dict[str, pa.Array]
    counts: np.ndarray
    rows: int


@dataclass(frozen=True)
class _Given:
    """All rows of the tables.

    Args:
        on: The columns of the key.
        tables: The tables.
        keys: (N,) the key of each row, null for an empty one.
        owners: (N,) the number of the table of each row.
        lines: (N,) the line of each row.
        cells: By column, (N,) the cells.
    """

    on: str
    tables: Sequence[Table]
    keys: pa.Array
    owners: np.ndarray
    lines: np.ndarray
    cells: dict[str, pa.Array]


def read_keyed_rows(tables: Sequence[Table], on: list[str], columns: list[str]) -> KeyedRows:
    """Read some columns of tables that belong together. Rows with an empty key are left out.

    Args:
        tables: The tables.
        on: The columns of the key.
        columns: The columns to keep.

    Raises:
        DataError: If a table cannot be read, a column of the key holds no words, or rows with the same key differ in a
            column that is kept.
    """
    given = _read(tables, on, columns)
    codes = given.keys.dictionary_encode()
    with_key = np.flatnonzero(codes.is_valid().to_numpy(zero_copy_only=False))
    numbers = codes.indices.drop_null().to_numpy()
    _, firsts, counts = np.unique(numbers, return_index=True, return_counts=True)
    _check_same(given, with_key, with_key[firsts][numbers])
    kept = with_key[firsts]
    whole = len(kept) == len(given.keys)
    cells = {name: column if whole else column.take(pa.array(kept)) for name, column in given.cells.items()}
    return KeyedRows(KeyIndex(codes.dictionary), cells, counts, len(given.keys))


def key_words(chunk: pa.Table, on: list[str], table: str) -> pa.Array:
    """Return (R,) the key of each row, null if one of its columns has an empty cell.

    The words of several columns are joined by commas. A comma within a word has a backslash, so that `a,b` and `c` are
    another key than `a` and `b,c`.

    Args:
        chunk: Some rows of a table.
        on: The columns of the key.
        table: The name of the table in messages.

    Raises:
        DataError: If a column holds lists, objects, dates or the like.
    """
    words = [compared_words(chunk[name].combine_chunks(), f"{table}, column {name!r}", "join.on") for name in on]
    if len(words) == 1:
        return words[0]
    escaped = [pc.replace_substring_regex(each, r"([\\,])", r"\\\1") for each in words]
    return pc.binary_join_element_wise(*escaped, ", ")


def _read(tables: Sequence[Table], on: list[str], columns: list[str]) -> _Given:
    keys: list[pa.Array] = []
    cells: dict[str, list[pa.Array]] = {name: [] for name in columns}
    owners, lines = [], []
    for number, table in enumerate(tables):
        for rows in table.read_rows(list(dict.fromkeys([*on, *columns]))):
            keys.append(key_words(rows.chunk, on, table.name))
            owners.append(np.full(len(rows.lines), number, dtype=np.int32))
            lines.append(rows.lines)
            for name in columns:
                cells[name].append(decoded(rows.chunk[name].combine_chunks()))
    whole = {name: _in_one(cells.pop(name), f"{tables[0].name}, column {name!r}") for name in columns}
    return _Given(" and ".join(on), tables, _in_one(keys, ""), np.concatenate(owners), np.concatenate(lines), whole)


def _in_one(chunks: list[pa.Array], where: str) -> pa.Array:
    """Return the chunks of a column as one array. Numbers become texts if other chunks have texts.

    Raises:
        DataError: If chunks hold lists or objects, and others something else.
    """
    try:
        column = _concatenated(chunks)
    except pa.ArrowException:
        try:
            column = _concatenated([as_text(each, where) for each in chunks])
        except DataError:
            kinds = " and ".join(dict.fromkeys(str(each.type) for each in chunks))
            raise DataError(f"{where}: holds {kinds} in different rows; it must hold one kind of values") from None
    # The offsets of plain strings end at 2 GiB, so that larger columns would be several chunks.
    return (column.cast(pa.large_string()) if is_text(column.type) else column).combine_chunks()


def _concatenated(chunks: list[pa.Array]) -> pa.ChunkedArray:
    parts = [pa.table([each], names=["cells"]) for each in chunks]
    return pa.concat_tables(parts, promote_options="permissive")["cells"]


def _check_same(given: _Given, rows: np.ndarray, firsts: np.ndarray) -> None:
    """Raise a `DataError` for the first row that differs from the first row of its key.

    Args:
        given: All rows.
        rows: The numbers of the rows with a key.
        firsts: For each of them, the number of the first row with its key.
    """
    later = rows != firsts
    rows, firsts = rows[later], firsts[later]
    differing = {name: _differ(column, rows, firsts) for name, column in given.cells.items()}
    wrong = np.flatnonzero(functools.reduce(np.logical_or, differing.values(), np.zeros(len(rows), dtype=bool)))
    if not len(wrong):
        return
    row, first = int(rows[wrong[0]]), int(firsts[wrong[0]])
    name = next(name for name, each in differing.items() if each[wrong[0]])
    values = [given.cells[name][each].as_py() for each in (first, row)]
    others = len(np.unique(firsts[wrong])) - 1
    more = f" (more such ids: {others})" if others else ""
    raise DataError(
        f"{_place(given, row)}: the row with {given.on} {given.keys[row].as_py()!r} differs from that in "
        f"{_place(given, first)}: column {name!r} is {values[1]!r} here, and {values[0]!r} there{more}. A joined table "
        "has one row for each id; remove one of the rows"
    )


def _differ(column: pa.Array, rows: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Return whether the cells of these rows are other words, or other values of another kind, than those of others."""
    ours, theirs = (_comparable(column.take(pa.array(each))) for each in (rows, firsts))
    unequal = pc.fill_null(pc.not_equal(ours, theirs), False)
    return pc.or_(unequal, pc.xor(pc.is_null(ours), pc.is_null(theirs))).to_numpy(zero_copy_only=False)


def _comparable(cells: pa.Array) -> pa.Array:
    try:
        return as_words(cells, "", [])
    except DataError:
        return pa.array([None if each is None else repr(each) for each in cells.to_pylist()], pa.string())


def _place(given: _Given, row: int) -> str:
    table = given.tables[given.owners[row]]
    return f"{table.name}, {'row' if table.path is None else 'line'} {given.lines[row]}"
