"""Upload of a folder to a repository on the Hub, in one commit."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, is_offline_mode
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from ..errors import DataError
from ..hub_access import unreachable
from ..wording import first_line
from .secret_files import check_secrets

CARD = "README.md"
ATTEMPTS = 4
LONGEST_WAIT = 60.0  # maximum seconds between two attempts, even if the Hub asks for more
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_MEANINGS = {
    401: "log in with `hf auth login`, or set HF_TOKEN to a token with write access",
    402: "the account has no storage left; free or buy storage",
    403: "the token has no write access to this repository, or the account has no storage left",
    412: "someone else pushed at the same time; push again",
    413: "the upload is larger than the storage limit of the account",
    429: "too many requests from this machine; push again later",
}
# The second is the error of the HTTP library, which depends on the version of huggingface_hub. The last is raised for
# a page that is not JSON.
_REFUSALS: Any = (HfHubHTTPError, HfHubHTTPError.__mro__[1], ConnectionError, JSONDecodeError)


@dataclass(frozen=True)
class Target:
    """The target of an upload.

    Args:
        repo_id: Repository. It is created if needed.
        repo_type: `model`, `dataset` or `space`.
        private: Whether a new repository is private. By default the owner's default.
        revision: Branch. It is created from `main` if needed.
        create_pr: Whether to open a pull request instead.
        space_sdk: SDK of a new Space.
    """

    repo_id: str
    repo_type: str = "model"
    private: bool | None = None
    revision: str | None = None
    create_pr: bool = False
    space_sdk: str | None = None


class Pushed(NamedTuple):
    """A finished upload: the URL of the page, and the sha of the commit."""

    address: str
    commit: str


class There(NamedTuple):
    """The content of a repository: sha of the newest commit, files, card (if any) and visibility."""

    commit: str
    files: list[str]
    card: str | None
    private: bool


def check_repo_id(repo_id: str, kind: str = "data set") -> None:
    """Raise a `DataError` if the name is not a valid repository name on the Hub, or has no owner.

    Args:
        repo_id: Name to check.
        kind: Kind of the repository, for the message.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise DataError(f"{repo_id!r} is not a valid name of a {kind} on the Hub ({error})") from None
    if "/" not in repo_id:
        raise DataError(f"{repo_id!r} has no owner; write OWNER/{repo_id}")


def push_folder(
    api: HfApi,
    folder: Path,
    target: Target,
    *,
    owned: Sequence[str],
    message: str,
    merge_cards: Callable[[str, str], str] | None = None,
    first_wait: float = 1.0,
) -> Pushed:
    """Upload the files of a folder to a repository, with one commit.

    The upload becomes visible with this commit. An interrupted push changes nothing, and the next push reuses the files
    that were uploaded. A busy or unreachable Hub is tried up to four times. A pull request is tried once, because a
    second attempt could open it twice.

    Args:
        api: Client of the Hub, with its token.
        folder: Folder to upload.
        target: Target of the upload.
        owned: Patterns of remote files that are deleted if they are not in the folder. Other files stay. A pattern
            without a slash matches only files at the root.
        message: Title of the commit.
        merge_cards: Function that merges the remote card and the folder's card. By default the folder's card is used.
        first_wait: Seconds before the second attempt. They double with each attempt.

    Raises:
        ValueError: If a file seems to contain a secret.
        OSError: If the Hub is not reachable or refuses the push, or if the repository is public but `private` is set.
    """
    check_secrets(folder)

    def attempt() -> Pushed:
        api.create_repo(
            target.repo_id,
            repo_type=target.repo_type,
            private=target.private,
            space_sdk=target.space_sdk,
            exist_ok=True,
        )
        with_card = merge_cards is not None
        there = look(api, target, with_card=with_card) or _new_branch(api, target, with_card=with_card)
        if target.private and not there.private:
            raise PermissionError(f"{target.repo_id} is already public; make it private first, or remove --private")
        commit = api.create_commit(
            target.repo_id,
            _operations(folder, there, owned, merge_cards),
            repo_type=target.repo_type,
            revision=target.revision,
            create_pr=target.create_pr,
            parent_commit=there.commit,
            commit_message=message,
        )
        return Pushed(str(commit.pr_url or _address(api, target)), commit.oid)

    return patiently(attempt, api, attempts=1 if target.create_pr else ATTEMPTS, first_wait=first_wait)


def look(api: HfApi, target: Target, *, with_card: bool = True) -> There | None:
    """Return the content of the repository at the target's revision, or `None` if there is no such revision.

    Args:
        api: Client of the Hub.
        target: Repository and revision.
        with_card: Whether to read the card.

    Raises:
        OSError: If the Hub is not reachable or refuses the request.
    """
    try:
        info: Any = api.repo_info(target.repo_id, repo_type=target.repo_type, revision=target.revision)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return None
    files = [each.rfilename for each in info.siblings or []]
    card = _read_card(api, target, info.sha) if with_card and CARD in files else None
    return There(str(info.sha), files, card, bool(info.private))


