"""Numbers and texts as people read them."""


def on_one_line(text: str, most: int) -> str:
    """The text without line breaks, cut to at most so many characters."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
