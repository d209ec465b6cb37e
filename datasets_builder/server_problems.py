"""The problem with a file on a server, in words for the user, from the error of a file system."""

import errno
import re
from http import HTTPStatus

from modeling_multitask.wording import on_one_line

from .addresses import FROM_ENVIRONMENT, with_shown_paths

_MOST = 200  # characters of a library's message
# By the name of the error, because aiohttp is imported only for the web.
_NAMED = {
    "NonHttpUrlRedirectClientError": "the server redirects to an address that is not on the web; check the address",
    "TooManyRedirects": "the server redirects again and again; check the address",
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ENDED_EARLY = ("ContentLengthError", "TransferEncodingError")


class UnreachableError(Exception):
    """A file cannot be reached: no server answers, or its answer is not complete. The message is the reason."""


def problem_of(error: Exception) -> str | UnreachableError:
    """Return the problem with a file that a server answers with, or that there is no complete answer.

    The HTTP file system of fsspec raises a `FileNotFoundError` for every error, whose cause is the error itself.
    """
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    if (problem := _broken_answer(cause) or _NAMED.get(type(cause).__name__)) is not None:
        return problem
    if getattr(cause, "errno", None) in _FULL:
        return "the copy cannot be saved, because the disk is full; free some space, or set HF_HOME to another folder"
    status = _status(cause)
    if isinstance(cause, FileNotFoundError) or status in (404, 410):
        return "no such file on the server; check the address, and whether the file is public"
    if isinstance(cause, PermissionError) or status in (401, 403) or "credentials" in str(cause).lower():
        return f"the server refuses access ({_text(cause, status)}); {FROM_ENVIRONMENT}"
    if status is not None:
        return f"cannot be downloaded: the server fails ({_text(cause, status)}); try again later"
    if type(cause).__name__ == "ClientPayloadError":
        return UnreachableError("the download ended early; try again")
    if isinstance(cause, TimeoutError):
        return UnreachableError("the server does not answer in time; check the address and the network")
    return UnreachableError(f"{_text(cause, None)}; check the address, the network and the proxy")


def _broken_answer(error: BaseException) -> str | None:
    """Return the problem with an answer that aiohttp cannot read. It gives these a status, which no server has sent.

    Its message is not repeated, because it can contain headers.
    """
    cause = error.__cause__
    if cause is None or type(cause).__module__ != "aiohttp.http_exceptions":
        return None
    encoding = re.search(r"content-encoding: (.+?)(\.|$)", str(cause), re.IGNORECASE)
    if encoding:
        return f"the content cannot be decoded ({encoding[1]}); the server must send the file as it is"
    if type(cause).__name__ in _ENDED_EARLY:
        return None
    return "the server's answer is not valid HTTP; check the address, and whether http:// or https:// is right"


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
