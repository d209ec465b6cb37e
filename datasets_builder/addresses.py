"""Addresses of files on servers, such as s3://bucket/reviews.csv, and how they are named in messages.

This module does not import fsspec, so that a recipe can be checked without it.
"""

import re
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

from modeling_multitask.errors import DataError
from modeling_multitask.secret import find_secret
from modeling_multitask.words_multitask import nearest_hint

PROTOCOLS = ("s3", "gs", "hf", "https", "http")
WEB = ("https", "http")
_IN_MEMORY = "memory"  # files of fsspec in the memory of this process, for tests
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.:-]+://")  # C:// is a drive, whose name is one letter
_WITHIN = re.compile(rf"{_ADDRESS.pattern}[^\s'\"<>]+")
_CREDENTIAL = re.compile(
    r"tokens?(?![a-z])|secret|signature|password|passwd|credential|auth(?!or)|(api|access|account|private|storage)[_-]?key"
    r"|^(sig|key|pw|pwd|pass)$",
    re.IGNORECASE,
)
FROM_ENVIRONMENT = (
    "credentials come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://, "
    "GOOGLE_APPLICATION_CREDENTIALS for gs://, HF_TOKEN for hf://, and the file ~/.netrc for https://"
)


def is_address(path: str) -> bool:
    """Return whether a path is an address with a protocol, and not a local path or the id of a data set."""
    return _ADDRESS.match(path) is not None


def protocol_of(address: str) -> str:
    """Return the protocol of an address in lower case, such as `https`."""
    return address.partition("://")[0].lower()


def shown_path(path: str) -> str:
    """Return a path for messages. An address has no user, password, query or fragment, which may be secrets."""
    if not is_address(path):
        return path
    head, _, rest = path.partition("://")
    host, slash, below = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{head}://{host.rpartition('@')[2]}{slash}{below}"


def with_shown_paths(text: str) -> str:
    """Return a text in which every address is as in messages."""
    return _WITHIN.sub(lambda found: shown_path(found[0]), text)


def path_within(address: str) -> PurePosixPath:
    """Return the host, or bucket, and the path of an address. The path of a web address is decoded."""
    path = shown_path(address).partition("://")[2]
    return PurePosixPath(unquote(path) if protocol_of(address) in WEB else path)


def file_in(folder: str, name: str) -> str:
    """Return the address of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def check_address(address: str) -> None:
    """Raise a `DataError` if an address has another protocol, names no file, or contains a user, password or token."""
    protocol = protocol_of(address)
    if protocol not in (*PROTOCOLS, _IN_MEMORY):
        allowed = ", ".join(f"{each}://" for each in PROTOCOLS)
        hint = nearest_hint(protocol, PROTOCOLS)
        raise DataError(
            f"{shown_path(address)}: files are not read through {protocol}://{hint}; an address must begin with one of "
            f"{allowed}; a local file has no protocol"
        )
    if problem := credential_problem(address):
        raise DataError(f"{shown_path(address)}: {problem}")
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise DataError(f"{shown_path(address)}: not a valid address ({error})") from None
    if not parts.netloc or (protocol in WEB and not parts.path.strip("/")):
        raise DataError(f"{shown_path(address)}: names no file; write {protocol}://.../reviews.csv")


def credential_problem(address: str) -> str | None:
    """Return the problem of an address that contains a user, a password or a token, which are not repeated."""
    host = re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0]
    query = re.split("[?#]", address, maxsplit=1)[1:]
    names = [name for part in query for name, _ in parse_qsl(part, keep_blank_values=True)]
    found = next((f"the word {name!r} of its query" for name in names if _CREDENTIAL.search(name)), None)
    if "@" in host:
        found = "its user name or password"
    elif found is None and find_secret(address):
        found = "a token"
    return found and (
        f"the address must not contain credentials ({found}), because recipes are saved and pushed; {FROM_ENVIRONMENT}"
    )
