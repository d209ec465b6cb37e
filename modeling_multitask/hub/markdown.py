"""Markdown that shows untrusted names and texts unchanged, and never reads them as markup."""

import re
from typing import Any

from markupsafe import Markup

# Markdown signs: anywhere, at the start of a line, and in URLs that become links.
_SIGN = re.compile(r"([\\`*_{}\[\]<>|#~&$@]|^[-+=]|(?<=^\d)[.)]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def escape_markdown(given: Any) -> str:
    """Return the text on one line with every Markdown sign escaped. `Markup` is returned unchanged."""
    if isinstance(given, Markup):
        return str(given)
    return _SIGN.sub(r"\\\1", " ".join(str(given).split()))


def code(word: str) -> str:
    """Return the word as inline code on one line, for any content."""
    word = " ".join(word.split())
    marks = "`" * (_longest_run(word) + 1)
    return f"{marks} {word} {marks}" if word.startswith("`") or word.endswith("`") else f"{marks}{word}{marks}"


def fenced(text: str) -> str:
    """Return the text as a fenced code block, for any content."""
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
