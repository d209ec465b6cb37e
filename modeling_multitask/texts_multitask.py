"""Tokenization: a long text is truncated or split into windows.

Shapes: N texts, W windows (N or more).
"""

from collections.abc import Sequence
from typing import Any

from transformers import BatchEncoding, PreTrainedTokenizerBase

from .configuration_multitask import MultiTaskConfig

# transformers' name for the index of each window's text.
WINDOW_TEXTS = "overflow_to_sample_mapping"


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    config: MultiTaskConfig,
    texts: str | Sequence[str],
    text_pairs: str | Sequence[str] | None = None,
    **kwargs: Any,
) -> BatchEncoding:
    """Return the tokens of texts, or of pairs of texts, as the model reads them.

    Args:
        tokenizer: The model's tokenizer.
        config: The model's configuration. Its `max_length` applies, whatever limit the tokenizer's files set.
        texts: One text or N texts.
        text_pairs: The second text of each pair.
        kwargs: Arguments of the tokenizer, such as `padding` and `return_tensors`.

    Returns:
        The tokenizer's output, as input for `forward`. With windows it has W rows, and
        `overflow_to_sample_mapping`, (W,), is the index of each row's text.

    Raises:
        ValueError: If `long_texts` is `windows`, and the texts are pairs or the tokenizer is written in Python.
    """
    if config.long_texts == "truncate":
        return tokenizer(texts, text_pairs, truncation=True, max_length=config.max_length, **kwargs)
    if text_pairs is not None:
        raise ValueError("long_texts is 'windows', which does not work for pairs of texts; set it to 'truncate'")
    if not tokenizer.is_fast:
        raise ValueError("long_texts is 'windows', which needs a fast tokenizer; set it to 'truncate'")
    return tokenizer(texts, truncation=True, max_length=config.max_length, return_overflowing_tokens=True, **kwargs)
