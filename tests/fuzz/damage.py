"""Strategies of hypothesis that damage valid content."""

import copy
import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
# Function-scoped fixtures hold what no example changes.
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)

_NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 10**9, 10**12, 2**62, -(10**12), 0.5, 1e300, float("nan"), float("inf")]),
    st.integers(-300, 300),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    _NUMBERS,
    st.sampled_from(["", " ", "x", "../../x", "__import__('os')", "\x00", "a" * 5_000, "\ud800", "LABEL_0", "cls"]),
    st.sampled_from([[], {}, [[]], [None], {"": None}, {"a": {"b": []}}, [1, "x"], ["a", "a"]]),
    st.text(max_size=20),
)


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to four changes: bytes replaced, removed or inserted, or the end cut off."""
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 1, 4, 8, 64]))
        put = draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\x00" * 8, b"\xff" * 8, b'"', b"\n"]))
        )
        end = draw(st.sampled_from([place + length] * 6 + [len(content)]))
        content = content[:place] + put + content[end:]
    return content


@st.composite
def damaged_json(draw: st.DrawFn, content: Any) -> Any:
    """The content with up to three changes: a value replaced, removed or added at any depth."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        holders = _holders(content)
        holder, name = holders[draw(st.integers(0, len(holders) - 1))]
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        if kind == "remove" or (kind == "add" and isinstance(holder, list)):
            del holder[name]
        elif kind == "add":
            holder[draw(st.text(max_size=10))] = _odd(draw)
        else:
            holder[name] = _odd(draw)
        if not _holders(content):
            break
    return content


def _odd(draw: st.DrawFn) -> Any:
    """A copy, because a sampled list is the same object in each example."""
    return copy.deepcopy(draw(ODD))


def refusal(act: Callable[[], object], allowed: type[Exception]) -> str | None:
    """The message of the only kind of error that is allowed, or `None` without an error."""
    try:
        act()
    except allowed as error:
        return str(error)
    return None


def as_json(content: Any) -> bytes:
    """The content as JSON, which may have NaN and half characters."""
    return json.dumps(content).encode("utf-8", errors="replace")


def _holders(content: Any) -> list[tuple[Any, Any]]:
    """Every place in the content: a dict and a key, or a list and an index."""
    found: list[tuple[Any, Any]] = []
    names = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for name in names:
        found.append((content, name))
        found += _holders(content[name])
    return found
