"""Commands that start processes of their own, as torchrun does, and how to end them with these."""

import signal
import subprocess

import psutil


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
