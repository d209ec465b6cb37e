"""Advice for columns that hold ids or truth values instead of the names of labels, or numbers with a decimal comma."""

import json
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from datasets_builder.findings import MAX_SHOWN
from datasets_builder.places import Place

DECIMAL_COMMA = r"^\s*[+-]?\d*,\d+\s*$"
DECIMAL_ADVICE = 'if commas are decimal marks in this CSV file, add `decimal: ","` to its source'


def advise_aliases(unknown: Sequence[str], labels: Sequence[str], column: str, place: Place) -> None:
    """Add the aliases to write to the findings, if all unknown words of a column are ids or truth values.

    Args:
        unknown: The different words that are no labels.
        labels: The labels of the task.
        column: The name of the column.
        place: The location of the words.
    """
    if (spellings := _spellings(set(unknown), len(labels))) is None:
        return
    pairs = [f"{name}: {_in_yaml(label)}" for name, label in zip(spellings, labels, strict=True)]
    more = ["..."] if len(pairs) > MAX_SHOWN else []
    what = "numbers" if spellings[-1].isdigit() else "truth values"
    place.findings.advise(
        place.table,
        f"if the {what} in column {column!r} are ids of the labels, add to the task: "
        f"aliases: {{{', '.join([*pairs[:MAX_SHOWN], *more])}}}",
    )


def advise_decimal(words: pa.Array, wrong: pa.Array, place: Place) -> None:
    """Add the word `decimal` to the findings, if a wrong word is a number with a decimal comma.

    Args:
        words: (rows,) the words of a column of numbers.
        wrong: (rows,) whether each word is no number.
        place: The location of the words.
    """
    with_comma = pc.match_substring_regex(words.filter(wrong), DECIMAL_COMMA)
    if pc.any(with_comma).as_py():
        place.findings.advise(place.table, DECIMAL_ADVICE)


def _spellings(words: set[str], count: int) -> list[str] | None:
    """Return how each label is spelled, if the words are ids, or truth values of two labels."""
    numbers = [str(place) for place in range(count)]
    truths = [["false", "true"], ['"False"', '"True"'], ['"FALSE"', '"TRUE"']] if count == 2 else []
    candidates = (each for each in [numbers, *truths] if words <= {name.strip('"') for name in each})
    return next(candidates, None) if words else None


def _in_yaml(label: str) -> str:
    """Return a label as a recipe writes it in `{0: label}`."""
    return label if re.fullmatch(r"[^\W\d][\w ]*\w|[^\W\d]", label) else json.dumps(label, ensure_ascii=False)
