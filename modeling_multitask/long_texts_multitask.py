"""Tokens of long texts, in memory that does not grow with what the model does not read.

A tokenizer needs about 60 bytes for each character. A text is therefore tokenised from its start in growing parts until
the model's maximum length is reached, or, for windows, in pieces that are cut between two words.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

CHARACTERS = 64  # for each token of the model's maximum length: shorter texts are tokenised as they are
_LONGEST_RUN = 256  # for each token: no tokenizer makes fewer tokens of so many characters, unless it drops the rest
_MOST_CHARACTERS = 4_096  # for each token: what is read at most of a text that has hardly any tokens
_MARGIN = 16  # tokens; the last ones of a part may differ from those of the whole text
PIECE = 1_000_000  # characters of a piece of a text that is split into windows
_AROUND = 200  # characters on each side of a cut, to see whether it changes any token
_CUTS = 20  # places that are tried for a cut

_copies: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # tokenizers without truncation


def start_of(tokenizer: PreTrainedTokenizerBase, text: str, length: int) -> str:
    """Return the start of a text, whose first `length` tokens are those of the whole text.

    A run of more than 256 characters per token, without a space or of spaces only, is shortened first. At most 4,096
    characters per token are read: the rest of a text of invisible characters is not.
    """
    if len(text) <= CHARACTERS * length:
        return text
    size, run = CHARACTERS * length, _LONGEST_RUN * length
    squeezed = False
    while size < len(text):
        start = text[:size]
        if len(_ids(tokenizer, start)) >= 2 * length + _MARGIN:
            return start
        if not squeezed:  # before the text is read further, since this takes a moment
            text = re.sub(rf"((?<!\S)\S{{{run}}})\S+|((?<!\s)\s{{{run}}})\s+", r"\1\2", text)
            squeezed = True
        size = min(2 * size, _MOST_CHARACTERS * length)
        if size == _MOST_CHARACTERS * length:
            return text[:size]
    return text


def windows_of(tokenizer: PreTrainedTokenizerBase, text: str, length: int) -> dict[str, list[list[int]]]:
    """Return the windows of a text, with the special tokens of each, as the tokenizer's outputs by name.

    Args:
        tokenizer: A fast tokenizer.
        text: The text.
        length: The most tokens of a window.
    """
    template = tokenizer("a")
    special = tokenizer.get_special_tokens_mask(template["input_ids"], already_has_special_tokens=True)
    first, last = special.index(0), len(special) - special[::-1].index(0)
    ids = [each for piece in pieces_of(tokenizer, text) for each in _ids(tokenizer, piece)]
    size = length - first - (len(special) - last)
    bodies = [ids[i : i + size] for i in range(0, max(len(ids), 1), size)]
    return {
        name: [
            [*values[:first], *(body if name == "input_ids" else [values[first]] * len(body)), *values[last:]]
            for body in bodies
        ]
        for name, values in template.items()
    }


def pieces_of(tokenizer: PreTrainedTokenizerBase, text: str) -> Iterator[str]:
    """Yield a text in pieces of about `PIECE` characters, whose tokens are together those of the whole text."""
    start = 0
    while len(text) - start > PIECE:
        end = _cut(tokenizer, text, start + PIECE)
        if end <= start:  # there is no place to cut
            break
        yield text[start:end]
        start = end
    yield text[start:]


def _cut(tokenizer: PreTrainedTokenizerBase, text: str, end: int) -> int:
    """Return the last place before `end` where a cut changes no token, or 0. It is before the space after a word."""
    found = (match.start() + 1 for match in re.finditer(r"\S\s", text[end - PIECE // 2 : end]))
    places = [end - PIECE // 2 + place for place in found][-_CUTS:]
    for place in reversed(places):
        before, after = text[place - _AROUND : place], text[place : place + _AROUND]
        if _ids(tokenizer, before) + _ids(tokenizer, after) == _ids(tokenizer, before + after):
            return place
    return 0


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return all tokens of a text, without special ones."""
    if not tokenizer.is_fast:
        return tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    # A copy, because truncation is a state of a fast tokenizer, which other threads may be using.
    size, own = _copies.get(tokenizer, (0, None))
    if own is None or size != len(tokenizer):
        own = copy.deepcopy(tokenizer.backend_tokenizer)
        own.no_truncation()
        own.no_padding()
        _copies[tokenizer] = len(tokenizer), own
    return own.encode(text, add_special_tokens=False).ids
