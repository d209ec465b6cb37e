"""The weights of rows."""

import re

import numpy as np
import pyarrow as pa

from datasets_builder.id_advice import DECIMAL_ADVICE, DECIMAL_COMMA
from datasets_builder.labels import numbers_of_words
from datasets_builder.places import Place
from datasets_builder.word_arrays import as_words
from modeling_multitask.errors import DataError

MOST = 1e15  # a sum of larger ones may be infinite in training, whose numbers have 32 bits


def row_weights(chunk: pa.Table, name: str, place: Place) -> np.ndarray:
    """Return (rows,) the weights of a chunk's rows, float64.

    Args:
        chunk: Some rows of a table.
        name: The column of the weights.
        place: The location of the chunk.

    Raises:
        DataError: If a cell is no number, below 0 or above 1e15. An empty cell is no number.
    """
    words = as_words(chunk[name].combine_chunks(), place.where(name), [])
    weights: np.ndarray = numbers_of_words(words).to_numpy(zero_copy_only=False)  # NaN for null
    wrong = ~((weights >= 0) & (weights <= MOST))
    if wrong.any():
        row = int(np.argmax(wrong))
        given = words[row].as_py() or ""
        hint = f"; {DECIMAL_ADVICE}" if re.search(DECIMAL_COMMA, given) else ""
        raise DataError(
            f"{place.table}, row {place.number(row)}, column {name!r}: {given!r} is not a weight; "
            f"a row weight must be a number, at least 0 and at most {MOST:g}{hint}"
        )
    return weights


def weight_column(weights: np.ndarray) -> pa.Array:
    """Return weights as a column, with null for NaN."""
    return pa.array(weights, pa.float64(), from_pandas=True)


def weights_of_merged(
    weights: np.ndarray, rows: np.ndarray, keys: np.ndarray, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Return (M,) the weights of the kept rows. A row that was without a label has that of the first one with a label.

    Args:
        weights: (N,) the weights of all rows.
        rows: (M,) the numbers of the kept rows.
        keys: (N,) the number of each row's text.
        before: (N,) whether a row was without any label before it was merged with others.
        after: (M,) whether a kept row is without any label.
    """
    labelled = np.flatnonzero(~before)[::-1]
    first = np.zeros(int(keys.max(initial=-1)) + 1, np.int64)
    first[keys[labelled]] = labelled  # of several values for one place, the last one remains
    return weights[np.where(before[rows] & ~after, first[keys[rows]], rows)]
