"""Tokens per second of encoding and fine-tuning on a GPU in bfloat16, and their share of the GPU's peak."""

import statistics
import time

import torch
from sentence_transformers import SentenceTransformer

from benchmarks.speed import training
from benchmarks.speed.measuring import MINILM, Row, compared, cosines, in_turns, minilm, quiet, sentences
from benchmarks.speed.share import operations
from modeling_multitask.inference.text_encoder import TextEncoder
from modeling_multitask.modeling_multitask import resolve_model_path

SIZE = 8_192  # of the square matrices
TEXTS = 20_000
BATCHES = (32, 256)  # batch sizes of sentence-transformers: its default, and a larger one for a GPU


def measure(pairs: int) -> list[Row]:
    """Measure encoding and fine-tuning. Without a GPU, return no rows."""
    if not torch.cuda.is_available():
        print("gpu: skipped, because no GPU is available")
        return []
    return [*_encoding(pairs), *_fine_tuning(pairs)]


def _encoding(pairs: int) -> list[Row]:
    texts = sentences(TEXTS)
    settings = {"dtype": torch.bfloat16}
    other = SentenceTransformer(resolve_model_path(MINILM), device="cuda", model_kwargs=settings)
    model, tokenizer = minilm([{"name": "stars", "problem_type": "regression"}])
    encoder = TextEncoder(model.to("cuda"), tokenizer)
    found, lengths = encoder.encode(texts)
    same = {"mean cosine": float(cosines(found, other.encode(texts)).mean())}
    rows = []
    for size in BATCHES:
        theirs, ours = in_turns(
            lambda each=size: other.encode(texts, batch_size=each), lambda: encoder.encode(texts), pairs=pairs
        )
        against = f"sentence-transformers encode in bfloat16, batch_size {size}"
        row = compared(f"encode {TEXTS:,} review sentences on a GPU", against, theirs, ours, same=same)
        seconds = statistics.median(ours)
        row.notes = {
            "tokens a second": float(lengths.sum()) / seconds,
            "share of the bfloat16 peak": operations(model, lengths) / seconds / _peak(),
        }
        rows.append(row)
    return rows


def _fine_tuning(pairs: int) -> list[Row]:
    seconds: dict[str, list[float]] = {"theirs": [], "ours": []}
    for seed in range(pairs):
        for side, make in (("theirs", training.theirs), ("ours", training.ours)):
            with quiet():
                seconds[side].append(training.run(make, seed, [], epochs=2, bf16=True)["later"])
    row = compared("an epoch of full fine-tuning on a GPU", "Trainer with bf16", seconds["theirs"], seconds["ours"])
    texts = sentences()
    model, tokenizer = minilm([{"name": "stars", "problem_type": "regression"}])
    lengths = TextEncoder(model.to("cuda"), tokenizer).encode(texts)[1]
    trained = 0.7 * statistics.median(1 / each for each in seconds["ours"])  # 0.7: share of training rows
    row.notes = {
        "tokens a second": float(lengths.sum()) * trained,
        # 3: one forward pass, and a backward pass that takes twice as much
        "share of the bfloat16 peak": 3 * operations(model, lengths) * trained / _peak(),
    }
    return [row]


def _peak() -> float:
    """Return the operations per second of a large matrix product in bfloat16."""
    one, other = (torch.randn(SIZE, SIZE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        one @ other
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        one @ other
    torch.cuda.synchronize()
    return 20 * 2 * SIZE**3 / (time.perf_counter() - started)
