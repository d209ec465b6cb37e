"""Time from process start to the first answer, compared with transformers' `text-classification` pipeline."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from transformers import AutoTokenizer

from benchmarks.speed.measuring import MINILM, RELATIVE_TIME, Row, compared, minilm
from benchmarks.speed.tasks import _classifier
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.modeling_multitask import resolve_model_path

TASKS = [{"name": f"task{i}", "problem_type": "binary_classification", "labels": ["no", "yes"]} for i in range(4)]
SCRIPT = """
import sys
from transformers import pipeline
pipeline({kind!r}, model=sys.argv[1], trust_remote_code={trust})("The battery died within a day.")
"""


def measure(pairs: int) -> list[Row]:
    """Measure a saved model with four tasks, loaded without this package, and a saved model with one task."""
    with tempfile.TemporaryDirectory() as home:
        own, other = Path(home) / "own", Path(home) / "other"
        model, _ = minilm(TASKS)
        save_folder(model, AutoTokenizer.from_pretrained(resolve_model_path(MINILM)), own)
        _classifier(other, seed=0)
        ours = SCRIPT.format(kind="multitask-classification", trust=True)
        theirs = SCRIPT.format(kind="text-classification", trust=False)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(pairs + 1):
            for each, script, folder in ((seconds[0], theirs, other), (seconds[1], ours, own)):
                each.append(_seconds(script, folder, home))
    against = 'pipeline("text-classification") of the same backbone'
    # The first run of each is not counted, because it fills the caches of the disk and of Python.
    task = "start: from_pretrained and first answer"
    return [compared(task, against, seconds[0][1:], seconds[1][1:], RELATIVE_TIME)]


def _seconds(script: str, folder: Path, home: str) -> float:
    environment = {**os.environ, "HF_HOME": home, "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    command = [sys.executable, "-c", script, str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=home)
    return time.perf_counter() - started
