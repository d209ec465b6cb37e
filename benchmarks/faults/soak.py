"""An hour of training with evaluations and checkpoints: memory, open files and processes must not grow.

python -m benchmarks.faults.soak --minutes 60 --folder /tmp/soak

The figures, one line for each minute, are in `benchmarks/results/soak.json`.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from benchmarks.faults.ways import WAYS, threads, write_inputs

RESULTS = Path(__file__).parents[1] / "results" / "soak.json"
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Train, and measure the process once a minute."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    write_inputs(arguments.folder, WAYS["training with LoRA"].recipe)
    command = WAYS["training"].command(again=False)
    words = ["training.num_train_epochs=100000", "training.dataloader_num_workers=1", "training.disable_tqdm=true"]
    environment = {**os.environ, **threads(), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen([*command, *words], cwd=arguments.folder, env=environment) as process:
        found = []
        for minute in range(1, arguments.minutes + 1):
            time.sleep(60)
            found.append({"minute": minute, **measured(psutil.Process(process.pid), arguments.folder)})
            print(found[-1], flush=True)
            RESULTS.write_text(json.dumps({"minutes": found}, indent=1) + "\n")
        process.terminate()


def measured(process: psutil.Process, folder: Path) -> dict[str, int]:
    """Return the memory, the open files and the processes of a training, and its step."""
    children = process.children(recursive=True)
    steps = [int(path.name.split("-")[-1]) for path in (folder / "out" / "checkpoints").glob("checkpoint-*")]
    return {
        "memory_mb": round(sum(each.memory_info().rss for each in (process, *children)) / 1e6),
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "processes": 1 + len(children),
        "step": max(steps, default=0),
    }


if __name__ == "__main__":
    main()
