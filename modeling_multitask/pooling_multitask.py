"""Pooling: token states to one vector for each row, and the vectors of several windows to one for each text.

Shapes: B rows, T tokens, D width of the encoder, W windows of N texts.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def pool(states: Tensor, attention_mask: Tensor | None, pooling: str, *, skipped: int = 0) -> Tensor:
    """Return one vector for each row from its token states. Padding on either side is ignored.

    The result equals sentence-transformers' `Pooling`, except for a row that is all padding: it gives zeros, not -inf.

    Args:
        states: (B, T, D).
        attention_mask: (B, T), or `None` if every position is a token.
        pooling: cls (the first token), mean, max, lasttoken, weightedmean (the i-th token has weight i) or
            mean_sqrt_len (the sum divided by the square root of the number of tokens).
        skipped: The number of tokens at the start of each row that are left out, such as those of a prompt.

    Returns:
        (B, D), in the dtype of `states`. Sums and counts are in float32 or float64, because a bfloat16 sum of 257 ones
        is 256.
    """
    if attention_mask is None:
        attention_mask = states.new_ones(states.shape[:2], dtype=torch.long)
    ranks = attention_mask
    if skipped or pooling == "weightedmean":
        ranks = attention_mask * attention_mask.cumsum(dim=1)  # (B, T), 1 for the first token
    return _POOLINGS[pooling](states, ranks * (ranks > skipped) if skipped else ranks)


def join_windows(embeddings: Tensor, window_texts: Tensor, tokens: Tensor, *, normalize: bool) -> Tensor:
    """Return one embedding for each text: the mean over its windows, weighted by their number of tokens.

    With mean pooling, the result equals the mean over all tokens of the windows.

    Args:
        embeddings: (W, D).
        window_texts: (W,), the index of each window's text, from 0.
        tokens: (W,), the number of tokens in each window.
        normalize: Whether embeddings are scaled to length 1.

    Returns:
        (N, D), in the dtype of `embeddings`. Sums are in float32 or float64.
    """
    accumulate = torch.promote_types(embeddings.dtype, torch.float32)
    weights = tokens.to(accumulate).unsqueeze(1)  # (W, 1)
    texts = int(window_texts.max()) + 1
    sums = embeddings.new_zeros(texts, embeddings.shape[1], dtype=accumulate)
    sums = sums.index_add(0, window_texts, embeddings * weights)
    totals = weights.new_zeros(texts, 1).index_add(0, window_texts, weights)
    joined = sums / totals.clamp(min=1e-9)  # (N, D)
    return (F.normalize(joined, dim=-1) if normalize else joined).to(embeddings.dtype)


def _pick_token(states: Tensor, attention_mask: Tensor, *, last: bool) -> Tensor:
    rows, tokens = (torch.arange(size, device=states.device) for size in states.shape[:2])  # len() is fixed in a trace
    # A token's rank is its position, counted from the first or last one. Padding has the lowest rank.
    rank = (tokens if last else -tokens).where(attention_mask != 0, torch.iinfo(torch.long).min)  # (B, T)
    picked = states[rows, rank.argmax(dim=1)]  # (B, D)
    return picked * attention_mask.any(dim=1, keepdim=True)


def _max(states: Tensor, attention_mask: Tensor) -> Tensor:
    present = attention_mask.bool().unsqueeze(-1)  # (B, T, 1)
    highest = states.masked_fill(~present, float("-inf")).amax(dim=1)  # (B, D)
    return highest.masked_fill(~present.any(dim=1), 0.0)


def _mean(states: Tensor, attention_mask: Tensor) -> Tensor:
    weights = _weights(states, attention_mask)
    return _weighted_mean(states, weights, weights.sum(dim=1))


def _mean_sqrt_len(states: Tensor, attention_mask: Tensor) -> Tensor:
    weights = _weights(states, attention_mask)
    return _weighted_mean(states, weights, weights.sum(dim=1).clamp(min=1e-9).sqrt())


def _weightedmean(states: Tensor, attention_mask: Tensor) -> Tensor:
    weights = _weights(states, attention_mask) * attention_mask.unsqueeze(-1)  # its values are the ranks of tokens
    return _weighted_mean(states, weights, weights.sum(dim=1))


def _weights(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Return 1 for a token and 0 for padding, (B, T, 1), in float32 or float64."""
    return attention_mask.bool().unsqueeze(-1).to(torch.promote_types(states.dtype, torch.float32))


def _weighted_mean(states: Tensor, weights: Tensor, divisor: Tensor) -> Tensor:
    """Return the sum of (B, T, D) states times (B, T, 1) weights, divided by a (B, 1) divisor, as (B, D)."""
    return ((states * weights).sum(dim=1) / divisor.clamp(min=1e-9)).to(states.dtype)


_POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": partial(_pick_token, last=False),
    "lasttoken": partial(_pick_token, last=True),
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len": _mean_sqrt_len,
    "weightedmean": _weightedmean,
}
