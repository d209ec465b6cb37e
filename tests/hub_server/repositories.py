"""Repositories in memory, with their history and visibility."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.hub_server.trees import ATTRIBUTES, Blob, Change, Tree, changed_tree
from tests.hub_server.wire import HubError

USER = "tester"
KINDS = ("model", "dataset", "space")


@dataclass(frozen=True)
class Commit:
    """A commit of a repository. `parent` is the sha of the previous commit, or empty for the first commit."""

    tree: Tree
    title: str
    message: str = ""
    parent: str = ""
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    sha: str = field(default_factory=lambda: secrets.token_hex(20))


class Repository:
    """A repository: commits by sha, refs by full name, and uploaded LFS objects by sha256."""

    def __init__(self, kind: str, repo_id: str, *, private: bool = False, sdk: str | None = None) -> None:
        self.kind, self.id, self.private, self.sdk = kind, repo_id, private, sdk
        self.gated = False
        first = Commit({".gitattributes": Blob(ATTRIBUTES.encode())}, "initial commit")
        self.created = first.date
        self.commits = {first.sha: first}
        self.refs = {"refs/heads/main": first.sha}
        self.objects: dict[str, bytes] = {}

    def full_ref(self, revision: str) -> str | None:
        """Return the full ref of this name, if there is one."""
        names = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        return next((name for name in names if name in self.refs), None)

    def resolve(self, revision: str) -> Commit:
        """Return the commit of a branch, tag, pull request or sha (at least 7 characters)."""
        if ref := self.full_ref(revision):
            return self.commits[self.refs[ref]]
        shas = [sha for sha in self.commits if len(revision) >= 7 and sha.startswith(revision)]
        if len(shas) != 1:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[shas[0]]

    def history(self, revision: str) -> list[Commit]:
        """Return the commits of a revision, newest first."""
        found = [self.resolve(revision)]
        while found[-1].parent:
            found.append(self.commits[found[-1].parent])
        return found

    def create_ref(self, ref: str, revision: str) -> None:
        """Create a branch or tag. It is an error if it already exists."""
        if ref.split("/", 2)[2].startswith("refs/"):
            raise HubError(400, f"Invalid reference name: {ref}")
        if ref in self.refs:
            raise HubError(409, f"Reference already exists: {ref}")
        self.refs[ref] = self.resolve(revision).sha

    def delete_ref(self, ref: str) -> None:
        """Delete a branch or tag. `main` cannot be deleted."""
        if ref == "refs/heads/main":
            raise HubError(403, "The main branch cannot be deleted")
        if ref not in self.refs:
            raise HubError(404, f"Invalid rev id: {ref}", "RevisionNotFound")
        del self.refs[ref]

    def commit(
        self,
        revision: str,
        changes: Iterable[Change],
        *,
        title: str,
        message: str,
        parent: str | None,
        pull_request: bool,
    ) -> tuple[Commit, str]:
        """Change a branch or open a pull request. Return the commit and its ref.

        Args:
            revision: A branch or a pull request.
            changes: Changes, applied in order.
            title: First line of the commit message.
            message: The rest of the commit message.
            parent: Expected sha of the revision (at least 7 characters). A pull request starts from it.
            pull_request: Whether to open a pull request. The revision itself then does not change.
        """
        ref = self.full_ref(revision)
        if ref is None or ref.startswith("refs/tags/"):
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        head = self.resolve(parent if parent and pull_request else revision)
        if parent and not head.sha.startswith(parent):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        commit = Commit(changed_tree(head.tree, changes, self.objects), title, message, head.sha)
        if pull_request:
            ref = f"refs/pr/{1 + sum(name.startswith('refs/pr/') for name in self.refs)}"
        self.commits[commit.sha] = commit
        self.refs[ref] = commit.sha
        return commit, ref

    def store(self, oid: str, size: int, content: bytes) -> None:
        """Store an LFS object if it has the announced size and sha256."""
        if len(content) != size:
            raise HubError(400, f"LFS object {oid} has {len(content)} bytes, not the {size} that were announced")
        if hashlib.sha256(content).hexdigest() != oid:
            raise HubError(400, f"LFS object {oid} has another sha256")
        self.objects[oid] = content


@dataclass
class Collection:
    """A collection of repositories. `items` are pairs of kind and name."""

    title: str
    namespace: str
    private: bool
    items: list[tuple[str, str]] = field(default_factory=list)


class Hub:
    """All repositories, collections and issued upload links."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.uploads: dict[str, tuple[Repository, str, int]] = {}  # by ticket: repository, sha256, size
        self.collections: dict[str, Collection] = {}  # by slug

    def find(self, kind: str, repo_id: str, *, signed_in: bool) -> Repository:
        """Return the repository. A missing and a private repository give the same error to a client without a token."""
        repository = self.repositories.get((kind, repo_id))
        if repository and (signed_in or not repository.private):
            return repository
        if signed_in:
            raise HubError(404, "Repository not found", "RepoNotFound")
        # The Hub sends no code here. The client then looks for https://, which this server does not use.
        raise HubError(401, "Invalid username or password.", "RepoNotFound")

    def create(self, kind: str, repo_id: str, *, private: bool, sdk: str | None) -> Repository:
        """Create a repository with its first commit."""
        if kind not in KINDS:
            raise HubError(400, f'"type" must be one of {", ".join(KINDS)}')
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repo_id):
            raise HubError(400, f"Invalid repository name: {repo_id}")
        if (kind == "space") != (sdk is not None):
            raise HubError(400, '"sdk" is required for a space, and only for a space')
        if (kind, repo_id) in self.repositories:
            url = self.repo_url(kind, repo_id)
            raise HubError(409, f"You already created this {kind} repo: {repo_id}", url=url, name=repo_id)
        return self.repositories.setdefault((kind, repo_id), Repository(kind, repo_id, private=private, sdk=sdk))

    def repo_url(self, kind: str, repo_id: str) -> str:
        """Return the URL of a repository. Models have no prefix."""
        return f"{self.url}/{'' if kind == 'model' else f'{kind}s/'}{repo_id}"
