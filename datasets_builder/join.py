"""The declaration of a join: another table, whose columns the rows of a source get.

This module does not import `datasets` or torch, so that a recipe can be checked without them.
"""

import os
from dataclasses import dataclass
from typing import Any

from modeling_multitask.words_multitask import declared_words, word, word_of

from .addresses import check_address, is_address
from .layout import Decimal, Format, Layout, Quoting


@dataclass(frozen=True, kw_only=True)
class Join:
    """Another table, which has one row for each id. Each row of the source gets the columns of the row with its id.

    Args:
        path: A file, a folder of files, or the id of a data set on the Hub.
        on: The column of the id, or several columns that form the id. Both tables have it.
        data: The rows, instead of a path, as in [`Source`].
        format: How a file is written, as in [`Layout`]; also `delimiter`, `encoding`, `header`, `columns`, `quoting`,
            `decimal`, `skip_rows`, `sheet`, `table` and `query`.

    Raises:
        ValueError: If both or neither of `path` and `data` are given, an address has an unknown protocol or contains
            credentials, `on` names no column, or a word of the layout is invalid.

    Example:
        >>> from datasets_builder import Join, Source
        >>> source = Source("tickets.csv", join=Join(path="labels.csv", on="id"), labels={"team": "team"})
        >>> source.join.key
        ['id']
    """

    path: str | None = word(
        None,
        required=True,
        description="The other table: a file or a folder, as the `path` of a source, or the id of a data set on the "
        "Hub, whose split `train` is read. Relative to the recipe.",
        example="labels.csv",
    )
    on: str | list[str] = word(
        description="The column of the id, which both tables have, or a list of the columns that form the id. Ids are "
        "compared as words.",
        example="id",
    )
    data: Any = None
    format: Format | None = word_of(Layout, "format")
    delimiter: str | None = word_of(Layout, "delimiter")
    encoding: str | None = word_of(Layout, "encoding")
    header: bool = word_of(Layout, "header")
    columns: list[str] | None = word_of(Layout, "columns")
    quoting: Quoting | None = word_of(Layout, "quoting")
    decimal: Decimal | None = word_of(Layout, "decimal")
    skip_rows: int = word_of(Layout, "skip_rows")
    sheet: str | None = word_of(Layout, "sheet")
    table: str | None = word_of(Layout, "table")
    query: str | None = word_of(Layout, "query")

    def __post_init__(self) -> None:
        if (self.path is None) == (self.data is None):
            raise ValueError("a join needs either path or data, and not both")
        if self.path is not None:
            if not isinstance(self.path, str | os.PathLike):
                raise ValueError(f"path is a {type(self.path).__name__}; give a table in memory as `data`")
            object.__setattr__(self, "path", os.fspath(self.path))
            if is_address(self.path):
                check_address(self.path)
        if not self.key or not all(isinstance(name, str) and name for name in self.key):
            raise ValueError(f"on is {self.on!r}; it must be a column that both tables have, or a list of such columns")
        if len(set(self.key)) < len(self.key):
            raise ValueError(f"on is {self.on!r}; name each column once")
        _ = self.layout  # which checks its words

    @property
    def key(self) -> list[str]:
        """The columns of the id, always as a list."""
        return list(self.on) if isinstance(self.on, list | tuple) else [self.on]

    @property
    def layout(self) -> Layout:
        """How the files of the other table are written.

        Raises:
            ValueError: If a word is invalid.
        """
        return Layout(**{name: getattr(self, name) for name in declared_words(Layout)})
