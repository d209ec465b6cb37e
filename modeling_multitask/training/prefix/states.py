"""The tokens of a table's texts, a key for each text, and the output of the frozen encoder part.

Shapes: N texts, W windows of a text (1 unless long texts have several), T tokens of a window, B rows of a batch, D
width of the encoder.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from datasets_builder.columns import TEXT, TEXT_PAIR

from ...configuration_multitask import MultiTaskConfig
from ...inference.batches import Block, batches_of, padded
from ...inference.text_encoder import tokens_per_pass
from ...modeling_multitask import MultiTaskModel
from ...pooling_multitask import join_windows
from ..tokens import has_windows, row_tokens
from .frozen import FrozenPrefix

ROWS_AT_ONCE = 2_000  # rows whose states are in memory together
_INPUTS, _MASK = ("input_ids", "token_type_ids"), "attention_mask"

Windows = dict[str, list[list[int]]]  # of one text: W lists of T numbers, by the name of the input


def table_windows(
    rows: Dataset, tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig
) -> Iterator[list[Windows]]:
    """Return the windows of every text of a table, in groups of `ROWS_AT_ONCE` texts.

    Args:
        rows: A table with `input_ids` or `text`.
        tokenizer: The tokenizer of the model, for rows with a text.
        config: The configuration of the model, for rows with a text.
    """
    for given in rows.select_columns(_needed(rows)).iter(ROWS_AT_ONCE):
        tokenized = "input_ids" in given
        columns = given if tokenized else row_tokens(tokenizer, config, given[TEXT], given.get(TEXT_PAIR))
        names = [name for name in (*_INPUTS, *([_MASK] if tokenized else [])) if name in columns]
        yield [
            _without_padding(
                {name: value if has_windows(value) else [value] for name, value in zip(names, values, strict=True)}
            )
            for values in zip(*(columns[name] for name in names), strict=True)
        ]


def text_key(text: Windows) -> str:
    """Return a hash of the tokens of a text. The same tokens have the same hash in every run."""
    digest = hashlib.blake2b(digest_size=16)
    for name, windows in text.items():
        for window in windows:
            digest.update(np.array([len(name), len(window), *window], dtype=np.int64).data)
    return digest.hexdigest()


def frozen_states(
    model: MultiTaskModel,
    prefix: FrozenPrefix | None,
    texts: Sequence[Windows],
    tokenizer: PreTrainedTokenizerBase,
    accelerator: Accelerator,
) -> list[Tensor]:
    """Return the output of the frozen part for each of N texts, on the CPU: (1, D) embeddings or (T, D) states.

    Args:
        model: The model, in any mode. The frozen part runs without dropout.
        prefix: The frozen part; `None` if the whole encoder is frozen.
        texts: The texts. Each has one window, unless the whole encoder is frozen.
        tokenizer: The tokenizer, for padding.
        accelerator: The accelerator, for the precision of the run.
    """
    names = list(texts[0])
    of = np.repeat(np.arange(len(texts)), [len(text["input_ids"]) for text in texts])  # the text of each window
    tokens = {name: [window for text in texts for window in text[name]] for name in names}
    lengths = np.array([len(ids) for ids in tokens["input_ids"]])
    block = Block(0, tokens, of, lengths)
    found: list[Tensor] = [torch.empty(0)] * len(lengths)
    was_training = model.training
    model.eval()
    try:
        for numbers in batches_of(lengths, tokens_per_pass(model.device)):
            batch = {name: each.to(model.device) for name, each in padded(block, numbers, tokenizer).items()}
            with torch.no_grad(), accelerator.autocast():
                for i, states in zip(numbers, _of_batch(model, prefix, batch), strict=True):
                    found[i] = states.cpu()
    finally:
        model.train(was_training)
    if prefix is not None:
        return found
    windows, normalize = torch.cat(found).float(), model.config.normalize
    joined = join_windows(windows, torch.from_numpy(of), torch.from_numpy(lengths), normalize=normalize)
    return list((joined if len(texts) < len(windows) else windows).unsqueeze(1))


def _of_batch(model: Any, prefix: FrozenPrefix | None, batch: dict[str, Tensor]) -> list[Tensor]:
    """Return the (1, D) embedding of each row, or its (T, D) states without padding."""
    if prefix is None:
        return list(model.embed(**batch).unsqueeze(1))
    states = prefix.states(batch)
    if "attention_mask" not in batch:
        return list(states)
    return [row[mask.bool()] for row, mask in zip(states, batch["attention_mask"], strict=True)]


def _without_padding(text: Windows) -> Windows:
    """Return the tokens without the padding of a row that was padded when it was tokenised."""
    masks = text.pop(_MASK, None)
    if masks is None:
        return text
    return {
        name: [list(compress(window, mask)) for window, mask in zip(windows, masks, strict=True)]
        for name, windows in text.items()
    }


def _needed(rows: Dataset) -> list[str]:
    names = (*_INPUTS, _MASK) if "input_ids" in rows.column_names else (TEXT, TEXT_PAIR)
    return [name for name in names if name in rows.column_names]
