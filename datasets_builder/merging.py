"""Merge rows with the same text into one row with all their labels.

Shapes: N rows, G different texts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from datasets_builder.columns import TEXT, TEXT_PAIR, task_of
from datasets_builder.findings import MAX_SHOWN
from modeling_multitask.errors import DataError

from .words import Contradictions

_HASH_KEYS = ("first hash, 16 B", "other hash, 16 B")


@dataclass(frozen=True)
class Merged:
    """The result of merging a table.

    Args:
        rows: (M,) the numbers of the kept rows, ascending.
        labels: The label columns of the kept rows.
        merged: Number of rows merged into other rows.
        dropped: Number of rows left out, because contradictory labels were dropped and no other label is left.
        repeated: Number of kept rows whose text already occurs in an earlier row of the same source.
        repeated_otherwise: Number of texts that are repeated within one source with different labels.
        contradictions: Number of labels that differed and were resolved.
    """

    rows: np.ndarray
    labels: pa.Table
    merged: int = 0
    dropped: int = 0
    repeated: int = 0
    repeated_otherwise: int = 0
    contradictions: int = 0

    def notes(self) -> list[str]:
        """Return a sentence for each count that is not 0."""
        said = {
            "rows are merged with other rows of the same text": self.merged,
            "contradictions are resolved": self.contradictions,
            "rows are left out, because contradictions are dropped and they have no other label": self.dropped,
            "rows repeat a text of their own source and are kept": self.repeated,
            "texts are repeated within one source with different labels": self.repeated_otherwise,
        }
        return [f"{count} {words}" for words, count in said.items() if count]


@dataclass(frozen=True)
class _Column:
    """A label column as numbers (NaN where the label is missing), and the name of each number for messages.

    The numbers of a regression have no names. Different ones are no contradiction.
    """

    name: str
    values: np.ndarray
    labels: list[str] = field(default_factory=list)
    decider: str = ""  # the label column that it is dropped with

    @property
    def is_number(self) -> bool:
        return not self.labels

    def word(self, value: float) -> str:
        return repr(self.labels[int(value)]) if self.labels else f"{value:g}"


def text_digests(table: pa.Table) -> np.ndarray:
    """Return (N, 2) uint64, two independent hashes of each text or pair of texts (SipHash)."""
    texts = table[TEXT].to_numpy()
    if TEXT_PAIR in table.column_names:
        pairs = zip(texts, table[TEXT_PAIR].to_numpy(), strict=True)
        texts = np.array([f"{len(one)} {one}{other}" for one, other in pairs], object)
    return np.stack([hash_array(texts, hash_key=key, categorize=False) for key in _HASH_KEYS], axis=1)


def text_keys(digests: list[np.ndarray]) -> list[np.ndarray]:
    """Return (N,) a number for each text of each split, in the order of their first rows.

    Equal texts have the same number in every split.

    Args:
        digests: (N, 2) the digests of each split's texts.
    """
    first, second = np.concatenate(digests).T
    keys, found = pd.factorize(first)
    expected = np.empty(len(found), second.dtype)
    expected[keys] = second
    if (expected[keys] != second).any():  # different texts with the same first hash
        others = pd.factorize(second)[0]
        keys = pd.factorize(keys * (others.max() + 1) + others)[0]
    return np.split(keys, np.cumsum([len(split) for split in digests])[:-1])


def merge_rows(
    labels: pa.Table,
    names: dict[str, list[str]],
    keys: np.ndarray,
    sources: np.ndarray,
    rule: Contradictions,
    describe: Callable[[int], str],
) -> Merged:
    """Merge rows with the same text.

    By default only rows of different sources are merged: the first source that has a text keeps its rows, and labels
    that these rows lack are taken from the other sources. With a rule for contradictions, all rows of a text become one
    row at the place of the first one, also within one source. Different numbers of a regression are no contradiction:
    the first one is kept, or with `majority` their mean. The same holds for distributions with one most probable label.

    Args:
        labels: (N rows) a column for each task.
        names: By task, the names of its ids, for messages. A regression has none.
        keys: (N,) the number of each row's text.
        sources: (N,) the source of each row, ascending.
        rule: How to resolve labels that differ. `error` lists those of several sources. `first` keeps the first label.
            `majority` keeps the most frequent label, or the first of equally frequent ones. `drop` makes the label
            missing, and drops rows that have no label left.
        describe: Returns the text of a row and its location, for messages.

    Raises:
        DataError: If labels differ between sources and the rule is `error`.
    """
    shared, keep = _shared(keys, sources) if rule == "error" else _repeats(keys)
    columns = [column for name in labels.column_names for column in _flat(labels, name, names.get(name, []))]
    problems: list[str] = []
    dropped_of: dict[str, pd.Index] = {}  # the texts whose labels are dropped
    contradictions, contradicted = 0, np.zeros(len(keys), bool)
    for column in columns:
        values = pd.Series(column.values[shared])
        groups = values.groupby(keys[shared])
        merged = groups.mean() if column.is_number and rule == "majority" else groups.first()
        differs = groups.nunique() > 1
        which = differs.index[differs & (not column.is_number)]
        contradictions += len(which)
        contradicted |= np.isin(keys, which)
        if rule == "error":
            problems += _describe(column, keys, shared, which, describe)
        elif rule == "majority":
            merged[which] = _most_frequent(values, keys[shared], which)
        elif rule == "drop":
            merged[dropped_of.setdefault(column.decider, which)] = np.nan
        filled = merged.reindex(keys[shared]).to_numpy()
        own = column.is_number and rule == "error"  # repeated rows of one source keep their own numbers
        column.values[shared] = np.where(np.isnan(values), filled, values) if own else filled
    if problems:
        raise DataError(_contradictory(problems, contradictions))
    unlabelled = np.all([np.isnan(column.values) for column in columns], axis=0)
    dropped = keep & contradicted & unlabelled
    rows = np.flatnonzero(keep & ~dropped)
    repeated, otherwise = _repeated(keys[rows], [column.values[rows] for column in columns if not column.is_number])
    merged_rows = int((~keep).sum())
    taken = _unflat(labels, columns, rows)
    return Merged(rows, taken, merged_rows, int(dropped.sum()), repeated, otherwise, contradictions)


def _shared(keys: np.ndarray, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks (N,) of the rows whose text several sources have, and of the rows of their first source."""
    count = int(keys.max()) + 1 if len(keys) else 0
    first, last = np.empty(count, sources.dtype), np.empty(count, sources.dtype)
    first[keys[::-1]] = sources[::-1]  # of several values for one place, the last one remains
    last[keys] = sources
    shared = (first < last)[keys]
    return shared, ~shared | (sources == first[keys])


