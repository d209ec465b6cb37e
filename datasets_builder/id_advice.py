"""Advice for columns that hold ids or truth values instead of the names of labels."""

import json
import re
from collections.abc import Sequence

from datasets_builder.findings import MAX_SHOWN
from datasets_builder.places import Place


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


def _spellings(words: set[str], count: int) -> list[str] | None:
    """Return how each label is spelled, if the words are ids, or truth values of two labels."""
    numbers = [str(place) for place in range(count)]
    truths = [["false", "true"], ['"False"', '"True"'], ['"FALSE"', '"TRUE"']] if count == 2 else []
    candidates = (each for each in [numbers, *truths] if words <= {name.strip('"') for name in each})
    return next(candidates, None) if words else None


def _in_yaml(label: str) -> str:
    """Return a label as a recipe writes it in `{0: label}`."""
    return label if re.fullmatch(r"[^\W\d][\w ]*\w|[^\W\d]", label) else json.dumps(label, ensure_ascii=False)
