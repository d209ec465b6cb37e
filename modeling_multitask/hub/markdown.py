"""Markdown that shows names and texts of unknown origin as they are, never as markup."""

import re
from typing import Any

from markupsafe import Markup

# What Markdown may read as a sign anywhere, at the start of a line, and in an address that it would make a link of.
_SIGN = re.compile(r"([\\`*_{}\[\]<>|#~&$@]|^[-+=]|(?<=^\d)[.)]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def escape_markdown(given: Any) -> str:
    """The text on one line with every Markdown sign escaped; `Markup` is returned unchanged."""
    if isinstance(given, Markup):
        return str(given)
    return _SIGN.sub(r"\\\1", " ".join(str(given).split()))


def code(word: str) -> str:
    """The word as inline code, on one line, whatever it contains."""
    word = " ".join(word.split())
    marks = "`" * (_longest_run(word) + 1)
    return f"{marks} {word} {marks}" if word.startswith("`") or word.endswith("`") else f"{marks}{word}{marks}"


def fenced(text: str) -> str:
    """The text as a fenced block, whatever it contains."""
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
