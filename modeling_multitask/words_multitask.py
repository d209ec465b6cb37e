"""The words of a configuration: what may be written where, and the nearest one to a misspelt word."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

Pooling = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len"]
LongTexts = Literal["truncate", "windows"]
Normalization = Literal["layer", "none"]
Activation = Literal["relu", "gelu", "silu", "tanh"]
Refusal = Literal["score", "energy"]


def nearest_hint(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` if an allowed word is close to the given one, else an empty string."""
    close = get_close_matches(str(word), [str(candidate) for candidate in allowed], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