def _read_card(api: HfApi, target: Target, commit: str) -> str | None:
    try:
        path = api.hf_hub_download(target.repo_id, CARD, repo_type=target.repo_type, revision=commit)
    except LocalEntryNotFoundError as error:  # the card exists, but the Hub is busy: it must not be overwritten
        raise error.__cause__ if isinstance(error.__cause__, _REFUSALS) else ConnectionError(str(error)) from error
    except EntryNotFoundError:
        return None
    return Path(path).read_text(encoding="utf-8")


def stale_files(folder: Path, there: There, owned: Sequence[str]) -> list[str]:
    """Return the files of a repository that a push of the folder deletes.

    Args:
        folder: Folder to push.
        there: Content of the repository.
        owned: Patterns. A pattern without a slash matches only files at the root.
    """
    files = _files(folder)
    return [name for name in there.files if name not in files and any(_matches(name, each) for each in owned)]


def file_lines(folder: Path) -> list[str]:
    """Return one line with the size and the name for each file of a folder, in order."""
    return [f"  {path.stat().st_size:>12,} bytes  {name}" for name, path in _files(folder).items()]


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)


def _files(folder: Path) -> dict[str, Path]:
    return {each.relative_to(folder).as_posix(): each for each in sorted(folder.rglob("*")) if each.is_file()}


def patiently(act: Callable[[], Any], api: HfApi, *, attempts: int = ATTEMPTS, first_wait: float = 1.0) -> Any:
    """Return the result of `act`. Try again if the Hub is busy or not reachable.

    Args:
        act: Function that has the same effect if it is called twice.
        api: Client of the Hub.
        attempts: Maximum number of attempts.
        first_wait: Seconds before the second attempt. They double with each attempt.

    Raises:
        OSError: If the Hub is not reachable or refuses the request. The message says what to do.
    """
    if (reason := unreachable(api.endpoint)) and not is_offline_mode():
        raise ConnectionError(reason)
    for i in range(attempts):
        try:
            return act()
        except (*_REFUSALS, RuntimeError) as error:
            wait = _wait(error)
            if wait is None or i + 1 == attempts:
                raise _explained(error, api) from error
        time.sleep(min(max(wait, first_wait * 2**i), LONGEST_WAIT))
    raise AssertionError("the last attempt returns or raises")


def _operations(
    folder: Path, there: There, owned: Sequence[str], merge_cards: Callable[[str, str], str] | None
) -> list[CommitOperationAdd | CommitOperationDelete]:
    """Return the operations that add every file of the folder and delete stale remote files."""
    files = _files(folder)
    contents: dict[str, str | bytes] = {name: str(path) for name, path in files.items()}
    if there.card is not None and merge_cards is not None and CARD in files:
        contents[CARD] = merge_cards(there.card, files[CARD].read_text(encoding="utf-8")).encode()
    return [
        *(CommitOperationAdd(name, content) for name, content in contents.items()),
        *(CommitOperationDelete(name) for name in stale_files(folder, there, owned)),
    ]


def _new_branch(api: HfApi, target: Target, *, with_card: bool) -> There:
    """Create the branch from `main`, and return its content."""
    api.create_branch(target.repo_id, branch=str(target.revision), repo_type=target.repo_type, exist_ok=True)
    made = look(api, target, with_card=with_card)
    if made is None:
        raise ConnectionError(f"{target.repo_id} was created on {api.endpoint} but was not found there; push again")
    return made


def _address(api: HfApi, target: Target) -> str:
    kind = "" if target.repo_type == "model" else f"{target.repo_type}s/"
    branch = f"/tree/{target.revision}" if target.revision else ""
    return f"{api.endpoint}/{kind}{target.repo_id}{branch}"


def _wait(error: Exception) -> float | None:
    """Return how many seconds the Hub asks to wait, or `None` if another attempt cannot help."""
    # huggingface_hub raises RuntimeError after its own attempts to upload large files.
    if isinstance(error, RuntimeError | OfflineModeIsEnabled):
        return None
    status = _status(error)
    if status is not None and status not in _AGAIN:
        return None
    asked = error.response.headers.get("Retry-After", "0") if isinstance(error, HfHubHTTPError) else "0"
    return float(asked) if asked.isdigit() else 0.0


def _status(error: Any) -> int | None:
    """Return the HTTP status. For an upload by Xet, only the message contains it."""
    if isinstance(error, HfHubHTTPError):
        return int(error.response.status_code)
    found = re.search(r"\b([45]\d\d) [A-Z][a-z]+", str(error))
    return int(found[1]) if found else None


def _explained(error: Exception, api: HfApi) -> OSError:
    cause = error.__cause__ if isinstance(error, RuntimeError) else error
    if not isinstance(cause, _REFUSALS):
        raise error
    status = _status(cause)
    if status is None:
        return ConnectionError(f"{api.endpoint} cannot be reached ({cause})")
    said = getattr(cause, "server_message", None) or first_line(cause)
    meaning = _MEANINGS.get(status, "see the status page https://status.huggingface.co" if status >= 500 else "")
    if status == 404 and "/xet-" in said:
        meaning = "this Hub does not support Xet; set HF_HUB_DISABLE_XET=1 to upload without it"
    return OSError(f"the Hub refused the request ({status}): {said}" + (f"; {meaning}" if meaning else ""))
