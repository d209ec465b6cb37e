"""Python in a process of its own, in which this package cannot be imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.forks import run_forked

OURS = ("modeling_multitask", "datasets_builder", "configuration", "scripts")
BLOCK = f"import sys\nfor name in {OURS!r}: sys.modules[name] = None\n"


def run_fresh(code: str, *arguments: object, folder: Path, without_us: bool = True, online: bool = False) -> Any:
    """Runs the code and returns what it leaves in `result`, by way of JSON.

    Args:
        code: Python; it finds `arguments` in `sys.argv[1:]`.
        arguments: Given as strings.
        folder: Where the process works.
        without_us: Whether importing this package fails there.
        online: Whether it may ask the Hub that the environment names; it then keeps its caches where that says, and
            has to import everything itself, since what is imported knows its Hub and its caches.
    """
    script = f"{BLOCK if without_us else 'import sys'}\n{code}\nimport json\nprint(json.dumps(result), file=sys.stderr)"
    words = ["-c", *map(str, arguments)]
    if online:
        command = [sys.executable, words[0], script, *words[1:]]
        finished = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        exit_codes, said = [finished.returncode], finished.stderr
    else:
        exit_codes, _, said = run_forked(script, words, folder=folder)
    assert exit_codes == [0], said
    return json.loads(said.strip().splitlines()[-1])
