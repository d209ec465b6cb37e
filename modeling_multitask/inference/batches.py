"""Texts as padded batches of similar length, tokenised while the batches before them are computed.

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
from ..texts_multitask import WINDOW_TEXTS, tokenize

Text = str | tuple[str, str]

BLOCK = 1_024  # texts that are tokenised and sorted together


@dataclass(frozen=True)
class Block:
    """Texts that are tokenised together.

    Args:
        start: The number of the first.
        tokens: By name, the W lists of `input_ids` and what else the tokenizer gives, without padding.
        window_texts: (W,), the text of the block that each is of.
        lengths: (W,), how many tokens each has.
        cut: How many of the texts are longer than the model reads.
    """

    start: int
    tokens: dict[str, list[list[int]]]
    window_texts: np.ndarray
    lengths: np.ndarray
    cut: int = 0

    @property
    def texts(self) -> int:
        """N."""
        return int(self.window_texts[-1]) + 1


def tokenized_blocks(
    tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, texts: Sequence[Text]
) -> Iterator[Block]:
    """The texts in blocks; while one is worked on, another thread tokenises the next."""
    with ThreadPoolExecutor(max_workers=1) as other:
        blocks = (other.submit(_block, tokenizer, config, texts, start) for start in range(0, len(texts), BLOCK))
        ahead = next(blocks, None)
        while ahead is not None:
            block, ahead = ahead, next(blocks, None)
            yield block.result()


def batches_of(lengths: np.ndarray, tokens_per_batch: int) -> list[np.ndarray]:
    """The numbers of W rows in batches, the longest first: if memory is short, it fails at once.

    Args:
        lengths: (W,).
        tokens_per_batch: Most tokens of a batch, padding included; a longer row is a batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        # Descending, so that the first row is the longest and all are padded to it.
        stop = start + max(1, tokens_per_batch // max(int(lengths[order[start]]), 1))
        batches.append(order[start:stop])
        start = stop
    return batches


def padded(block: Block, rows: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """The batch of these rows of a block, (B, T) by name; without an attention mask where nothing is padded."""
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


def _block(tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig, texts: Sequence[Text], start: int) -> Block:
    chosen = texts[start : start + BLOCK]
    pairs = not isinstance(chosen[0], str)
    columns = [list(column) for column in zip(*chosen, strict=True)] if pairs else [list(chosen)]
    encoded = tokenize(tokenizer, config, *columns, return_attention_mask=False)
    window_texts = encoded.pop(WINDOW_TEXTS, range(len(chosen)))
    is_cut = [bool(each.overflowing) for each in encoded.encodings or ()] if config.long_texts == "truncate" else []
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    return Block(start, dict(encoded), np.array(window_texts), lengths, sum(is_cut))
