"""How texts become tokens: a long one is cut, or read in several windows.

Shapes: N texts, W windows (N or more).
"""

from collections.abc import Sequence
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizerBase

from .configuration_multitask import MultiTaskConfig

# What transformers calls the text, by number, that each window is of.
WINDOW_TEXTS = "overflow_to_sample_mapping"


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    config: MultiTaskConfig,
    texts: str | Sequence[str],
    text_pairs: str | Sequence[str] | None = None,
    **kwargs: Any,
) -> BatchEncoding:
    """The tokens of texts, or of pairs of texts, as the model reads them.

    Args:
        tokenizer: The model's.
        config: The model's; its own length counts, for the tokenizer's files may carry other limits, or none.
        texts: A text, or N texts.
        text_pairs: The second text of each, for a model of pairs.
        kwargs: As for the tokenizer: `padding`, `return_tensors`, ...

    Returns:
        What the tokenizer gives, for `forward`. Where long texts are read in windows there are W rows, and
        `overflow_to_sample_mapping` (W,) says which text each is of.

    Raises:
        ValueError: If windows are wanted of pairs of texts, or of a tokenizer written in Python.
    """
    if config.long_texts == "truncate":
        return tokenizer(texts, text_pairs, truncation=True, max_length=config.max_length, **kwargs)
    if text_pairs is not None:
        raise ValueError("long_texts is 'windows', which are of single texts; pairs can only be cut: say 'truncate'")
    if not tokenizer.is_fast:
        raise ValueError("long_texts is 'windows', which a tokenizer written in Python cannot cut; say 'truncate'")
    return tokenizer(texts, truncation=True, max_length=config.max_length, return_overflowing_tokens=True, **kwargs)
