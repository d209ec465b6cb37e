"""The evaluation of a task with thousands of labels: seconds, memory, and the metrics label by label as baseline.

    python -m benchmarks.many_labels [--rows 10000] [--labels 3000] [--times 3]

Each measurement runs in a new process. The baseline has a call of scikit-learn's `f1_score` for each label of the
multi-label task. The logits are random, with a higher logit for the labels of a row.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from modeling_multitask import TaskConfig

# ruff: noqa: PLC0415 - each process imports only the code that it measures

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "many_labels.json"
KINDS = {"several": "multi_label_classification", "one": "single_label_classification"}
LABELS_OF_A_ROW = 5


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.many_labels")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=3_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "KIND"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    size = (arguments.rows, arguments.labels)
    if arguments.child:
        what, kind = arguments.child
        print(json.dumps(_measured(what, kind, *size)))
        return
    works = [(what, kind) for kind in KINDS for what in CHILDREN if (what, kind) != ("by_label", "one")]
    runs = []
    for _ in range(arguments.times):
        for what, kind in works:
            runs.append({"what": what, "kind": kind, **_in_a_process(what, kind, *size)})
            print(json.dumps(runs[-1]), flush=True)
    RESULTS.write_text(json.dumps(summary(runs, *size), indent=2) + "\n")


def summary(runs: list[dict], rows: int, labels: int) -> dict:
    """Return the runs, the median seconds and the largest memory of each work, and the speed-up over the baseline."""
    works = dict.fromkeys((run["what"], run["kind"]) for run in runs)
    own = {work: [run for run in runs if (run["what"], run["kind"]) == work] for work in works}
    seconds = {work: [run["seconds"] for run in each] for work, each in own.items()}
    pairs = zip(seconds["by_label", "several"], seconds["metrics", "several"], strict=True)
    ratios = [baseline / metrics for baseline, metrics in pairs]
    return {
        "rows": rows,
        "labels": labels,
        "works": [
            {
                "what": what,
                "kind": kind,
                "seconds": statistics.median(seconds[what, kind]),
                "peak_mib": max(run["peak_mib"] for run in each),
            }
            for (what, kind), each in own.items()
        ],
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "runs": runs,
    }


def make_rows(kind: str, rows: int, labels: int) -> tuple[TaskConfig, np.ndarray, np.ndarray]:
    """Return a task, its logits, (N, C) in float32, and its labels. Few labels are frequent, and a tenth is missing.

    Args:
        kind: `several` or `one`.
        rows: N.
        labels: C.
    """
    rng = np.random.default_rng(0)
    task = TaskConfig("task", KINDS[kind], labels=[f"label {i}" for i in range(labels)])
    shares = 1 / np.sqrt(np.arange(1, labels + 1))
    logits = rng.standard_normal((rows, labels), dtype=np.float32)
    if kind == "one":
        truth = rng.choice(labels, size=rows, p=shares / shares.sum())
        logits[np.arange(rows), truth] += 4
        truth[rng.random(rows) < 0.1] = -100
        return task, logits, truth
    truth = np.empty((rows, labels), dtype=int)
    for row, line in enumerate(truth):  # a row at a time, so that nothing else is in memory
        line[:] = rng.random(labels) < LABELS_OF_A_ROW * shares / shares.sum()
        logits[row] += 5 * line - 4
        line[rng.random(labels) < 0.1] = -100
    return task, logits, truth


def by_label(_: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> None:
    """Compute the F1 of each label, and from all entries, with scikit-learn, as the macro-F1 and the micro-F1."""
    from sklearn.metrics import f1_score

    answers, present = (logits > 0).astype(int), labels >= 0
    columns = zip(labels.T, answers.T, present.T, strict=True)
    np.mean([f1_score(truth[own], given[own], zero_division=0) for truth, given, own in columns])
    f1_score(labels[present], answers[present], zero_division=0)


def metrics(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> None:
    """Compute the decisions, the loss and the metrics, as an evaluation of the Trainer does."""
    from modeling_multitask.training.metrics import multi_task_metrics

    multi_task_metrics({task.name: logits}, {task.name: labels}, [task])


def report(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> None:
    """Compute a report: figures with intervals from 1,000 resamples, errors, calibration and the best constant."""
    from modeling_multitask.evaluation.judged import Judged
    from modeling_multitask.evaluation.report import make_report

    texts = [f"text {i}" for i in range(len(labels))]
    make_report(
        Judged([task], texts, {task.name: logits}, {task.name: labels}, np.arange(len(labels)) % 50),
        name="model",
        split="test",
    )


def compare(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> None:
    """Compare two models: paired intervals, and the rows with different answers. The other one has reversed logits."""
    from modeling_multitask.evaluation.comparison import compare
    from modeling_multitask.evaluation.judged import Judged

    texts, lengths = [f"text {i}" for i in range(len(labels))], np.arange(len(labels)) % 50
    model, other = (
        Judged([task], texts, {task.name: own}, {task.name: labels}, lengths) for own in (logits, logits[::-1].copy())
    )
    compare(model, other, name="other")


def calibrate(task: TaskConfig, logits: np.ndarray, labels: np.ndarray) -> None:
    """Fit a temperature, and the thresholds of a multi-label task."""
    from modeling_multitask.evaluation.calibration import calibrated

    calibrated(task, logits, labels, ["temperature", "thresholds"])


CHILDREN = {"by_label": by_label, "metrics": metrics, "calibrate": calibrate, "report": report, "compare": compare}


def _in_a_process(what: str, kind: str, rows: int, labels: int) -> dict[str, float]:
    size = ["--rows", str(rows), "--labels", str(labels)]
    command = [sys.executable, "-m", "benchmarks.many_labels", "--child", what, kind, *size]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def _measured(what: str, kind: str, rows: int, labels: int) -> dict[str, float]:
    """Return seconds, and the peak memory of the logits, the labels and the work in MiB, without the libraries."""
    CHILDREN[what](*make_rows(kind, 200, 100))  # imports the libraries, which are not measured
    before = _memory("VmRSS")
    given = make_rows(kind, rows, labels)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    started = time.perf_counter()
    CHILDREN[what](*given)
    return {"seconds": time.perf_counter() - started, "peak_mib": _memory("VmHWM") - before}


def _memory(name: str) -> float:
    """Return the resident memory of this process in MiB: `VmRSS` now, `VmHWM` at the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    main()
