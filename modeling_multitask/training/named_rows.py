"""Name the row of a table whose text or label is invalid. A batch does not know where its rows are in the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import RowError
from .collator import MultiTaskCollator


@contextmanager
def naming_rows(collate: Any, tables: dict[str, Any]) -> Iterator[None]:
    """Turn a `RowError` about a batch into a `ValueError` about a row of a table, such as `train_dataset[17]`.

    The tables are read only after an error. A stream is not read again, so the message is about the batch.

    Args:
        collate: The collator.
        tables: The tables that the batches come from, by name.

    Raises:
        ValueError: If a row has an invalid text or label.
    """
    try:
        yield
    except RowError as error:
        for name, rows in tables.items():
            if (message := _first_problem(collate, name, rows)) is not None:
                raise ValueError(message) from error
        raise


def _first_problem(collate: Any, name: str, rows: Any) -> str | None:
    known = isinstance(collate, MultiTaskCollator) and hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
    for i in range(len(rows)) if known else ():
        try:
            collate([rows[i]])
        except RowError as error:
            return f"{name}[{i}]: {error.problem}"
        except ValueError:  # of a list of numbers that only other rows explain
            continue
    return None
