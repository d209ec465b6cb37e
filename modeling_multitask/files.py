"""Files that appear whole or not at all, and names that may be anything."""

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which replaces `path` when the block ends without an error.

    A reader finds the new file complete, or what was there before. The temporary name is unique, so no file of anyone
    else is overwritten or removed.

    Example:
        >>> with whole_file(Path("answers.csv")) as partial:
        ...     partial.write_text("text,domain")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        os.replace(partial, path)  # noqa: PTH105, the same on Windows where the file exists
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; half a surrogate pair, which JSON strings may contain, becomes `?`."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON: a figure that is NaN or infinite becomes null."""
    write_text(path, json.dumps(_strict(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows of cells as CSV."""
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    write_text(path, lines.getvalue())


def is_there(path: str | Path) -> bool:
    """Whether there is such a file or folder; unlike `Path.exists`, false also where no name can be so long."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; unlike `Path.is_dir`, false also where no name can be so long."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; unlike `Path.is_file`, false also where no name can be so long."""
    return os.path.isfile(path)  # noqa: PTH113


def _strict(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _strict(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_strict(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
