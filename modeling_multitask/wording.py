"""Texts for display."""


def on_one_line(text: str, most: int) -> str:
    """Return the text on one line, cut to at most `most` characters."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
