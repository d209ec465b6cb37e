"""Servers that files are read from through fsspec: their file systems, a limit for their silence, and their errors."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Thread
from typing import Any

import fsspec
from fsspec.callbacks import Callback
from huggingface_hub import constants, is_offline_mode
from huggingface_hub.utils import tqdm

from modeling_multitask.errors import DataError
from modeling_multitask.extras import import_extra
from modeling_multitask.hub_access import hub_access

from .addresses import WEB, path_within, protocol_of, shown_path
from .formats import endings
from .server_problems import UnreachableError, problem_of

PATIENCE = 20.0  # seconds without a byte, after which a connection hangs
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp"}


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """Turn the errors of a file system into a `DataError` or, if no server answers, an `UnreachableError`."""
    on_hub = protocol_of(address) == "hf"
    if on_hub and is_offline():
        raise UnreachableError("HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set")
    asking: AbstractContextManager[str | None] = hub_access() if on_hub else nullcontext()
    with asking as unreachable:
        if unreachable:
            raise UnreachableError(unreachable)
        try:
            yield
        except (UnreachableError, DataError, ImportError):
            raise
        except Exception as error:  # of aiohttp, botocore, gcsfs or huggingface_hub
            problem = problem_of(error)
            if isinstance(problem, UnreachableError):
                raise problem from None
            raise DataError(f"{shown_path(address)}: {problem}") from None


def is_offline() -> bool:
    """Return whether the user does not allow to ask the Hub, and wants the files in the cache."""
    given = os.environ.get("HF_DATASETS_OFFLINE", "").upper()
    return bool(is_offline_mode()) or given in constants.ENV_VARS_TRUE_VALUES


def look_up(address: str) -> tuple[Any, dict[str, Any]]:
    """Return the file system of an address, and what it tells about the file or folder there.

    Raises:
        UnreachableError: If the server sends nothing for `PATIENCE` seconds.
        ImportError: If the package for the protocol is not installed.
    """

    def details() -> tuple[Any, dict[str, Any]]:
        files = _file_system(address)  # which may look for credentials on servers
        return files, files.info(address)

    found: tuple[Any, dict[str, Any]] = asked(details)
    return found


class Progress(Callback):
    """Shows on a bar how much has arrived, and remembers when."""

    def __init__(self, bar: tqdm | None = None) -> None:
        super().__init__()
        self.bar = bar
        self.last = time.monotonic()

    def call(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Note that something arrived."""
        self.last = time.monotonic()
        if self.bar is not None:
            self.bar.total = self.size
            self.bar.update(self.value - self.bar.n)


def asked(call: Callable[[], Any], progress: Progress | None = None) -> Any:
    """Return what a call of a file system returns.

    The call runs in a thread, because each file system has other time limits, and some have none.

    Raises:
        UnreachableError: If nothing arrives for `PATIENCE` seconds.
    """
    progress = progress or Progress()
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except Exception as error:  # each file system has its own
            outcome.append((None, error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive() and (left := progress.last + PATIENCE - time.monotonic()) > 0:
        thread.join(left)
    if not outcome:
        raise UnreachableError(f"the server sends nothing for {PATIENCE:g} s; check the address and the network")
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def _file_system(address: str) -> Any:
    """Return the file system of a protocol, without its memory of earlier answers."""
    protocol, options = protocol_of(address), dict[str, Any]()
    if protocol in _PACKAGES:
        import_extra(_PACKAGES[protocol], "remote")
    if protocol in WEB:
        options = {"client_kwargs": client_settings(address), "headers": {"Accept-Encoding": "identity"}}
    files = fsspec.filesystem(protocol, skip_instance_cache=True, **options)
    files.invalidate_cache()  # which the instances for the Hub share
    return files


def client_settings(address: str) -> dict[str, Any]:
    """Return the settings of aiohttp for an address: for proxies and ~/.netrc, long downloads, and compressed files."""
    from aiohttp import ClientTimeout  # noqa: PLC0415, only for the web

    # By default, each request ends after 5 minutes. These limits end a thread that `asked` has left.
    limits = ClientTimeout(sock_connect=2 * PATIENCE, sock_read=2 * PATIENCE)
    # Some servers call a .csv.gz file encoded. It must stay compressed, as its ending says.
    unpack = endings(path_within(address))[1] != ".gz"
    return {"trust_env": True, "timeout": limits, "auto_decompress": unpack}
