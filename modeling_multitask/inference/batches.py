"""Padded batches of texts of similar length, tokenised while the previous batches are computed.

Shapes: B rows of a batch, T tokens, N texts of a block, W windows of these texts (N, unless long texts have several).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..texts_multitask import WINDOW_TEXTS, Text, tokenize

BLOCK = 1_024  # texts that are tokenised and sorted together


@dataclass(frozen=True)
class Block:
    """Texts that are tokenised together.

    Args:
        start: The number of the first text.
        tokens: By name, W lists of `input_ids` and the tokenizer's other outputs, without padding.
        window_texts: (W,), the number of each window's text within the block.
        lengths: (W,), the number of tokens of each window.
        cut: Number of truncated texts.
    """

    start: int
    tokens: dict[str, list[list[int]]]
    window_texts: np.ndarray
    lengths: np.ndarray
    cut: int = 0

    @property
    def texts(self) -> int:
        """The number of texts, N."""
        return int(self.window_texts[-1]) + 1


def tokenized_blocks(
    tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, texts: Sequence[Text]
) -> Iterator[Block]:
    """Yield the texts in blocks, and tokenise the next block in a thread at the same time.

    Args:
        tokenizer: The model's tokenizer.
        config: The model's configuration.
        texts: Single texts first, then pairs: a block has only one of them.
    """
    pairs = sum(not isinstance(text, str) for text in texts)
    parts = [range(len(texts) - pairs), range(len(texts) - pairs, len(texts))]
    numbers = [part[start : start + BLOCK] for part in parts for start in range(0, len(part), BLOCK)]
    with ThreadPoolExecutor(max_workers=1) as other:
        blocks = (other.submit(_block, tokenizer, config, texts, each) for each in numbers)
        ahead = next(blocks, None)
        while ahead is not None:
            block, ahead = ahead, next(blocks, None)
            yield block.result()


def batches_of(lengths: np.ndarray, tokens_per_batch: int, batch_size: int | None = None) -> list[np.ndarray]:
    """Return the numbers of W rows in batches, the longest first, so that a lack of memory shows at once.

    Args:
        lengths: (W,).
        tokens_per_batch: The most tokens of a batch, including padding. A longer row is a batch of its own.
        batch_size: The most rows of a batch. By default there is no such limit.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        # The order is descending, so the first row is the longest, and the others are padded to it.
        rows = max(1, tokens_per_batch // max(int(lengths[order[start]]), 1))
        stop = start + min(rows, batch_size or rows)
        batches.append(order[start:stop])
        start = stop
    return batches


def padded(block: Block, rows: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Return the batch of these rows of a block, (B, T) by name. It has an attention mask only if it has padding."""
    lengths = block.lengths[rows]
    longest = int(lengths.max())
    places = np.arange(longest)
    left = tokenizer.padding_side == "left"
    present = places >= longest - lengths[:, None] if left else places < lengths[:, None]  # (B, T)
    batch = {}
    for name, values in block.tokens.items():
        filler = tokenizer.pad_token_type_id if name == "token_type_ids" else tokenizer.pad_token_id or 0
        array = np.full(present.shape, filler, dtype=np.int64)
        array[present] = np.concatenate([values[row] for row in rows])
        batch[name] = torch.from_numpy(array)
    if not present.all():
        batch["attention_mask"] = torch.from_numpy(present.astype(np.int64))
    return batch


def _block(tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, texts: Sequence[Text], numbers: range) -> Block:
    chosen = texts[numbers.start : numbers.stop]
    pairs = not isinstance(chosen[0], str)
    columns = [list(column) for column in zip(*chosen, strict=True)] if pairs else [list(chosen)]
    encoded = tokenize(tokenizer, config, *columns, return_attention_mask=False)
    window_texts = encoded.pop(WINDOW_TEXTS, range(len(chosen)))
    is_cut = [bool(each.overflowing) for each in encoded.encodings or ()] if config.long_texts == "truncate" else []
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    return Block(numbers.start, dict(encoded), np.array(window_texts), lengths, sum(is_cut))
