"""The read-only routes. The docstring of each route names its client function."""

import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, quote

from tests.hub_server import cards
from tests.hub_server.repositories import USER, Commit, Hub, Repository
from tests.hub_server.routing import PAGE, REPO, REVISION, route
from tests.hub_server.trees import Blob, Tree, checked_path
from tests.hub_server.wire import HubError, Request, Response, json_response


@route("GET", "/api/whoami-v2", signed_in=True)
def who_am_i(hub: Hub, request: Request) -> Response:
    """`HfApi.whoami`."""
    access = {"type": "access_token", "accessToken": {"displayName": "tests", "role": "write"}}
    return json_response(
        {"type": "user", "id": USER, "name": USER, "fullname": USER, "isPro": False, "orgs": [], "auth": access}
    )


@route("GET", f"{REPO}(?:/revision/{REVISION})?")
def repository_info(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`HfApi.model_info`, `dataset_info` and `space_info`, with `blobs` (sizes of the files) and `expand`."""
    commit = repository.resolve(revision or "main")
    card = commit.tree.get("README.md", Blob(b"")).content.decode()
    info = {
        "author": repository.id.split("/")[0],
        "sha": commit.sha,
        "lastModified": _date(commit),
        "createdAt": _date(repository.history("main")[-1]),
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "sdk": repository.sdk,
        "cardData": cards.metadata(card),
        "tags": cards.metadata(card).get("tags", []),
        "siblings": [_sibling(path, commit.tree[path], request.flag("blobs")) for path in sorted(commit.tree)],
    }
    names = request.query.get("expand") or request.query.get("expand[]") or list(info)
    return json_response({"id": repository.id, **{name: info[name] for name in names if info.get(name) is not None}})


def _sibling(path: str, blob: Blob, with_size: bool) -> dict[str, Any]:
    if not with_size:
        return {"rfilename": path}
    lfs = {"size": len(blob.content), "sha256": blob.sha256, "pointerSize": len(blob.pointer)} if blob.lfs else None
    return {"rfilename": path, "size": len(blob.content), "blobId": blob.oid, "lfs": lfs}


@route("GET", f"{REPO}/tree/{REVISION}(?:/(?P<path>.*))?")
def list_tree(hub: Hub, request: Request, repository: Repository, revision: str, path: str) -> Response:
    """`HfApi._iter_repo_tree_pages`, on one page. `snapshot_download` and `HfFileSystem.ls` use it."""
    commit = repository.resolve(revision)
    prefix = f"{checked_path(path)}/" if path else ""
    inside = [name for name in _names(commit.tree) if name.startswith(prefix) and name != prefix]
    if path and not inside:
        raise HubError(404, f'{path} does not exist on "{revision}"', "EntryNotFound")
    shown = [name for name in inside if request.flag("recursive") or "/" not in name[len(prefix) :]]
    return json_response([_entry(repository, commit, name, request.flag("expand")) for name in shown])


@route("POST", f"{REPO}/paths-info/{REVISION}")
def paths_info(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`HfApi.get_paths_info`, which sends a form. Paths that do not exist are left out."""
    commit = repository.resolve(revision)
    form = parse_qs(request.body.decode())
    expand = form.get("expand", [""])[-1].lower() == "true"
    names = _names(commit.tree)
    return json_response([_entry(repository, commit, path, expand) for path in form.get("paths", []) if path in names])


def _names(tree: Tree) -> list[str]:
    """Return the sorted paths of all files and folders."""
    return sorted({*tree, *(path[:end] for path in tree for end, letter in enumerate(path) if letter == "/")})


def _entry(repository: Repository, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    """Return a file or folder in the format of `RepoFile` and `RepoFolder`."""
    entry: dict[str, Any] = {"type": "directory", "oid": _oid(commit.tree, path), "size": 0, "path": path}
    if blob := commit.tree.get(path):
        entry |= {"type": "file", "size": len(blob.content)}
        if blob.lfs:
            entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
    if expand:
        last = _last_change(repository, commit, path)
        entry["lastCommit"] = {"id": last.sha, "title": last.title, "date": _date(last)}
    return entry


def _oid(tree: Tree, path: str) -> str:
    """Return the oid of a file's blob, or an oid of a folder that depends on its content. Empty for other paths."""
    if path in tree:
        return tree[path].oid
    inside = "\n".join(f"{name} {blob.oid}" for name, blob in sorted(tree.items()) if name.startswith(f"{path}/"))
    return hashlib.sha1(inside.encode()).hexdigest() if inside else ""


def _last_change(repository: Repository, commit: Commit, path: str) -> Commit:
    oid = _oid(commit.tree, path)
    while commit.parent and _oid(repository.commits[commit.parent].tree, path) == oid:
        commit = repository.commits[commit.parent]
    return commit


@route("GET", f"{REPO}/commits/{REVISION}")
def list_commits(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`HfApi.list_repo_commits`, on one page."""
    return json_response(
        [
            {
                "id": commit.sha,
                "title": commit.title,
                "message": commit.message,
                "date": _date(commit),
                "authors": [{"user": USER}],
            }
            for commit in repository.history(revision)
        ]
    )


@route("GET", f"{REPO}/refs")
def list_refs(hub: Hub, request: Request, repository: Repository) -> Response:
    """`HfApi.list_repo_refs`."""

    def refs(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha}
            for ref, sha in repository.refs.items()
            if ref.startswith(prefix)
        ]

    found = {"branches": refs("refs/heads/"), "converts": [], "tags": refs("refs/tags/")}
    if request.flag("include_prs"):
        found["pullRequests"] = [{**ref, "name": ref["ref"]} for ref in refs("refs/pr/")]
    return json_response(found)


@route("GET HEAD", f"{PAGE}/resolve/{REVISION}/(?P<path>.+)")
def read_file(hub: Hub, request: Request, repository: Repository, revision: str, path: str) -> Response:
    """`file_download.get_hf_file_metadata` (HEAD) and `http_get`, `HfFileSystemFile._fetch_range`.

    The Hub redirects to another host for an LFS file. This server sends it directly. A gated repository is visible to
    everyone, but its files are not.
    """
    if repository.gated and "Authorization" not in request.headers:
        raise HubError(401, f"Access to {repository.kind} {repository.id} is restricted. Please log in.", "GatedRepo")
    commit = repository.resolve(revision)
    if path not in commit.tree:
        error = HubError(404, "Entry not found", "EntryNotFound")
        error.headers["X-Repo-Commit"] = commit.sha  # the client caches which files are missing at a commit
        raise error
    blob = commit.tree[path]
    headers = {
        "X-Repo-Commit": commit.sha,
        "ETag": f'"{blob.etag}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rsplit('/', 1)[-1])}",
    }
    if blob.lfs:
        headers |= {"X-Linked-Size": str(len(blob.content)), "X-Linked-Etag": f'"{blob.etag}"'}
    return _part(blob.content, request.headers.get("Range"), headers)


def _part(content: bytes, requested: str | None, headers: dict[str, str]) -> Response:
    """Return the content, or the requested range of it."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", requested or "")
    if not match or not any(match.groups()):
        return Response(200, headers, content)
    size = len(content)
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return Response(416, {**headers, "Content-Range": f"bytes */{size}"})
    return Response(206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}, content[start:end])


def _date(commit: Commit) -> str:
    """Return the date in the format of `parse_datetime`."""
    return commit.date.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
