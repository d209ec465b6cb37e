"""Python in a process of its own, in which this package cannot be imported."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

OURS = ("modeling_multitask", "datasets_builder", "configuration", "scripts")
BLOCK = f"import sys\nfor name in {OURS!r}: sys.modules[name] = None\n"
SERVER = Path(__file__).parent / "fork_server.py"


def run_fresh(code: str, *arguments: object, folder: Path, without_us: bool = True, online: bool = False) -> Any:
    """Runs the code and returns what it leaves in `result`, by way of JSON.

    Offline it is forked from a process that has imported torch and transformers, and nothing of ours.

    Args:
        code: Python; it finds `arguments` in `sys.argv[1:]`.
        arguments: Given as strings.
        folder: Where the process works.
        without_us: Whether importing this package fails there.
        online: Whether it may ask the Hub that the environment names; it then keeps its caches where that says, and
            imports everything itself.
    """
    script = f"{BLOCK if without_us else 'import sys'}\n{code}\nimport json\nprint(json.dumps(result), file=sys.stderr)"
    words = list(map(str, arguments))
    exit_code, said = _start(script, words, folder) if online else _fork(script, words, folder)
    assert exit_code == 0, said
    return json.loads(said.strip().splitlines()[-1])


def _start(script: str, words: list[str], folder: Path) -> tuple[int, str]:
    finished = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stderr


def _fork(script: str, words: list[str], folder: Path) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as outputs:
        names = {name: f"{outputs}/{name}" for name in ("stdout", "stderr")}
        request = {"code": script, "arguments": words, "folder": str(folder.resolve()), **names}
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin, flush=True)
        exit_code = int(server.stdout.readline())
        return exit_code, Path(names["stderr"]).read_text(encoding="utf-8")


@cache
def _server() -> subprocess.Popen[str]:
    """One for each process of pytest, with caches of its own."""
    caches = tempfile.TemporaryDirectory()
    environment = {**os.environ, "HF_HOME": caches.name, "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen(
        [sys.executable, str(SERVER)],
        cwd=caches.name,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(caches.cleanup)
    atexit.register(server.kill)  # runs first
    return server
