"""Open a file as bytes; a file with the ending of a compression is decompressed while it is read."""

import bz2
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

import pyarrow as pa

from modeling_multitask.errors import DataError
from modeling_multitask.wording import on_one_line

from .formats import endings

_DAMAGED = (EOFError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, decompressed by its ending.

    Raises:
        DataError: If the compressed file is damaged or encrypted, or a .zip file does not contain exactly one file.
        OSError: If the file cannot be read.
    """
    open_file = _OPEN.get(endings(path)[1], _plain)
    try:
        with open_file(path) as file:
            yield file
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and (error.errno is not None or open_file is _plain):
            raise
        reason = on_one_line(str(error), most=100) or type(error).__name__
        raise DataError(f"{path}: the file is damaged or incomplete and cannot be decompressed ({reason})") from None


def format_ending(path: Path) -> str:
    """Return the ending that names the format, in a .zip file that of the file within.

    Raises:
        DataError: If a .zip file cannot be opened, or does not contain exactly one file.
    """
    ending, packed = endings(path)
    if packed != ".zip":
        return ending
    try:
        with _archive(path) as archive:
            return endings(_only_member(path, archive))[0]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(f"{path}: not a complete .zip file ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


@contextmanager
def _zip(path: Path) -> Iterator[IO[bytes]]:
    with _archive(path) as archive:
        name = _only_member(path, archive)
        try:
            with _readable_names():
                file = archive.open(name)
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or another compression
            raise DataError(f"{path}: {name} cannot be decompressed ({error})") from None
        with file:
            yield file


def _archive(path: Path) -> zipfile.ZipFile:
    with _readable_names():
        return zipfile.ZipFile(path)


@contextmanager
def _readable_names() -> Iterator[None]:
    """Turn the error for the name of a file in a damaged archive into that for the archive."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise zipfile.BadZipFile(f"the name of a file is not UTF-8: {error}") from None


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not (name.endswith("/") or _is_by_the_way(name))]
    if len(names) != 1:
        there = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise DataError(
            f"{path}: contains {len(names)} files{f' ({there})' if names else ''}; a .zip file must contain exactly "
            "one; unpack it, and give the files or their folder"
        )
    return names[0]


def _is_by_the_way(name: str) -> bool:
    """Return whether macOS adds a file of this name to archives."""
    return name.startswith("__MACOSX/") or PurePath(name).name == ".DS_Store"


@contextmanager
def _zst(path: Path) -> Iterator[IO[bytes]]:
    with pa.OSFile(os.fspath(path)) as packed, pa.CompressedInputStream(packed, "zstd") as file:
        yield file


_OPEN: dict[str, Callable[[Path], AbstractContextManager[Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _zip,
    ".zst": _zst,
}
