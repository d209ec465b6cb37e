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
def flipped_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to four stretches changed, and no byte removed or added, or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed) - 1))
        put = draw(
            st.binary(min_size=1, max_size=4) | st.sampled_from([b"\0" * 8, b"\xff" * 8, b'"', b"\n", b",", b" "])
        )
        end = min(place + len(put), len(changed))
        changed[place:end] = put[: end - place]
    return bytes(changed[: draw(st.integers(0, len(changed)))]) if draw(st.integers(0, 9)) == 0 else bytes(changed)


@st.composite
def damaged_lines(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to three changes of the kinds that programs make of text, such as lost quotes."""
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(_LINE_DAMAGES))(draw, content)
    return content


def _lose_lines(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    first = draw(st.integers(0, len(lines) - 1)) if lines else 0
    return b"".join(lines[:first] + lines[first + draw(st.integers(1, 2)) :])


def _double_line(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    place = draw(st.integers(0, len(lines) - 1)) if lines else 0
    return b"".join(lines[:place] + lines[place : place + 1] + lines[place:])


def _cut_line(draw: st.DrawFn, content: bytes) -> bytes:
    """Remove the end of a line, and the end of the line itself or not."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    place = draw(st.integers(0, len(lines) - 1))
    end = b"\n" if draw(st.booleans()) else b""
    lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))] + end
    return b"".join(lines)


def _lose_quotes(draw: st.DrawFn, content: bytes) -> bytes:
    return _without(draw, content, b'"')


def _lose_separators(draw: st.DrawFn, content: bytes) -> bytes:
    """Make a row short."""
    return _without(draw, content, draw(st.sampled_from([b",", b";", b"\t", b":"])))


def _without(draw: st.DrawFn, content: bytes, mark: bytes) -> bytes:
    parts = content.split(mark)
    lost = draw(st.sets(st.integers(1, max(len(parts) - 1, 1)), min_size=1, max_size=3))
    return parts[0] + b"".join((b"" if i in lost else mark) + part for i, part in enumerate(parts) if i)


def _add_mark(draw: st.DrawFn, content: bytes) -> bytes:
    """Make a row long, open a quote, or break a line."""
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(st.sampled_from([b",", b";", b"\t", b'"', b"\n", b"\r", b"}"])) + content[place:]


def _mix_line_ends(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.splitlines()
    return b"".join(line + draw(st.sampled_from([b"\n", b"\r\n", b"\r"])) for line in lines)


def _change_encoding(draw: st.DrawFn, content: bytes) -> bytes:
    encodings = [
        "cp1252",
        "utf-16",
        "utf-16-le",
        "utf-32",
        "utf-8-sig",
        "shift_jis",
        "gb18030",
        "cp1251",
        "utf-7",
        "cp037",
    ]
    read = content.decode(draw(st.sampled_from(["utf-8", "cp1252"])), errors="replace")
    return read.encode(draw(st.sampled_from(encodings)), errors=draw(st.sampled_from(["replace", "ignore"])))


_LINE_DAMAGES = [
    _lose_lines,
    _double_line,
    _cut_line,
    _lose_quotes,
    _lose_separators,
    _add_mark,
    _mix_line_ends,
    _change_encoding,
]


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
