"""Start commands that start further processes, as torchrun does, and end them together."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import torch

from tests.conftest import ROOT
from tests.forks import run_forked


def start(*words: object, folder: Path, processes: int = 1, **environment: str) -> subprocess.Popen[str]:
    """Start Python with a script or with `-m` and a module, in one or several processes that import this checkout."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *launch, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*words: object, folder: Path, processes: int = 1, **environment: str) -> str:
    """Run the same command as `start` to its successful end, and return its output.

    The processes are forked and not started by torchrun, because torchrun takes longer than the tests' own work.
    """
    name, *arguments = map(str, words[1:] if words[0] == "-m" else words)
    module = f"import runpy\nrunpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    finished = run_forked(
        module if words[0] == "-m" else (folder / name).read_text(encoding="utf-8"),
        [name, *arguments],
        folder=folder,
        paths=[str(folder), str(ROOT)],
        processes=processes,
        **environment,
    )
    assert set(finished.exit_codes) == {0}, f"{finished.exit_codes}: {finished.stderr[-4000:]}"
    return finished.stdout + finished.stderr


def results_of(script: str, *words: object, folder: Path, processes: int) -> list[Any]:
    """Run a script that ends with `process_training.end`, and return the results of each process.

    Args:
        script: The Python code.
        words: Its arguments, without the folder of its results, which comes last.
        folder: The folder of the script and its results.
        processes: The number of processes.
    """
    (folder / "train.py").write_text(script)
    (folder / "said.txt").write_text(finish("train.py", *words, folder, folder=folder, processes=processes))
    return [torch.load(folder / f"{rank}.pt") for rank in range(processes)]


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a command and its child processes, which would otherwise continue."""
    for each in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        each.send_signal(signal.SIGKILL)
    process.communicate()


def said_by(process: subprocess.Popen[str], seconds: float) -> str:
    """Return the output of a command that ends successfully. Kill it after the time limit, because it may hang."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            kill_all(process)
    assert process.returncode == 0, said[-4000:]
    return said
