"""DataFrames and Series of pandas or polars: their texts, and a DataFrame of answers.

Both libraries are optional here. An object of theirs exists only if its library is already imported.
"""

import sys
from typing import Any

from ..tasks_multitask import TaskConfig
from ..texts_multitask import TEXT, TEXT_PAIR
from ..words_multitask import nearest_hint


def cells_of(given: Any) -> Any:
    """Return the texts of a DataFrame as a list, or pairs if it has the column `text_pair`; anything else unchanged.

    Raises:
        ValueError: If a DataFrame has no column `text`.
    """
    if _library(given, "DataFrame") is None:
        return given
    names = list(given.columns)
    if TEXT not in names:
        raise ValueError(
            f"the DataFrame has no column {TEXT!r}; its columns are {', '.join(map(repr, names))}"
            f"{nearest_hint(TEXT, names)}; give one of them instead, such as frame[{names[0] if names else TEXT!r}]"
        )
    if twice := [name for name in (TEXT, TEXT_PAIR) if names.count(name) > 1]:
        raise ValueError(f"the DataFrame has several columns {twice[0]!r}; rename all but one")
    columns = [given[name] for name in (TEXT, TEXT_PAIR) if name in names]
    return list(zip(*columns, strict=True)) if len(columns) > 1 else list(columns[0])


def answer_frame(answers: list[dict[str, Any]], tasks: list[TaskConfig], given: Any) -> Any:
    """Return a DataFrame with the columns of `columns_of_answers`.

    Args:
        answers: The answers to N texts.
        tasks: Their tasks, in order.
        given: The texts as they were given. A DataFrame or Series decides the library and keeps its index. For
            anything else, the DataFrame is one of pandas.
    """
    # Imported here, because `predict` itself needs neither pandas nor datasets, which take seconds.
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    from .tables import columns_of_answers  # noqa: PLC0415

    columns = columns_of_answers(answers, tasks)
    library = _library(given, "DataFrame") or _library(given, "Series")
    if library is not None and library is not pd:
        return library.from_arrow(pa.table(columns))
    # Arrow would make an array of each list.
    series = {
        name: pd.Series(each.to_pylist(), dtype=object) if pa.types.is_list(each.type) else each.to_pandas()
        for name, each in columns.items()
    }
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(answers)))
    return frame if library is None else frame.set_axis(given.index)


def _library(given: Any, kind: str) -> Any:
    """Return the library whose `DataFrame` or `Series` an object is, or `None`."""
    loaded = filter(None, map(sys.modules.get, ("pandas", "polars")))
    return next((each for each in loaded if isinstance(given, getattr(each, kind, ()))), None)
