"""Local copies of files on servers, which are read through fsspec and cached by the version that the server names."""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock
from huggingface_hub import constants
from huggingface_hub.utils import tqdm

from modeling_multitask.errors import DataError
from modeling_multitask.files import check_writable

from .addresses import WEB, check_address, file_in, is_address, path_within, protocol_of, shown_path
from .formats import endings
from .local_path import LocalCopy
from .server_problems import UnreachableError
from .servers import Progress, asked, is_offline, look_up, reaching

logger = logging.getLogger(__name__)

_LONGEST = 200  # characters of a name of which the cache takes the ending
_PARTIAL = ".partial"
_SHORT = 1.0  # seconds; a shorter download shows no progress bar
# Of the details that a file system gives, those that change with the content: of HTTP and S3, Google, and the Hub.
_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "Content-MD5", "Digest", "Last-Modified", "LastModified", "created")
_checked: ContextVar[dict[str, "LocalCopy"] | None] = ContextVar("checked", default=None)
_without_version: set[str] = set()  # addresses for which the user knows it


@contextmanager
def checked_once() -> Iterator[None]:
    """Within the block, each address is asked for a new version only once, so that all readers read the same one."""
    if _checked.get() is not None:
        yield
        return
    before = _checked.set({})
    try:
        yield
    finally:
        _checked.reset(before)


def path_to(given: str) -> Path:
    """Return the path of a file, which is that of the local copy for an address. Raises the errors of `local_copy`."""
    return local_copy(given) if is_address(given) else Path(given)


def paths_to(given: str) -> list[Path]:
    """Return a local path, or those of the copies of all files at an address. Raises the errors of `local_copy`."""
    names = files_in(given) if is_address(given) else None
    return [path_to(given)] if names is None else [local_copy(file_in(given, name)) for name in names]


def local_copy(address: str) -> LocalCopy:
    """Return the local copy of a file, which is downloaded unless the cache has the present version.

    The cache is the folder `multitask_files` in HF_HOME. A file whose server names no version is always downloaded. If
    HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set, the last copy of a file that cannot be reached is used; the Hub is
    then not asked.

    Raises:
        DataError: If the address is not allowed, or the file cannot be downloaded completely, with the reason. Nothing
            is cached. A server that is silent for `PATIENCE` seconds is reported.
        ImportError: If the package for the protocol is not installed.
    """
    known = _checked.get()
    if known is not None and address in known:
        return known[address]
    check_address(address)
    folder = _folder_of(address)
    if not (read_only := _is_read_only(folder)):
        check_writable(folder, "downloaded files", "set HF_HOME to another folder")
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with reaching(address), nullcontext() if read_only else FileLock(folder / ".lock"):
            copy = _present(address, folder)
    except UnreachableError as error:
        copy = _kept(address, error)
    if known is not None:
        known[address] = copy
    return copy


def files_in(address: str) -> list[str] | None:
    """Return the sorted names of the files in a folder, or `None` if the address is not that of a folder.

    The web has no folders, so no server is asked about a web address.

    Raises:
        DataError: If the address is not allowed, or the server cannot be asked.
        ImportError: If the package for the protocol is not installed.
    """
    check_address(address)
    if protocol_of(address) in WEB:
        return None
    try:
        with reaching(address):
            files, info = look_up(address)
            if info["type"] != "directory":
                return None
            found = asked(lambda: files.ls(address, detail=True))
    except UnreachableError as error:
        _kept(address, error)  # or an error
        return None
    return sorted(PurePosixPath(each["name"]).name for each in found if each["type"] == "file")


def _present(address: str, folder: Path) -> LocalCopy:
    """Return the copy of the present version, from the cache or the server. The folder must be locked."""
    files, info = look_up(address)
    if info["type"] == "directory":
        raise DataError(f"{shown_path(address)}: is a folder, not a file")
    version = _version(info)
    name = "data" + "".join(endings(_plain_name(address)))
    if version is not None and (there := folder / _key(version) / name).is_file():
        with suppress(OSError):  # the folder is read-only
            os.utime(there)  # the time at which it was last known to be the present version
        return LocalCopy.of(address, there)
    if _is_read_only(folder):
        raise DataError(
            f"{shown_path(address)}: its present version cannot be saved, because {folder} is not writable; "
            "set HF_HOME to another folder"
        )
    if version is None and address not in _without_version:
        _without_version.add(address)
        logger.warning(f"{shown_path(address)}: the server names no version of the file; it is downloaded each time")
    for left in folder.glob(f"*{_PARTIAL}"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, suffix=_PARTIAL) as scratch:
        partial = Path(scratch) / name
        _download(files, address, partial, info)
        if version is not None and version != _version(look_up(address)[1]):  # it was replaced in the meantime
            version = None
        with partial.open("rb") as content:
            there = folder / _key(version or hashlib.file_digest(content, "sha256").hexdigest()) / name
        there.parent.mkdir(exist_ok=True)
        os.replace(partial, there)  # noqa: PTH105, also works on Windows if the file exists
    return LocalCopy.of(address, there)


def _download(files: Any, address: str, partial: Path, info: dict[str, Any]) -> None:
    bar = tqdm(desc=path_within(address).name, unit="B", unit_scale=True, delay=_SHORT, disable=None)
    with bar:
        progress = Progress(bar)
        asked(lambda: files.get_file(address, os.fspath(partial), callback=progress), progress)
    size, expected = partial.stat().st_size, info.get("size")
    if protocol_of(address) not in WEB and expected is not None and size != expected:  # aiohttp checks it on the web
        raise UnreachableError(f"the download ended after {size:,} of {expected:,} bytes; try again")
    with partial.open("rb") as content:
        if content.read(1000).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DataError(
                f"{shown_path(address)}: is a web page, not a table; give the address of the file itself, such as that "
                "of 'Raw' on GitHub, or with /resolve/ instead of /blob/ on the Hub"
            )


def _kept(address: str, error: UnreachableError) -> LocalCopy:
    """Return the last copy of a file that cannot be reached, if the user asked for it."""
    copies = [path for path in _folder_of(address).glob("*/data*") if path.parent.suffix != _PARTIAL]
    copies.sort(key=lambda path: path.stat().st_mtime)
    if copies and is_offline():
        logger.warning(f"{shown_path(address)}: {error}; its copy of {_date(copies[-1])} is used")
        return LocalCopy.of(address, copies[-1])
    way_out = "; its copy is not in the cache" if is_offline() else ""
    if copies:
        way_out = f"; to use the copy of {_date(copies[-1])}, set HF_HUB_OFFLINE=1"
    raise DataError(f"{shown_path(address)}: cannot be downloaded: {error}{way_out}") from None


def _folder_of(address: str) -> Path:
    return Path(constants.HF_HOME) / "multitask_files" / _key(address)


def _is_read_only(folder: Path) -> bool:
    """Return whether the folder exists, and cannot be written, as in a cache that is shared for reading."""
    return folder.is_dir() and not os.access(folder, os.W_OK)


def _date(path: Path) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))


def _version(info: dict[str, Any]) -> str | None:
    found = next((f"{name} {info[name]}" for name in _VERSIONS if info.get(name)), None)
    return found and f"{found} {info.get('size')}"


def _plain_name(address: str) -> str:
    """Return the name of the file if it can be a part of a path, and else an empty string."""
    name = path_within(address).name
    return name if name.isprintable() and "\\" not in name and len(name) < _LONGEST else ""


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
