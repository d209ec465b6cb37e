"""The word that a cell or a value of a recipe is.

A whole number is the same word in every spelling: 1, 1.0 and "1.00" are all "1". Ids such as "007", "1e3" and "+1" keep
their spelling, and so does a number with more digits than a float can distinguish. This module imports no other one.
"""

import re
import unicodedata
from typing import Any

# The spellings of a whole number. Whoever converts whole columns uses these patterns too, so RE2 must know them.
WHOLE = r"^-?(0|[1-9]\d{0,14})(\.0+)?$"
ENDING = r"\.0+$"  # removed from a whole number
_EDGES = re.compile(r"""^[\[\]{}"']|[\[\]{}"']$|^\(["']""")


def cell_word(value: Any) -> str:
    """Return the word of a text, a number or a truth value."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**53:
        value = int(value)
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if not re.match(WHOLE, text) or text.endswith("\n"):
        return text
    whole = re.sub(ENDING, "", text)
    return "0" if whole == "-0" else whole


def has_edges(word: str) -> bool:
    """Return whether a word begins or ends with a bracket or quote, as a part of a broken list does."""
    return _EDGES.search(word) is not None


def unicode_form(word: str) -> str | None:
    """Return `NFC` or `NFD`, or `None` for a word that is the same in both forms or a mixture of both."""
    forms = [form for form in ("NFC", "NFD") if unicodedata.normalize(form, word) == word]
    return forms[0] if len(forms) == 1 else None


def form_hint(given: str, labels: list[str]) -> str:
    """Return a hint that a label has the letters of the word in another Unicode form, or an empty string."""
    same = unicodedata.normalize("NFC", given)
    if any(label != given and unicodedata.normalize("NFC", label) == same for label in labels):
        form = unicode_form(given)
        return f" (it looks like a label, but has another Unicode form{f': {form}' if form else ''})"
    return ""
