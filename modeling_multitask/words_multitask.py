"""The words of a configuration: what may be written where, and the nearest one to a misspelt word."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, get_args

ProblemType = Literal[
    "single_label_classification",
    "multi_label_classification",
    "binary_classification",
    "regression",
    "ordinal_regression",
]
Pooling = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len"]
LongTexts = Literal["truncate", "windows"]
Normalization = Literal["layer", "none"]
Activation = Literal["relu", "gelu", "silu", "tanh"]
Refusal = Literal["score", "energy"]

PROBLEM_TYPES: tuple[str, ...] = get_args(ProblemType)
# Whose answer is one label.
ONE_LABEL = ("single_label_classification", "binary_classification", "ordinal_regression")
# The losses of each problem type; the first is its default.
LOSSES = {
    "single_label_classification": ("cross_entropy", "focal"),
    "multi_label_classification": ("cross_entropy", "focal"),
    "binary_classification": ("cross_entropy", "focal"),
    "regression": ("mse", "huber"),
    "ordinal_regression": ("cumulative_logits",),
}


def nearest_hint(word: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` if an allowed word is close to the given one, else an empty string."""
    close = get_close_matches(str(word), [str(candidate) for candidate in allowed], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
