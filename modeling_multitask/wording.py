"""Texts for display."""

from collections.abc import Iterable

MOST_NAMED = 5  # words of a list in one sentence


def on_one_line(text: str, most: int) -> str:
    """Return the text on one line, cut to at most `most` characters."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def first_few(words: Iterable[str]) -> str:
    """Return the first words of a list, separated by commas, and the number of the others."""
    every = list(words)
    more = [f"and {len(every) - MOST_NAMED:,} more"] if len(every) > MOST_NAMED else []
    return ", ".join([*every[:MOST_NAMED], *more])


def with_a_label(rows: int) -> str:
    """Return `1 validation row has a label` or `2 validation rows have a label`."""
    return "1 validation row has a label" if rows == 1 else f"{rows:,} validation rows have a label"


def shown_number(value: float, *, signed: bool = False) -> str:
    """Return a number as text: `0.912`, `64,055`, or with two significant digits below 0.01: `0.0042`, `1.2e-05`."""
    return shown_numbers([value], signed=signed)[0]


def shown_numbers(values: Iterable[float | None], *, signed: bool = False) -> list[str]:
    """Return numbers that belong together, such as a figure and its interval, with the digits of the largest one.

    `None` is left out.
    """
    numbers = [value for value in values if value is not None]
    size = max(map(abs, numbers))
    form = ",.0f" if size >= 1_000 else ".3f" if size >= 0.01 or size == 0 else ".2g"
    sign = "+" if signed else ""
    return [f"{0.0 if float(f'{value:.3f}') == 0 and form == '.3f' else value:{sign}{form}}" for value in numbers]
