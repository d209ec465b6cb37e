"""Rows of the same text in several sources become one row with the labels of all.

Shapes: N rows, G different texts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.columns import TEXT, TEXT_PAIR
from datasets_builder.findings import MAX_SHOWN
from modeling_multitask.errors import DataError

from .words import Contradictions


@dataclass(frozen=True)
class Merged:
    """What merging made of a table.

    Args:
        rows: (M,) the numbers of the rows that stay, ascending.
        labels: Their label columns.
        merged: How many rows went into others.
        repeated: How many rows stay whose text stands above already, in the same source.
        repeated_otherwise: How many texts repeat in one source with other labels.
        contradictions: How many labels differed between sources and were resolved.
    """

    rows: np.ndarray
    labels: pa.Table
    merged: int = 0
    repeated: int = 0
    repeated_otherwise: int = 0
    contradictions: int = 0

    def notes(self) -> list[str]:
        """What happened, in words."""
        said = {
            "rows are merged with rows of the same text in other sources": self.merged,
            "contradictions between sources are resolved": self.contradictions,
            "rows repeat a text of their own source, and stay": self.repeated,
            "texts are repeated in one source with other labels": self.repeated_otherwise,
        }
        return [f"{count} {words}" for words, count in said.items() if count]


@dataclass(frozen=True)
class _Column:
    """A label column as numbers, NaN where missing, and the name of each number for messages."""

    name: str
    values: np.ndarray
    labels: list[str] = field(default_factory=list)

    def word(self, value: float) -> str:
        return repr(self.labels[int(value)]) if self.labels else f"{value:g}"


def text_keys(table: pa.Table, known: dict[bytes, int]) -> np.ndarray:
    """A number for each text, or pair of texts, the same for the same; (N,).

    Args:
        table: The rows.
        known: The numbers given so far, by digest of the text; grows.
    """
    texts = table[TEXT].to_pylist()
    if TEXT_PAIR in table.column_names:
        texts = [f"{len(one)} {one}{other}" for one, other in zip(texts, table[TEXT_PAIR].to_pylist(), strict=True)]
    digests = (blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return np.array([known.setdefault(digest, len(known)) for digest in digests], dtype=np.int64)


def merge_rows(
    labels: pa.Table,
    names: dict[str, list[str]],
    keys: np.ndarray,
    sources: np.ndarray,
    rule: Contradictions,
    describe: Callable[[int], str],
) -> Merged:
    """Merges rows of the same text across sources; within one source repeated rows stay.

    The first source that has a text keeps its rows of it, and these take the labels they lack from the others.

    Args:
        labels: (N rows) a column for each task.
        names: By task, the names of its ids, for messages.
        keys: (N,) the number of each row's text.
        sources: (N,) which source a row is from, ascending.
        rule: What becomes of labels that differ: `error` lists them; `first` takes that of the first source,
            `majority` the most frequent, of equally frequent ones the first; `drop` makes the label missing, and
            leaves out a row that keeps none.
        describe: Says of a row which text it has and where it stands.

    Raises:
        DataError: If labels differ and the rule is `error`.
    """
    count = int(keys.max()) + 1 if len(keys) else 0
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(first, keys, sources)
    np.maximum.at(last, keys, sources)
    shared = (first < last)[keys]
    keep = ~shared | (sources == first[keys])
    columns = [column for name in labels.column_names for column in _flat(labels[name], name, names.get(name, []))]
    problems: list[str] = []
    contradictions = 0
    for column in columns:
        values = pd.Series(column.values[shared])
        groups = values.groupby(keys[shared])
        merged, differs = groups.first(), groups.nunique() > 1
        contradictions += int(differs.sum())
        which = differs.index[differs]
        if rule == "error":
            problems += _describe(column, keys, shared, which, describe)
        elif rule == "majority":
            merged[which] = _most_frequent(values, keys[shared], which)
        elif rule == "drop":
            merged[which] = np.nan
        column.values[shared] = merged.reindex(keys[shared]).to_numpy()
    if problems:
        raise DataError(_contradictory(problems, contradictions))
    if rule == "drop" and contradictions:
        unlabelled = np.all([np.isnan(column.values) for column in columns], axis=0)
        keep &= ~(shared & unlabelled)
    rows = np.flatnonzero(keep)
    repeated, otherwise = _repeated(keys[rows], [column.values[rows] for column in columns])
    return Merged(rows, _unflat(labels, columns, rows), int((~keep).sum()), repeated, otherwise, contradictions)


def _most_frequent(values: pd.Series, keys: np.ndarray, which: pd.Index) -> pd.Series:
    """For each of these texts the label that most of its rows have; of equally frequent ones the first."""
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
        "texts that stand in several sources have labels that contradict each other; mend them, or say by "
        f"data.contradictions what to do (first, majority, drop):{shown}{more}"
    )


def _repeated(keys: np.ndarray, columns: list[np.ndarray]) -> tuple[int, int]:
    """How many rows repeat a text, and how many texts do so with other labels."""
    unique, counts = np.unique(keys, return_counts=True)
    repeated = np.isin(keys, unique[counts > 1])
    if not repeated.any():
        return 0, 0
    groups = pd.DataFrame({i: values[repeated] for i, values in enumerate(columns)}).groupby(keys[repeated])
    return int(repeated.sum() - groups.ngroups), int((groups.nunique() > 1).any(axis=1).sum())


def _flat(column: pa.ChunkedArray, name: str, labels: list[str]) -> list[_Column]:
    if pa.types.is_struct(column.type):
        array = column.combine_chunks()
        parts = zip((field.name for field in array.type), array.flatten(), strict=True)
        return [_Column(f"{name} ({label})", _as_floats(values), ["0", "1"]) for label, values in parts]
    return [_Column(name, _as_floats(column.combine_chunks()), labels)]


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
