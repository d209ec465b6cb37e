"""Atomic writes of files and folders, and path checks that accept any name."""

import csv
import glob
import io
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = ".incomplete"  # a file in a temporary folder of this package


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which replaces `path` if the block ends without an error.

    A reader sees either the complete new file or the old one. The temporary name is unique, so no other file is
    overwritten or removed.

    Example:
        >>> with whole_file(Path("answers.csv")) as partial:
        ...     partial.write_text("text,domain")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        os.replace(partial, path)  # noqa: PTH105, also works on Windows if the file exists
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `path`, which replaces the folder `path` if the block ends without an error.

    The temporary folder has a unique name and contains the file `MARK` while it is incomplete. Such folders of earlier,
    interrupted blocks are removed. No other folder is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if (left / MARK).is_file():
            shutil.rmtree(left, ignore_errors=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    before = partial.with_suffix(".before")
    partial.mkdir()
    (partial / MARK).touch()
    try:
        yield partial
        (partial / MARK).unlink()
        if path.exists():
            path.rename(before)
        partial.rename(path)
    finally:
        if before.exists() and not path.exists():  # it was not replaced
            before.rename(path)
        for each in (partial, before):
            shutil.rmtree(each, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8. Half a surrogate pair, which JSON strings may contain, becomes `?`."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON. NaN and infinite numbers become null."""
    write_text(path, strict_json(content, indent=2, ensure_ascii=False) + "\n")


def strict_json(content: Any, **options: Any) -> str:
    """Return strict JSON, in which NaN and infinite numbers are null."""
    return json.dumps(strict(content), allow_nan=False, **options)


def strict(content: Any) -> Any:
    """Return content in which NaN and infinite numbers are `None`."""
    if isinstance(content, dict):
        return {name: strict(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [strict(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows of cells as CSV for people, without formulas (see `without_formula`)."""
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(map(without_formula, row) for row in rows)
    write_text(path, lines.getvalue())


def without_formula(cell: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula: a text that could be one begins with an apostrophe.

    See OWASP, "CSV Injection". Numbers stay as they are.
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def is_there(path: str | Path) -> bool:
    """Return whether the file or folder exists. Unlike `Path.exists`, it is also false for a name that is too long."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: str | Path) -> bool:
    """Return whether the folder exists. Unlike `Path.is_dir`, it is also false for a name that is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Return whether the file exists. Unlike `Path.is_file`, it is also false for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113
