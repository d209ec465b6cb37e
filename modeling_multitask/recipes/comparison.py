"""Differences between the recorded recipe of a run and the current one."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Change(NamedTuple):
    """The values of a word in two recipes."""

    before: Any
    now: Any


def changed_words(before: dict[str, Any], now: dict[str, Any], *, ignored: Iterable[str] = ()) -> dict[str, Change]:
    """Return the top-level words that differ between two recipes, in the order of the second recipe.

    Args:
        before: The content of a `recipe.json`.
        now: The current recipe in the same form.
        ignored: Words that may differ.
    """
    names = [name for name in now if name not in set(ignored)]
    return {name: Change(before.get(name), now[name]) for name in names if before.get(name) != now[name]}
