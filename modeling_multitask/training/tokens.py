"""The tokens of training rows: tokenised columns, row lengths and padded batches.

A row with several windows has a list of lists of tokens, one list per window.

Shapes: N rows of a table, B rows of a batch, W windows of a batch (B unless long texts have several), T tokens.
"""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from datasets_builder.columns import TEXT, TEXT_PAIR

from ..configuration_multitask import MultiTaskConfig
from ..errors import RowError
from ..texts_multitask import WINDOW_TEXTS, null_advice, plain_rows, plain_value, tokenize

IS_LONG = "longer than the model reads at once"  # a column name that no task can have


def align_tokens(config: MultiTaskConfig, tokenizer: Any) -> None:
    """Set the ids of special tokens to those of the tokenizer. Otherwise the Trainer does it, with a warning."""
    if isinstance(tokenizer, PreTrainedTokenizerBase):
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            if (token := getattr(tokenizer, name)) is not None:
                setattr(config, name, token)


def row_tokens(
    tokenizer: PreTrainedTokenizerBase,
    config: MultiTaskConfig,
    texts: Sequence[str],
    text_pairs: Sequence[str] | None = None,
) -> dict[str, list[Any]]:
    """Return the columns of tokenised rows: the output of the tokenizer, and whether each text is too long.

    Args:
        tokenizer: The tokenizer of the model.
        config: The configuration of the model, with the maximum length and the handling of longer texts.
        texts: N texts.
        text_pairs: The second text of each row, for a model of pairs.

    Raises:
        RowError: If a text is not a string.
    """
    texts = checked_texts(texts, TEXT)
    text_pairs = text_pairs and checked_texts(text_pairs, TEXT_PAIR)
    encoded = tokenize(tokenizer, config, texts, text_pairs)
    if config.long_texts == "truncate":
        if not encoded.encodings:  # a slow tokenizer does not report truncation
            return dict(encoded)
        return {**encoded, IS_LONG: [bool(each.overflowing) for each in encoded.encodings]}
    starts = np.flatnonzero(np.diff(encoded.pop(WINDOW_TEXTS), prepend=-1))
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    rows = {name: [values[start:stop] for start, stop in spans] for name, values in encoded.items()}
    return {**rows, IS_LONG: [len(windows) > 1 for windows in rows["input_ids"]]}


def checked_texts(texts: Sequence[Any], name: str) -> list[str]:
    """Return texts as strings of Python, (B,).

    Args:
        texts: The texts.
        name: Their column, for the message.

    Raises:
        RowError: If one of them is not a string.
    """
    plain = [plain_value(text) for text in texts]
    for i, text in enumerate(plain):
        if not isinstance(text, str):
            given = reprlib.repr(text)
            raise RowError(f"column {name!r} is {given}; it must be a string{null_advice(text)}", f"rows[{i}]")
    return plain


def row_lengths(
    rows: Any, tokenizer: PreTrainedTokenizerBase | None = None, config: MultiTaskConfig | None = None
) -> np.ndarray:
    """Return the number of tokens of each row, over all its windows; (N,).

    Args:
        rows: Rows with `input_ids` or `text`.
        tokenizer: The tokenizer, for rows with a text.
        config: The model's configuration, for rows with a text.

    Raises:
        ValueError: If rows have a text, and there is no tokenizer.
    """
    rows = plain_rows(rows)
    is_table = isinstance(rows, Dataset)
    columns = rows.column_names if is_table else rows[0]
    if "input_ids" in columns:
        if is_table:
            return _list_sizes(rows.with_format("arrow")[:]["input_ids"])
        return np.array([sum(map(len, _windows(row))) for row in rows])
    if tokenizer is None or config is None:
        raise ValueError(
            "rows cannot be grouped by length: the rows have no input_ids, and there is no tokenizer; "
            "pass the tokenizer as processing_class"
        )
    names = [name for name in (TEXT, TEXT_PAIR) if name in columns]
    texts = [list(rows[name]) if is_table else [row[name] for row in rows] for name in names]
    tokens = row_tokens(tokenizer, config, *texts)["input_ids"]
    return np.array([sum(map(len, _windows({"input_ids": each}))) for each in tokens])


def padded_rows(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Tensor]:
    """Return the batch of tokenised rows, (W, T) by name. With windows, also the row number of each window, (W,)."""
    names = [name for name in tokenizer.model_input_names if name in rows[0]]
    windows = [_windows(row) for row in rows]
    if not has_windows(rows[0]["input_ids"]):
        return tokenizer.pad([{name: row[name] for name in names} for row in rows], return_tensors="pt")
    flat = {name: [window for row in rows for window in row[name]] for name in names}
    numbers = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(each) for each in windows]))
    return {**tokenizer.pad(flat, return_tensors="pt"), WINDOW_TEXTS: numbers}


def _windows(row: Mapping[str, Any]) -> list[list[int]]:
    ids = row["input_ids"]
    return ids if has_windows(ids) else [ids]


def has_windows(ids: Sequence[Any]) -> bool:
    """Return whether these are lists of numbers, one list per window, and not numbers."""
    return len(ids) > 0 and not isinstance(ids[0], int) and np.ndim(ids[0]) > 0


def _list_sizes(column: pa.ChunkedArray) -> np.ndarray:
    """Return the number of values in each list of a column, also in nested lists; (N,)."""
    sizes = pc.list_value_length(column).to_numpy()
    if not pa.types.is_nested(column.type.value_type):
        return sizes
    inner = pc.list_value_length(pc.list_flatten(column)).to_numpy()
    return np.add.reduceat(inner, np.cumsum(sizes) - sizes)
