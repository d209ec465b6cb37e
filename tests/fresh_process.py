"""Run Python in a new process in which this package cannot be imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.forks import run_forked

OURS = ("modeling_multitask", "datasets_builder", "configuration", "scripts")
BLOCK = f"import sys\nfor name in {OURS!r}: sys.modules[name] = None\n"


def run_fresh(code: str, *arguments: object, folder: Path, without_us: bool = True, online: bool = False) -> Any:
    """Run the code and return its variable `result`, passed as JSON.

    Args:
        code: The Python code, which finds `arguments` in `sys.argv[1:]`.
        arguments: The arguments, which are converted to strings.
        folder: The working folder.
        without_us: Whether importing this package fails in the process.
        online: Whether the process may access the Hub named in the environment. It then uses the caches of the
            environment, and imports everything itself, because imported modules remember their Hub and their caches.
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