def _repeats(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the masks (N,) of the rows whose text occurs several times, and of the first row of each text."""
    counts = np.bincount(keys)
    first = np.empty(len(counts), np.int64)
    rows = np.arange(len(keys))
    first[keys[::-1]] = rows[::-1]  # of several values for one place, the last one remains
    return (counts > 1)[keys], first[keys] == rows


def _most_frequent(values: pd.Series, keys: np.ndarray, which: pd.Index) -> pd.Series:
    """Return the most frequent label of each of these texts, or the first of equally frequent ones."""
    rows = pd.DataFrame({"key": keys, "value": values, "place": range(len(values))})
    rows = rows[np.isin(keys, which) & values.notna().to_numpy()]
    counts = rows.groupby(["key", "value"])["place"].agg(["size", "min"]).reset_index()
    best = counts.sort_values(["key", "size", "min"], ascending=[True, False, True]).drop_duplicates("key")
    return best.set_index("key")["value"][which]


def _describe(
    column: _Column, keys: np.ndarray, shared: np.ndarray, which: pd.Index, describe: Callable[[int], str]
) -> list[str]:
    lines = []
    for key in which[:MAX_SHOWN]:
        rows = [row for row in np.flatnonzero(shared & (keys == key)) if not np.isnan(column.values[row])]
        lines.append(
            f"{column.name}: " + ", ".join(f"{column.word(column.values[row])} ({describe(int(row))})" for row in rows)
        )
    return lines


def _contradictory(problems: list[str], count: int) -> str:
    shown = "".join(f"\n  {problem}" for problem in problems[:MAX_SHOWN])
    more = f"\n  and {count - MAX_SHOWN} more" if count > MAX_SHOWN else ""
    return (
        "the same text has conflicting labels in several sources; fix the data, or set data.contradictions "
        f"(first, majority, drop):{shown}{more}"
    )


def _repeated(keys: np.ndarray, columns: list[np.ndarray]) -> tuple[int, int]:
    """Return how many rows repeat a text, and how many texts are repeated with different labels."""
    counts = np.bincount(keys)
    repeated = (counts > 1)[keys]
    if not repeated.any():
        return 0, 0
    count = int(repeated.sum() - (counts > 1).sum())
    if not columns:
        return count, 0
    groups = pd.DataFrame({i: values[repeated] for i, values in enumerate(columns)}).groupby(keys[repeated])
    return count, int((groups.nunique() > 1).any(axis=1).sum())


def _flat(table: pa.Table, name: str, labels: list[str]) -> list[_Column]:
    """Return a label column as columns of numbers. A distribution comes after its labels, which decide on it."""
    array = table[name].combine_chunks()
    if not pa.types.is_struct(array.type):
        return [_Column(name, _as_floats(array), labels, name)]
    soft = array.type.num_fields > 0 and pa.types.is_floating(array.type[0].type)
    owner = task_of(name) if soft else name
    several = pa.types.is_struct(table[owner].type)
    return [
        _Column(
            f"{name} ({label})",
            _as_floats(values),
            [] if soft else ["0", "1"],
            f"{owner} ({label})" if several else owner,
        )
        for label, values in zip((each.name for each in array.type), array.flatten(), strict=True)
    ]


def _as_floats(values: pa.Array) -> np.ndarray:
    numbers: np.ndarray = pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
    return numbers.copy()


def _unflat(labels: pa.Table, columns: list[_Column], rows: np.ndarray) -> pa.Table:
    left = iter(columns)

    def take(kind: pa.DataType) -> pa.Array:
        values = next(left).values[rows]
        return pa.array(values, mask=np.isnan(values)).cast(kind)

    arrays = []
    for field_ in labels.schema:
        if pa.types.is_struct(field_.type):
            parts = [take(each.type) for each in field_.type]
            missing = np.all([part.is_null().to_numpy(zero_copy_only=False) for part in parts], axis=0)
            arrays.append(pa.StructArray.from_arrays(parts, fields=list(field_.type), mask=pa.array(missing)))
        else:
            arrays.append(take(field_.type))
    return pa.table(arrays, schema=labels.schema)
