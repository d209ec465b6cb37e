"""Puts each known cause back into a copy of the checkout and expects its test to fail.

python -m tests.sabotage [P1 P12 ...]
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import ROOT
from tests.sabotage.causes import CAUSES, Cause

TESTS_FAILED = 1  # pytest's exit code; 2 and more mean that no test was judged
AT_ONCE = 2


def main(pitfalls: list[str]) -> int:
    """Runs them all, or those named; 1 if a test does not notice."""
    chosen = [cause for cause in CAUSES if not pitfalls or cause.pitfall.split()[0] in pitfalls]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        complaints = list(filter(None, pool.map(_try, chosen)))
    print(f"{len(chosen) - len(complaints)} of {len(chosen)} causes are noticed")
    return 1 if complaints or not chosen else 0


def _try(cause: Cause) -> str | None:
    complaint = _complaint(cause)
    print(f"{'NOT NOTICED' if complaint else 'noticed'}: {cause.pitfall}{complaint or ''}", flush=True)
    return complaint


def _complaint(cause: Cause) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns(".git", "runs", "*.egg-info", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, copy, ignore=ignored)
        path = copy / cause.file
        if path.read_text().count(cause.good) != 1:
            return f": {cause.file} must hold {cause.good!r} exactly once"
        path.write_text(path.read_text().replace(cause.good, cause.bad))
        # `python -m` puts the copy before the installed checkout on the path.
        pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-m", ""]  # slow tests as well
        command = [*pytest, cause.tests, "-k", cause.test]
        finished = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    if finished.returncode == TESTS_FAILED:
        return None
    return f": pytest ended with {finished.returncode}\n{finished.stdout[-2000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
