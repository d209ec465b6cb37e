"""Run code in processes forked from one that has imported torch and transformers, but not this package."""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

SERVER = Path(__file__).parent / "fork_server.py"


class Finished(NamedTuple):
    """The exit code of each process, and the output of all processes."""

    exit_codes: list[int]
    stdout: str
    stderr: str


def run_forked(
    code: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    paths: Sequence[str] = ("",),
    processes: int = 1,
    seconds: float = 300,
    **environment: str,
) -> Finished:
    """Run code in one process, or in several that connect to each other as under torchrun.

    Args:
        code: The Python code.
        arguments: The value of `sys.argv`.
        folder: The working folder.
        paths: The paths to put first in `sys.path`.
        processes: The number of processes.
        seconds: The time limit. The processes are killed after it, because they may wait for each other forever.
        environment: Variables that are set after torch and transformers are imported.
    """
    with tempfile.TemporaryDirectory() as outputs:
        names = {name: Path(outputs) / name for name in ("out", "err")}
        for path in names.values():
            path.touch()
        request = {
            "code": code,
            "arguments": list(arguments),
            "folder": str(folder.resolve()),
            "paths": list(paths),
            "seconds": seconds,
            "environments": [{**_environment(), **environment, **each} for each in _ranks(processes)],
            **{name: str(path) for name, path in names.items()},
        }
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin, flush=True)
        exit_codes = json.loads(server.stdout.readline())
        return Finished(exit_codes, *(path.read_text(encoding="utf-8") for path in names.values()))


def _ranks(processes: int) -> list[dict[str, str]]:
    """Return the variables that torchrun sets for each process."""
    if processes == 1:
        return [{}]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {name: str(processes) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


@cache
def _server() -> subprocess.Popen[str]:
    """Return the fork server of this pytest process."""
    server = subprocess.Popen(
        [sys.executable, str(SERVER)],
        cwd=_caches(),
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.kill)
    return server


def _environment() -> dict[str, str]:
    """Return the environment of this process, with separate caches and without network access."""
    return {**os.environ, "HF_HOME": _caches(), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@cache
def _caches() -> str:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return folder.name
