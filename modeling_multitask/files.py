"""Atomic writes of files and folders, and path checks that accept any name."""

import csv
import ctypes
import glob
import io
import json
import math
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = ".incomplete"  # a file in a temporary folder of this package
_PROTOCOL = re.compile(r"(s3|gs|hf|https?|file):", re.IGNORECASE)
_HERE = -100  # AT_FDCWD: relative paths begin at the working folder
_SWAP = 2  # RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS


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

    A reader sees either the old folder or the new one. Where the system cannot exchange two folders in one step, there
    is a moment without a folder. The temporary folder has a unique name and contains the file `MARK` while it is
    incomplete. Such folders of earlier, interrupted blocks are removed. No other folder is.
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
        if exchange(partial, path):
            (partial / MARK).touch()  # it is the old folder now
        else:
            if path.exists():
                path.rename(before)
            partial.rename(path)
    finally:
        if before.exists() and not path.exists():  # it was not replaced
            before.rename(path)
        for each in (partial, before):
            shutil.rmtree(each, ignore_errors=True)


@contextmanager
def whole_files(folder: Path, *, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder. If the block ends without an error, its files move into `folder`.

    Other files of `folder` stay. While the files move, `folder` contains the file `MARK` (see `holds_any`).

    Args:
        folder: The folder. It is created if needed.
        stale: Names of files of an earlier block, which are removed if they are not replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{secrets.token_hex(4)}.partial"
    for left in folder.glob(".*.partial"):
        if (left / MARK).is_file():
            shutil.rmtree(left, ignore_errors=True)
    partial.mkdir()
    (partial / MARK).touch()
    try:
        yield partial
        (folder / MARK).touch()
        made = {each.name: each for each in partial.iterdir() if each.name != MARK}
        for name in set(stale) - set(made):
            (folder / name).unlink(missing_ok=True)
        for name, each in made.items():
            os.replace(each, folder / name)  # noqa: PTH105, also works on Windows if the file exists
        (folder / MARK).unlink()
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def holds_any(folder: Path, names: Iterable[str]) -> bool:
    """Return whether a folder contains any of these files, other than as the rest of an interrupted `whole_files`."""
    return not (folder / MARK).is_file() and any((folder / name).exists() for name in names)


def parts_of(output: Path) -> Path:
    """Return the folder of the finished parts of an output file."""
    return output.with_name(f"{output.name}.parts")


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, and return whether that was possible.

    Linux has `renameat2` with `RENAME_EXCHANGE`, macOS has `renamex_np` with `RENAME_SWAP`. Some file systems, and
    Windows, have neither.
    """
    names = [os.fsencode(one), os.fsencode(other)]
    try:
        libc = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return libc.renamex_np(*names, _SWAP) == 0
        return libc.renameat2(_HERE, names[0], _HERE, names[1], _SWAP) == 0
    except (OSError, AttributeError, TypeError):
        return False


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


def check_writable(folder: Path, what: str, advice: str) -> None:
    """Raise an `OSError` if files cannot be written into a folder, which may not exist yet.

    Args:
        folder: The folder.
        what: Its purpose, for the message.
        advice: What to do, for the message.
    """
    folder = folder.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        reason = "is not writable" if there.is_dir() else "is a file"
        raise OSError(f"{what} cannot be written to {folder}, because {there} {reason}; {advice}")


def check_local(output: Path) -> None:
    """Raise a `ValueError` if an output is an address such as s3://bucket/answers.csv, and not a local path.

    As a path it is a relative one that begins with a folder `s3:`.
    """
    if (first := output.parts[:1]) and _PROTOCOL.fullmatch(first[0]):
        raise ValueError(
            f"{first[0]}//...: an output cannot be an address; write to a local path, and upload it afterwards"
        )


def is_there(path: str | Path) -> bool:
    """Return whether the file or folder exists. Unlike `Path.exists`, it is also false for a name that is too long."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: str | Path) -> bool:
    """Return whether the folder exists. Unlike `Path.is_dir`, it is also false for a name that is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Return whether the file exists. Unlike `Path.is_file`, it is also false for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113
