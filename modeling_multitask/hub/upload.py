"""A folder to a repository on the Hub: all of it in one commit, or nothing."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from json import JSONDecodeError
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
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

CARD = "README.md"
ATTEMPTS = 4
LONGEST_WAIT = 60.0  # seconds that a busy Hub may ask for between two attempts
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_MEANINGS = {
    401: "log in with `hf auth login`, or set HF_TOKEN to a token that may write",
    402: "the account has no storage left, or has to pay for more",
    403: "the token may not write there, or the account has no storage left",
    412: "somebody else has pushed meanwhile; push again",
    413: "it is larger than the account may store",
    429: "the Hub gets too many requests from here; push again later",
}
# The second is that of the HTTP library, which is another one in older huggingface_hub; the last, a page where JSON
# should be.
_REFUSALS: Any = (HfHubHTTPError, HfHubHTTPError.__mro__[1], ConnectionError, JSONDecodeError)


@dataclass(frozen=True)
class Target:
    """Where a folder goes.

    Args:
        repo_id: The repository, made if it is not there.
        repo_type: `model`, `dataset` or `space`.
        private: Whether a new repository is private; the owner's default if left out.
        revision: The branch, made from `main` if it is not there.
        create_pr: Whether to open a pull request instead.
        space_sdk: Of a new Space.
    """

    repo_id: str
    repo_type: str = "model"
    private: bool | None = None
    revision: str | None = None
    create_pr: bool = False
    space_sdk: str | None = None


class Pushed(NamedTuple):
    """Where a folder has gone: the address for people, and the sha of the commit."""

    address: str
    commit: str


class There(NamedTuple):
    """What a repository holds: the sha of its newest commit, its files, its card if it has one, and who may see it."""

    commit: str
    files: list[str]
    card: str | None
    private: bool


def check_repo_id(repo_id: str, kind: str = "data set") -> None:
    """Raises a `DataError` if no repository on the Hub can be called so, or no owner is named.

    Args:
        repo_id: What is to be checked.
        kind: What it is to be, for the message.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise DataError(f"{repo_id!r} cannot be the name of a {kind} on the Hub ({error})") from None
    if "/" not in repo_id:
        raise DataError(f"{repo_id!r} names no owner; write OWNER/{repo_id}")


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
    """Makes a repository's files those of the folder, by one commit.

    Nothing is seen of it before that commit, and all of it after: a push that is cut off leaves what was there, and
    what it had uploaded is found again by the next one. A Hub that is busy or out of reach is asked again, up to four
    times; a pull request is not, for it might be opened twice.

    Args:
        api: Of the Hub, with its token.
        folder: What is to be there.
        target: Where.
        owned: Patterns of files that are deleted there if the folder does not have them; others stay. One without a
            slash is about files at the root alone.
        message: Title of the commit.
        merge_cards: What makes one card of that which is there and the folder's; left out, the latter.
        first_wait: Seconds before the second attempt; they double with each.

    Raises:
        OSError: If the Hub cannot be reached or refuses, with what to do, or the repository is public
            and should not be.
    """

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
            raise PermissionError(f"{target.repo_id} is public already; make it private first, or leave --private out")
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
    """What the repository holds at the target's revision; `None` if there is no such repository or revision.

    Args:
        api: Of the Hub.
        target: Where.
        with_card: Whether to read its card.

    Raises:
        OSError: If the Hub cannot be reached or refuses.
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
    except LocalEntryNotFoundError as error:  # it is there; the Hub was busy, and nothing must be written over it
        raise error.__cause__ if isinstance(error.__cause__, _REFUSALS) else ConnectionError(str(error)) from error
    except EntryNotFoundError:
        return None
    return Path(path).read_text(encoding="utf-8")


def stale_files(folder: Path, there: There, owned: Sequence[str]) -> list[str]:
    """Which files of a repository a push of the folder deletes.

    Args:
        folder: What is to be pushed.
        there: What the repository holds.
        owned: Patterns; one without a slash is about files at the root alone.
    """
    files = _files(folder)
    return [name for name in there.files if name not in files and any(_matches(name, each) for each in owned)]


def file_lines(folder: Path) -> list[str]:
    """The size and the name of each file of a folder that is to be pushed, a line each, in order."""
    return [f"  {path.stat().st_size:>12,} bytes  {name}" for name, path in _files(folder).items()]


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch(name, pattern)


def _files(folder: Path) -> dict[str, Path]:
    return {each.relative_to(folder).as_posix(): each for each in sorted(folder.rglob("*")) if each.is_file()}


def patiently(act: Callable[[], Any], api: HfApi, *, attempts: int = ATTEMPTS, first_wait: float = 1.0) -> Any:
    """What `act` returns; it is tried again where the Hub is busy or out of reach.

    Args:
        act: May be done twice with the same effect as once.
        api: Of the Hub.
        attempts: At most.
        first_wait: Seconds before the second one; they double with each.

    Raises:
        OSError: If the Hub cannot be reached or refuses, with what to do.
    """
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
    """Every file of the folder; what is there of ours, and no longer in it, is deleted."""
    files = _files(folder)
    contents: dict[str, str | bytes] = {name: str(path) for name, path in files.items()}
    if there.card is not None and merge_cards is not None and CARD in files:
        contents[CARD] = merge_cards(there.card, files[CARD].read_text(encoding="utf-8")).encode()
    return [
        *(CommitOperationAdd(name, content) for name, content in contents.items()),
        *(CommitOperationDelete(name) for name in stale_files(folder, there, owned)),
    ]


def _new_branch(api: HfApi, target: Target, *, with_card: bool) -> There:
    """What the branch holds that is made from `main`."""
    api.create_branch(target.repo_id, branch=str(target.revision), repo_type=target.repo_type, exist_ok=True)
    made = look(api, target, with_card=with_card)
    if made is None:
        raise ConnectionError(f"{target.repo_id} was made on {api.endpoint}, and is not there")
    return made


def _address(api: HfApi, target: Target) -> str:
    kind = "" if target.repo_type == "model" else f"{target.repo_type}s/"
    branch = f"/tree/{target.revision}" if target.revision else ""
    return f"{api.endpoint}/{kind}{target.repo_id}{branch}"


def _wait(error: Exception) -> float | None:
    """How many seconds the Hub asks to wait; `None` if it is of no use to try again."""
    # Of a RuntimeError, huggingface_hub has tried again itself, where it uploads large files.
    if isinstance(error, RuntimeError | OfflineModeIsEnabled):
        return None
    status = _status(error)
    if status is not None and status not in _AGAIN:
        return None
    asked = error.response.headers.get("Retry-After", "0") if isinstance(error, HfHubHTTPError) else "0"
    return float(asked) if asked.isdigit() else 0.0


def _status(error: Any) -> int | None:
    """Of HTTP; where Xet uploads, it stands in the message alone."""
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
    said = getattr(cause, "server_message", None) or str(cause).strip().splitlines()[0]
    meaning = _MEANINGS.get(status, "its status page is https://status.huggingface.co" if status >= 500 else "")
    if status == 404 and "/xet-" in said:
        meaning = "it knows no Xet; set HF_HUB_DISABLE_XET=1 to upload without it"
    return OSError(f"the Hub refused ({status}): {said}" + (f"; {meaning}" if meaning else ""))
