"""A lock for each output, so that two runs never write to the same file or folder."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from .files import check_local, write_json

_PATIENCE = 0.2  # seconds; a lock that is being released is not a lock that is held


@contextmanager
def locked(output: Path, *, inside: bool = False) -> Iterator[None]:
    """Hold the lock of an output file or folder, which may not exist yet.

    The lock is the file `.<name>.lock`, and `.<name>.owner` describes the process that holds it. Both are removed at
    the end. The operating system releases the lock if its process dies.

    Args:
        output: The output.
        inside: Whether the output is a folder that holds its own lock, which is then `.lock`. Otherwise the lock is
            next to the output.

    Raises:
        ValueError: If the output is an address.
        NotADirectoryError: If a folder is required, and the output is a file.
        BlockingIOError: If another process holds the lock. The message names the process, its host and its age.

    Example:
        >>> with locked(Path("answers.csv")):
        ...     ...  # write answers.csv
    """
    check_local(output)
    output = output.absolute()
    if inside and output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file; choose a folder for the output")
    folder, name = (output, "") if inside else (output.parent, f".{output.name}")
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / f"{name}.owner"
    lock = FileLock(folder / f"{name}.lock", timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            f"{output} is in use by {_in_words(owner)}; wait until it ends, stop it, or choose another output"
        ) from None
    try:
        write_json(owner, {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        yield
    finally:
        owner.unlink(missing_ok=True)
        with suppress(OSError):  # Windows does not remove an open file
            Path(lock.lock_file).unlink()
        lock.release()
        with suppress(OSError):  # something was written
            for each in new:
                each.rmdir()


def _in_words(owner: Path) -> str:
    """Return `process 17 on host laptop, for 3 minutes`."""
    try:
        found = json.loads(owner.read_text(encoding="utf-8"))
        minutes = max(0, int(time.time() - found["since"])) // 60
        age = f"{minutes} minute{'s' if minutes != 1 else ''}" if minutes else "less than a minute"
        return f"process {found['process']} on host {found['host']}, for {age}"
    except (OSError, ValueError, KeyError, TypeError):  # it is being written, or someone changed it
        return "another process"
