"""Where two recipes differ: the one that a run has recorded, and the one that is given now."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Change(NamedTuple):
    """What a word says in each of two recipes."""

    before: Any
    now: Any


def changed_words(before: dict[str, Any], now: dict[str, Any], *, ignored: Iterable[str] = ()) -> dict[str, Change]:
    """The words at the top of two recipes that say different things, in the order of the second one.

    Args:
        before: The content of a `recipe.json`.
        now: Likewise, of the recipe that is given now.
        ignored: Words that may differ.
    """
    names = [name for name in now if name not in set(ignored)]
    return {name: Change(before.get(name), now[name]) for name in names if before.get(name) != now[name]}
