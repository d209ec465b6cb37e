"""The problem with a file on a server, in words for the user, from the error of a file system."""

from http import HTTPStatus

from modeling_multitask.wording import on_one_line

from .addresses import FROM_ENVIRONMENT, with_shown_paths

_MOST = 200  # characters of a library's message


class UnreachableError(Exception):
    """A file cannot be reached: no server answers, or its answer is not complete. The message is the reason."""


def problem_of(error: Exception) -> str | UnreachableError:
    """Return the problem with a file that a server answers with, or that there is no complete answer.

    The HTTP file system of fsspec raises a `FileNotFoundError` for every error, whose cause is the error itself.
    """
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    status = _status(cause)
    if isinstance(cause, FileNotFoundError) or status in (404, 410):
        return "no such file on the server; check the address, and whether the file is public"
    if isinstance(cause, PermissionError) or status in (401, 403) or "credentials" in str(cause).lower():
        return f"the server refuses access ({_text(cause, status)}); {FROM_ENVIRONMENT}"
    if status is not None:
        return f"cannot be downloaded: the server fails ({_text(cause, status)}); try again later"
    name = type(cause).__name__  # of aiohttp, which is imported only for the web
    if name == "NonHttpUrlRedirectClientError":
        return "the server redirects to an address that is not on the web; check the address"
    if name == "ClientPayloadError":
        return UnreachableError("the download ended early; try again")
    if isinstance(cause, TimeoutError):
        return UnreachableError("the server does not answer in time; check the address and the network")
    return UnreachableError(f"{_text(cause, None)}; check the address, the network and the proxy")


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of aiohttp, gcsfs, or a library with a response."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status", "status_code", "code"):
            found = getattr(holder, name, None)
            if isinstance(found, int) and found >= 400:
                return found
    return None


def _text(error: BaseException, status: int | None) -> str:
    """Return an HTTP status, or the library's message without secrets."""
    if status is not None:
        return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
    return on_one_line(with_shown_paths(str(error)), most=_MOST) or type(error).__name__
