"""Texts for display."""

from collections.abc import Iterable

MOST_NAMED = 5  # words of a list in one sentence


def on_one_line(text: str, most: int) -> str:
    """Return the text on one line, cut to at most `most` characters."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def first_few(words: Iterable[str]) -> str:
    """Return the first words of a list, separated by commas, and the number of the others."""
    every = list(words)
    more = [f"and {len(every) - MOST_NAMED:,} more"] if len(every) > MOST_NAMED else []
    return ", ".join([*every[:MOST_NAMED], *more])


def number_in_words(value: float, *, signed: bool = False) -> str:
    """Return a number as text: `0.912`, `64,055`, or with two significant digits below 0.01: `0.0042`, `1.2e-05`."""
    value += 0.0  # no minus zero
    size = abs(value)
    form = ",.0f" if size >= 1_000 else ".3f" if size >= 0.01 or size == 0 else ".2g"
    return f"{value:{'+' if signed else ''}{form}}"
