"""Python in a new process in which this package cannot be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

OURS = ("modeling_multitask", "datasets_builder", "configuration", "scripts")
BLOCK = f"import sys\nfor name in {OURS!r}: sys.modules[name] = None\n"


def run_fresh(code: str, *arguments: object, folder: Path, without_us: bool = True, online: bool = False) -> Any:
    """Runs the code and returns what it leaves in `result`, by way of JSON.

    Args:
        code: Python; it finds `arguments` in `sys.argv[1:]`.
        arguments: Given as strings.
        folder: Where the process works and keeps its caches.
        without_us: Whether importing this package fails there.
        online: Whether it may ask the Hub that the environment names; it then keeps its caches where that says.
    """
    script = f"{BLOCK if without_us else ''}{code}\nimport json, sys\nprint(json.dumps(result), file=sys.stderr)"
    offline = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **({} if online else offline)}
    finished = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stderr.strip().splitlines()[-1])
