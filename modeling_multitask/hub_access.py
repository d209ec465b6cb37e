"""Whether the Hub answers, asked once instead of by each of the many requests that a model needs."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from huggingface_hub import constants, get_session, is_offline_mode

from .files import is_folder

PATIENCE = 5.0  # seconds until the Hub must have answered
_BROKEN = 500  # the first HTTP status of a server that does not work, after which the libraries wait and try again
_SLOWEST = 60.0  # seconds between two parts of an answer; huggingface_hub has no limit for many requests
_VALID = 60.0  # seconds for which an answer counts
_SILENT = 30.0  # seconds for which a Hub that did not answer is not asked again

_inside: list[str] = []  # why the block that is running is offline
_answered: dict[str, float] = {}  # when each endpoint answered last
_silent: dict[str, tuple[float, str]] = {}  # when each endpoint did not answer, and why


@contextmanager
def hub_access(path: str = "") -> Iterator[str | None]:
    """Yield why the Hub cannot be reached, or `None` if it can.

    If it cannot, huggingface_hub, transformers and datasets work offline in the block: files in the cache are used, and
    for others they raise an error at once. Without this, each of them tries each file several times. With
    HF_HUB_OFFLINE, nothing changes.

    Args:
        path: The id of a repository. A local folder needs no Hub.
    """
    if is_folder(path) or _inside:
        yield next(iter(_inside), None)
        return
    reason = None if is_offline_mode() else _known_reason(constants.ENDPOINT) or unreachable(working=True)
    if reason is None:
        yield None
        return
    _inside.append(reason)
    try:
        with _offline():
            yield reason
    finally:
        _inside.clear()


def unreachable(endpoint: str | None = None, *, working: bool = False) -> str | None:
    """Return why the Hub cannot be reached, or `None` if it can, after at most `PATIENCE` seconds.

    Args:
        endpoint: The address of the Hub. By default that of the environment.
        working: Whether the Hub must also work, so that its answer is no HTTP status of 500 or more.
    """
    endpoint = endpoint or constants.ENDPOINT
    if time.monotonic() - _answered.get(endpoint, -_VALID) < _VALID:
        return None
    session = get_session()
    outcome: list[int | str] = []
    # In a thread, because the limit of a request holds for each of the Hub's addresses, and not for finding them.
    asking = threading.Thread(target=_ask, args=(session, endpoint, outcome), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    status = outcome[0] if outcome else f"no answer within {PATIENCE:g} s"
    if isinstance(status, str) or (working and status >= _BROKEN):
        problem = status if isinstance(status, str) else f"it answers with the HTTP status {status}"
        _silent[endpoint] = time.monotonic(), f"{endpoint} cannot be reached: {problem}"
        return _silent[endpoint][1]
    if session.timeout.read is None:
        session.timeout = _SLOWEST
    _answered[endpoint] = time.monotonic()
    return None


def _ask(session: Any, endpoint: str, outcome: list[int | str]) -> None:
    """Add the HTTP status of an answer, or the reason why there is none."""
    try:
        outcome.append(session.head(endpoint, timeout=PATIENCE).status_code)
    except Exception as error:  # the library of the requests depends on the version of huggingface_hub
        outcome.append(str(error) or type(error).__name__)


def _known_reason(endpoint: str) -> str | None:
    """Return why an endpoint did not answer a moment ago."""
    when, reason = _silent.get(endpoint, (-_SILENT, ""))
    return reason if time.monotonic() - when < _SILENT else None


@contextmanager
def _offline() -> Iterator[None]:
    """Let the libraries believe that HF_HUB_OFFLINE is set."""
    places: list[Any] = [constants, *(sys.modules[name] for name in ("datasets.config",) if name in sys.modules)]
    before = [place.HF_HUB_OFFLINE for place in places]
    for place in places:
        place.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value
