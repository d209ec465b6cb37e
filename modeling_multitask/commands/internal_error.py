"""The log of an internal error, for a bug report."""

import os
import platform
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..secret import without_secrets
from ..version import __version__


def write_log(error: BaseException, words: Sequence[str]) -> str:
    """Write the log, and return a sentence with its path.

    The log has versions, the arguments and the lines of code that led to the error. It contains neither texts nor
    tokens: messages of errors are left out, because they may quote a text.

    Args:
        error: The error.
        words: The arguments of the command.
    """
    path = Path(tempfile.gettempdir()) / f"multitask-error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        path.write_text(log_of(error, words), encoding="utf-8", errors="replace")
    except OSError as failure:
        return f"This is a bug. Its log could not be written ({failure})."
    return f"This is a bug. Please report it with the log {path}, which contains no texts and no tokens."


def log_of(error: BaseException, words: Sequence[str]) -> str:
    """Return the log as text."""
    lines = [
        f"modeling-multitask {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {without_secrets(' '.join(words))}",
    ]
    found: BaseException | None = error
    while found is not None:
        lines += [f"{type(found).__module__}.{type(found).__qualname__}"]
        lines += [line.rstrip() for line in traceback.format_tb(found.__traceback__)]
        found = found.__cause__ or found.__context__
    return "\n".join(lines) + "\n"
