"""Commands that start processes of their own, as torchrun does, and how to end them with these."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.conftest import ROOT


def start(*words: object, folder: Path, processes: int = 1, **environment: str) -> subprocess.Popen[str]:
    """Python with these words, a script or `-m` and a module, in so many processes, which find this checkout."""
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    return subprocess.Popen(
        [sys.executable, *launch, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kills a command and what it has started, which would go on without it."""
    for each in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        each.send_signal(signal.SIGKILL)
    process.communicate()


def said_by(process: subprocess.Popen[str], seconds: float) -> str:
    """What a command writes until it ends well; after so many seconds it is killed: its processes may wait forever."""
    try:
        said, _ = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            kill_all(process)
    assert process.returncode == 0, said[-4000:]
    return said
