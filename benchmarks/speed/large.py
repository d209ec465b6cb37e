"""A million rows with `multitask predict`: memory, and seconds per row for tables of several sizes."""

import json
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq
from transformers import AutoTokenizer

from benchmarks.speed.measuring import MINILM, RELATIVE_RATE, RELATIVE_TIME, ROOT, Row, minilm, rated, sentences
from modeling_multitask.inference import predict
from modeling_multitask.inference.loading import load
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.modeling_multitask import resolve_model_path

TASKS = [{"name": f"task{i}", "problem_type": "binary_classification", "labels": ["no", "yes"]} for i in range(4)]
SIZES = (1, 1_000, 10_000, 100_000, 1_000_000)  # one row measures the start-up time
IN_MEMORY = 20_000
WORDS = 3  # per text: whole sentences would take an hour, and short texts show the fixed cost of a row better
CHILD = """
import json, resource, sys, time
from modeling_multitask.inference.shards import answer_table  # so that imports are not counted
from modeling_multitask.commands.predict import main
started = time.perf_counter()
code = main(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"code": code, "seconds": time.perf_counter() - started, "peak": peak}))
"""


def measure(_pairs: int) -> list[Row]:
    """Measure each size once in a new process, and the rate in memory before and after it as a reference."""
    with tempfile.TemporaryDirectory() as home:
        model, _ = minilm(TASKS)
        save_folder(model, AutoTokenizer.from_pretrained(resolve_model_path(MINILM)), f"{home}/model")
        texts = [" ".join(text.split()[:WORDS]) for text in sentences(max(SIZES))]
        found = {}
        rates = [_rate_in_memory(f"{home}/model", texts)]
        for size in SIZES:
            # Take the last texts, because the first ones are shorter.
            pq.write_table(pa.table({"text": texts[-size:]}), f"{home}/{size}.parquet")
            found[size] = _run(f"{home}/model", f"{home}/{size}.parquet", f"{home}/answers{size}.parquet")
            print(size, found[size], flush=True)
            rates.append(_rate_in_memory(f"{home}/model", texts))
            rows = pq.read_metadata(f"{home}/answers{size}.parquet").num_rows
            assert rows == size, rows
    most, starting = SIZES[-1], found[1]["seconds"]
    per_row = {size: (found[size]["seconds"] - starting) / size for size in SIZES[1:]}
    gib = found[most]["peak"] / 2**30
    notes = {"seconds": {str(size): each["seconds"] for size, each in found.items()}, "rows a second in memory": rates}
    return [
        rated(f"memory of {most:,} rows, GiB", "", [gib], "GiB", notes=notes),
        rated(
            f"rows a second of {most:,} rows of {WORDS} words, from and to disk",
            f"{IN_MEMORY:,} rows in memory, before and after",
            [most / found[most]["seconds"] / rate for rate in rates[-2:]],
            RELATIVE_RATE,
            notes=notes,
        ),
        rated(
            f"seconds per row of {most:,} rows, less the start",
            f"{', '.join(f'{size:,}' for size in SIZES[1:-1])} rows",
            [per_row[most] / per_row[size] for size in SIZES[1:-1]],
            RELATIVE_TIME,
            notes=notes,
        ),
    ]


def _rate_in_memory(folder: str, texts: list[str]) -> float:
    model, tokenizer = load(folder)
    started = time.perf_counter()
    predict(model, texts[-IN_MEMORY:], tokenizer=tokenizer)
    return IN_MEMORY / (time.perf_counter() - started)


def _run(model: str, table: str, output: str) -> dict[str, float]:
    command = [sys.executable, "-c", CHILD, model, table, output]
    finished = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    measured: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    assert measured["code"] == 0, finished.stderr
    return measured
