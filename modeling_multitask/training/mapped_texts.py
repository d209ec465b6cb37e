"""Results of a model for each text of a table, cached with the rows by `datasets`.

Shapes: N rows of a table, D width of a result.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from datasets import Dataset, Features, List, Value

from ..texts_multitask import TEXT, TEXT_PAIR, Text
from .tokens import checked_texts


def map_texts(
    rows: Dataset,
    compute: Callable[[Sequence[Text]], dict[str, np.ndarray]],
    *,
    keys: Sequence[str],
    digest: str,
    desc: str,
) -> Dataset:
    """Return a table with a column of vectors, (N, D), for each key.

    `Dataset.map` caches it for other runs on the same rows. Its own hash of a function that holds a model would differ
    in each process.

    Args:
        rows: The table with `text`, and maybe `text_pair`.
        compute: Returns the vectors of some texts or pairs of texts by key.
        keys: The keys of `compute`.
        digest: A hash of everything that the vectors depend on, besides the rows.
        desc: The text of the progress bar.

    Raises:
        RowError: If a text is not a string.
    """

    def of_columns(*columns: list[str]) -> dict[str, np.ndarray]:
        texts = [checked_texts(column, name) for column, name in zip(columns, (TEXT, TEXT_PAIR), strict=False)]
        return compute(texts[0] if len(texts) == 1 else list(zip(*texts, strict=True)))

    names = [column for column in (TEXT, TEXT_PAIR) if column in rows.column_names]
    return rows.select_columns(names).map(  # without the labels, which `map` would decode
        of_columns,
        batched=True,
        input_columns=names,
        remove_columns=names,
        features=Features({key: List(Value("float32")) for key in keys}),
        new_fingerprint=hashlib.blake2b(f"{digest} {rows._fingerprint}".encode(), digest_size=8).hexdigest(),
        desc=desc,
    )
