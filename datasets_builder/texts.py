"""The texts of a table, and the rows that have none."""

import functools
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.label_lists import is_list
from datasets_builder.source import Cell
from datasets_builder.word_arrays import decoded, is_text
from modeling_multitask.errors import DataError


def table_texts(chunk: pa.Table, name: str, table: str) -> pa.Array:
    """Return a column of texts as strings. A list of tokens is joined by spaces.

    Raises:
        DataError: If the column holds no texts.
    """
    cells = decoded(chunk[name].combine_chunks())
    if is_list(cells.type) and is_text(cells.type.value_type):
        return pc.binary_join(cells.cast(pa.list_(pa.string())), " ")
    if not (is_text(cells.type) or pa.types.is_null(cells.type)):
        raise DataError(f"{table}, column {name!r}: holds {cells.type}, not texts")
    return cells.cast(pa.string())


def rows_with_text(texts: list[pa.Array], missing: Sequence[Cell]) -> tuple[pa.Array, Counter[str]]:
    """Return the mask of the rows that have all their texts, and the number of the other rows by reason.

    Args:
        texts: The column of the text, or the two columns of a pair.
        missing: Texts that mark a missing text. White space around a text does not count.
    """
    trimmed = [pc.utf8_trim_whitespace(text) for text in texts]
    words = pa.array([str(word).strip() for word in missing], pa.string())
    empty = _any(pc.fill_null(pc.equal(text, ""), True) for text in trimmed)
    marked = pc.and_not(_any(pc.is_in(text, words) for text in trimmed), empty)
    counts = {
        "rows without a text are left out": pc.sum(empty).as_py(),
        "rows with a text of data.missing_text are left out": pc.sum(marked).as_py(),
    }
    kept = pc.invert(pc.or_(empty, marked))
    return kept, Counter({reason: count for reason, count in counts.items() if count})


def _any(masks: object) -> pa.Array:
    return functools.reduce(pc.or_, masks)  # type: ignore[call-overload]
