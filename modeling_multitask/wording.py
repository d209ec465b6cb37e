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
