"""The cells of a column by form: empty, words, texts, numbers, dates, links, lists and others."""

import datetime
import decimal
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from datasets_builder.cell_lists import parse_list
from datasets_builder.cell_words import cell_word
from datasets_builder.label_positions import POSITIONS
from datasets_builder.labels import NUMBER

Form = Literal[
    "empty", "objects", "several types", "dates", "links", "lists", "positions", "numbers", "decimal commas", "texts"
]

_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?\s*")
_DATE = re.compile(
    r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2})?)"
)
_LINK = re.compile(r"((https?|ftp)://|www\.)\S+|[^\s@]+@[^\s@]+\.[a-z]+", re.IGNORECASE)


class Cells:
    """The cells of a column.

    Args:
        name: The name of the column, or its path.
        values: The cells, in the order of the rows.
        decimal_commas: Whether `4,5` may be a number.
    """

    def __init__(self, name: str, values: Sequence[Any], *, decimal_commas: bool = False) -> None:
        self.name = name
        self.values = list(values)
        self.filled = [value for value in self.values if not is_blank(value)]
        self._decimal_commas = decimal_commas

    @cached_property
    def form(self) -> Form:
        """The form of the cells."""
        kinds = {_kind(value) for value in self.filled}
        if not kinds:
            return "empty"
        if kinds == {"object"} and all(are_positions(value) for value in self.filled):
            return "positions"
        if kinds & {"object", "bytes"}:
            return "objects"
        if len(kinds) > 1:
            return "several types"
        if kinds == {"date"}:
            return "dates"
        if self.lists is not None:
            return "objects" if any(isinstance(each, dict | list) for row in self.lists for each in row) else "lists"
        if kinds == {"number"} or self._all(re.compile(NUMBER)):
            return "numbers"
        return self._form_of_texts()

    @cached_property
    def lists(self) -> list[list[Any]] | None:
        """The lists of the filled cells, also those that are written as text; `None` if the cells are no lists."""
        if self.filled and all(isinstance(value, list | tuple) for value in self.filled):
            return [list(value) for value in self.filled]
        if not self.filled or not all(
            isinstance(value, str) and value.lstrip().startswith("[") for value in self.filled
        ):
            return None
        try:
            return [parse_list(value) for value in self.filled]
        except ValueError:
            return None

    @cached_property
    def words(self) -> list[str]:
        """The filled cells as words; of lists, their elements; of zeros and ones by label, the labels."""
        if self.lists is not None:
            return [cell_word(each) for row in self.lists for each in row if not is_blank(each)]
        if self.filled and isinstance(self.filled[0], Mapping):
            return list(self.filled[0])
        return [cell_word(value) for value in self.filled]

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of cells of each word, the most frequent word first."""
        return Counter(dict(Counter(self.words).most_common()))

    @cached_property
    def numbers(self) -> list[float]:
        """The filled cells as numbers, if they are numbers."""
        return [float(word.replace(",", ".")) for word in self.words]

    @property
    def are_codes(self) -> bool:
        """Whether the cells are all different, and none of them has a space, as ids."""
        return len(self.counts) == len(self.words) and not any(re.search(r"\s", word) for word in self.words)

    def _form_of_texts(self) -> Form:
        if self._all(_DATE):
            return "dates"
        if self._all(_LINK):
            return "links"
        if self._decimal_commas and self._all(_DECIMAL_COMMA):
            return "decimal commas"
        return "texts"

    def _all(self, pattern: re.Pattern[str]) -> bool:
        return all(pattern.fullmatch(word.strip()) for word in self.words)


def is_blank(value: Any) -> bool:
    """Return whether a cell is empty: null, NaN or the empty string."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def are_positions(given: Mapping[str, Any]) -> bool:
    """Return whether an object has a zero or a one for each of several labels."""
    values = [value for value in given.values() if value is not None]
    return len(given) > 1 and bool(values) and all(str(value).lower() in POSITIONS for value in values)


def are_few(distinct: int, cells: int) -> bool:
    """Return whether there are few enough different words among the cells for a label: some occur several times."""
    most = cells // 2 + 1 if cells < 20 else max(10, cells // 5)
    return 2 <= distinct <= most and distinct < cells


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth value"
    if isinstance(value, int | float | decimal.Decimal):
        return "number"
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return "date"
    if isinstance(value, dict):
        return "object"
    return "list" if isinstance(value, list | tuple) else type(value).__name__
