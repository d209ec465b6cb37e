"""The pairs of texts of the recipe's word `similarity`.

Shapes: P pairs.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder import DataError
from datasets_builder.columns import TEXT, TEXT_PAIR

from ..evaluation.embedding_change import FEWEST
from ..inference.texts import read_texts
from ..words_multitask import nearest_hint

SCORE = "score"  # the column of the given similarities


class SimilaritySet(NamedTuple):
    """Pairs of texts.

    Args:
        texts: (2 P), alternately the first and the second text of each pair.
        scores: The given similarity of each pair, (P,), if the table has any.
    """

    texts: list[str]
    scores: np.ndarray | None


def read_similarity_set(path: Path) -> SimilaritySet:
    """Return the pairs of a table as `multitask similarity` reads it. Pairs without both texts or a score are left out.

    Args:
        path: A table with the columns `text` and `text_pair`, and maybe `score`.

    Raises:
        DataError: If the file cannot be read, lacks a column, or has fewer than three whole pairs.
    """
    given = read_texts(path)
    columns = given.table.column_names
    if len(given.columns) == 1:
        there = f"its columns are {', '.join(map(repr, columns))}{nearest_hint(TEXT_PAIR, columns)}"
        raise DataError(f"{path}: no column {TEXT_PAIR!r}; {there}; a similarity set needs {TEXT!r} and {TEXT_PAIR!r}")
    kept = given.whole
    scores = _scores(path, given.table[SCORE]) if SCORE in columns else None
    if scores is not None:
        kept = kept & np.isfinite(scores)
    if kept.sum() < FEWEST:
        raise DataError(f"{path}: {kept.sum()} pairs are complete; a similarity set needs at least {FEWEST}")
    sentences = given.sentences
    texts = [text for i in np.flatnonzero(kept) for text in sentences[2 * i : 2 * i + 2]]
    return SimilaritySet(texts, None if scores is None else scores[kept])


def _scores(path: Path, column: pa.ChunkedArray) -> np.ndarray:
    """Return the scores, (P,), NaN where one is missing."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)
    try:
        return column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: the column {SCORE!r} does not hold numbers ({error})") from None
