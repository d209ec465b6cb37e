"""The share of the CPU's peak in matrix products that encoding reaches, and the operators that take most time."""

import time

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.speed.measuring import RELATIVE_RATE, Row, has_bf16, minilm, rated, sentences
from modeling_multitask.inference.text_encoder import TextEncoder

SIZE = 4_096  # of the square matrices


def measure(pairs: int) -> list[Row]:
    """Measure in bfloat16 if the CPU supports it natively, otherwise in float32."""
    dtype = torch.bfloat16 if has_bf16() else torch.float32
    texts = sentences()
    model, tokenizer = minilm([{"name": "stars", "problem_type": "regression"}])
    encoder = TextEncoder(model, tokenizer, dtype=dtype)
    lengths = encoder.encode(texts)[1]
    needed = operations(model, lengths)
    shares = []
    for _ in range(pairs):
        peak = _peak(dtype)
        started = time.perf_counter()
        encoder.encode(texts)
        shares.append(needed / (time.perf_counter() - started) / peak)
    kind = str(dtype).removeprefix("torch.")
    notes = {"operations a second of the product, 1e9": peak / 1e9, "time goes to": _profile(encoder, texts)}
    what = f"operations a second while encoding, {kind}"
    return [rated(what, f"a {SIZE} x {SIZE} matrix product", shares, RELATIVE_RATE, notes=notes)]


def operations(model: torch.nn.Module, lengths: np.ndarray) -> float:
    """Return the number of operations in the matrix products for texts of these lengths, without padding."""
    config = model.config.backbone_config
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    tokens, pairs = float(lengths.sum()), float((lengths**2).sum())
    return layers * (2 * tokens * (4 * width * width + 2 * width * inner) + 4 * pairs * width)


def _peak(dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product, the best of three."""
    one, other = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - started)
    return 2 * SIZE**3 / min(seconds[1:])


def _profile(encoder: TextEncoder, texts: list[str]) -> dict[str, float]:
    """Return the operators that take most of the time, with their share of it."""
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        encoder.encode(texts)
    whole = time.perf_counter() - started
    own = sorted(found.key_averages(), key=lambda each: -each.self_cpu_time_total)[:10]
    return {each.key: each.self_cpu_time_total / 1e6 / whole for each in own}
