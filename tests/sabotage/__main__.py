"""Put known causes of bugs back into a copy of the checkout, and expect their tests to fail.

python -m tests.sabotage            causes whose file or test has changed since they were last noticed
python -m tests.sabotage P1 P12     these causes
python -m tests.sabotage --all      all causes, before a release

The noticed causes are written to `noticed.json`, which is committed.
"""

import contextlib
import hashlib
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from tests.checkout import ROOT, copy_checkout
from tests.sabotage.causes import CAUSES, Cause

# Imported once and not by every pytest, because the processes are forked. No module of this checkout may be listed.
HEAVY = ("torch", "transformers", "datasets", "evaluate", "accelerate", "peft", "pydantic", "sklearn.metrics", "pytest")
OURS = ("tests", "modeling_multitask", "datasets_builder", "scripts")
TESTS_FAILED = 1  # pytest's exit code; 2 and more mean that no test was run
AT_ONCE = 2
NOTICED = Path(__file__).parent / "noticed.json"


def main(words: list[str]) -> int:
    """Run the chosen causes, and return 1 if a test does not notice its cause."""
    noticed = json.loads(NOTICED.read_text(encoding="utf-8")) if NOTICED.is_file() else {}
    chosen = [cause for cause in CAUSES if _is_chosen(cause, words, noticed)]
    if not chosen and words not in ([], ["--all"]):
        print(f"no such pitfall: {' '.join(words)}")
        return 1
    chosen.sort(key=lambda cause: "integration" not in cause.tests)  # the slowest start first
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in HEAVY:
        importlib.import_module(name)
    # Each cause has its own process, because a sabotaged module must not stay imported.
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(AT_ONCE, mp_context=fork) as pool:
        complaints = dict(zip(chosen, pool.map(_in_a_fork, chosen), strict=True))
    noticed |= {cause.pitfall: digest(cause) for cause, complaint in complaints.items() if complaint is None}
    known = {cause.pitfall: noticed[cause.pitfall] for cause in CAUSES if cause.pitfall in noticed}
    NOTICED.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    failed = len(list(filter(None, complaints.values())))
    print(f"{len(chosen) - failed} of {len(chosen)} causes are noticed; {len(CAUSES) - len(chosen)} were not run")
    return 1 if failed else 0


def digest(cause: Cause) -> str:
    """Return a hash of the cause, the file that it changes, and its test file."""
    contents = [(ROOT / name).read_bytes() for name in (cause.file, cause.tests)]
    return hashlib.sha256(b"\0".join([repr(cause).encode(), *contents])).hexdigest()[:16]


def _is_chosen(cause: Cause, words: list[str], noticed: dict[str, str]) -> bool:
    if words:
        return words == ["--all"] or cause.pitfall.split()[0] in words
    return noticed.get(cause.pitfall) != digest(cause)


def _in_a_fork(cause: Cause) -> str | None:
    """Run a cause in a new process, and return the complaint, or `None` if the cause is noticed."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_send_complaint, args=(cause, sender))
    process.start()
    process.join()
    complaint = receiver.recv() if receiver.poll() else f": the process ended with {process.exitcode}"
    print(f"{'NOT NOTICED' if complaint else 'noticed'}: {cause.pitfall}{complaint or ''}", flush=True)
    return complaint


def _send_complaint(cause: Cause, sender: Connection) -> None:
    try:
        sender.send(_complaint(cause))
    except Exception:
        sender.send(f": {traceback.format_exc()}")
        raise


def _complaint(cause: Cause) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_checkout(Path(folder) / "checkout")
        path = copy / cause.file
        if path.read_text().count(cause.good) != 1:
            return f": {cause.file} must contain {cause.good!r} exactly once"
        path.write_text(path.read_text().replace(cause.good, cause.bad))
        output = Path(folder) / "output.txt"
        code = _run_pytest(cause, copy, output)
        if code == TESTS_FAILED:
            return None
        return f": pytest ended with {code}\n{output.read_text()[-2000:]}"


def _run_pytest(cause: Cause, copy: Path, output: Path) -> int:
    """Run the cause's test on the copy, like `python -m pytest` in its folder."""
    import pytest

    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path.insert(0, str(copy))
    options = ["-q", "-x", "-p", "no:randomly", "-m", "", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    with contextlib.chdir(copy), output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        return pytest.main([*options, cause.tests, "-k", cause.test])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
