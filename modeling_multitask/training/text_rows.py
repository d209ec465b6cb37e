"""Training rows whose texts are embedded, and a table that one process makes for all."""

from collections.abc import Callable
from typing import Any

from accelerate.utils import broadcast_object_list
from datasets import Dataset

from ..texts_multitask import TEXT
from .arguments import MultiTaskTrainingArguments


def check_text_rows(rows: Any, word: str, *, column: str = TEXT) -> None:
    """Raise a `ValueError` if the embeddings of the training rows cannot be computed.

    Args:
        rows: The training rows.
        word: The word that needs the embeddings, for messages.
        column: A column with the embeddings, which replaces the texts.
    """
    if not isinstance(rows, Dataset):
        raise ValueError(
            f"{word}: needs the training rows as a datasets.Dataset, but they are a {type(rows).__name__}, and the "
            "embedding of every row is computed at once; use Dataset.from_list or Dataset.from_generator, or leave "
            f"{word} out"
        )
    if rows.format["type"] == "custom":
        raise ValueError(
            f"{word}: with_transform makes the training rows during training, and the embedding of every row is "
            f"computed before they are drawn; use map instead, or leave {word} out"
        )
    if not {TEXT, column} & set(rows.column_names):
        raise ValueError(
            f"{word}: the training data set has no column {TEXT!r}, and the embedding of each text is computed; keep "
            f"the texts next to input_ids, or leave {word} out"
        )


def made_by_one(args: MultiTaskTrainingArguments, rows: Dataset, make: Callable[[Dataset], Dataset]) -> Dataset:
    """Return a table that is made from the rows. One process makes it, and the others read its cache or receive it.

    Args:
        args: The arguments of the run.
        rows: The rows, in a file or in memory.
        make: Returns the table, which `datasets` caches if the rows are in a file.
    """
    found = None
    with args.main_process_first(desc="embed the training rows"):
        if rows.cache_files or args.process_index == 0:
            found = make(rows)
    return found if rows.cache_files else broadcast_object_list([found])[0]
