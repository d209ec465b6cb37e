"""Embeddings of review sentences, compared with sentence-transformers' `encode` with its defaults."""

import torch
from sentence_transformers import SentenceTransformer

from benchmarks.speed.measuring import MINILM, Row, compared, cosines, has_bf16, in_turns, minilm, sentences
from modeling_multitask.inference.text_encoder import TextEncoder
from modeling_multitask.modeling_multitask import resolve_model_path

AGAINST = "sentence-transformers encode, its defaults"


def measure(pairs: int) -> list[Row]:
    """Measure in float32, and in bfloat16 if the CPU supports it natively."""
    texts = sentences()
    other = SentenceTransformer(resolve_model_path(MINILM), device="cpu")
    model, tokenizer = minilm([{"name": "stars", "problem_type": "regression"}])
    expected = other.encode(texts)
    rows = []
    for dtype in (torch.float32, torch.bfloat16) if has_bf16() else (torch.float32,):
        encoder = TextEncoder(model, tokenizer, dtype=dtype)
        theirs, ours = in_turns(lambda: other.encode(texts), lambda each=encoder: each.encode(texts), pairs=pairs)
        found = cosines(encoder.encode(texts)[0], expected)
        same = {"least cosine": float(found.min()), "mean cosine": float(found.mean())}
        what = f"encode {len(texts):,} review sentences, {str(dtype).removeprefix('torch.')}"
        rows.append(compared(what, AGAINST, theirs, ours, same=same))
    return rows
