"""The routes that make or prepare changes. The docstring of each route names its client function."""

import json
import re
import secrets
from typing import Any

from tests.hub_server import cards
from tests.hub_server.repositories import USER, Hub, Repository
from tests.hub_server.routing import PAGE, REPO, REVISION, route
from tests.hub_server.trees import Blob, Change, checked_path, is_ignored, upload_mode
from tests.hub_server.wire import HubError, Request, Response, json_response


@route("POST", "/api/repos/create", signed_in=True)
def create_repository(hub: Hub, request: Request) -> Response:
    """`HfApi.create_repo`. For `exist_ok`, the client uses the 409 response and its `url`."""
    payload = json.loads(request.body)
    private = payload.get("visibility") == "private" or payload.get("private") is True
    repository = hub.create(*_kind_and_id(payload), private=private, sdk=payload.get("sdk"))
    return json_response({"url": hub.repo_url(repository.kind, repository.id), "name": repository.id})


@route("DELETE", "/api/repos/delete", signed_in=True)
def delete_repository(hub: Hub, request: Request) -> Response:
    """`HfApi.delete_repo`."""
    kind, repo_id = _kind_and_id(json.loads(request.body))
    hub.find(kind, repo_id, signed_in=True)
    del hub.repositories[kind, repo_id]
    return json_response({})


def _kind_and_id(payload: dict[str, Any]) -> tuple[str, str]:
    """Return the kind and the full name. A name without a namespace belongs to the user."""
    return payload.get("type") or "model", f"{payload.get('organization') or USER}/{payload['name']}"


@route("PUT", f"{REPO}/settings", signed_in=True)
def change_settings(hub: Hub, request: Request, repository: Repository) -> Response:
    """`HfApi.update_repo_settings`, only for the visibility and the gate."""
    settings = json.loads(request.body)
    repository.private = settings.get("visibility", "private" if repository.private else "public") == "private"
    repository.gated = bool(settings.get("gated", repository.gated))
    return json_response({})


@route("POST", "/api/validate-yaml")
def validate_yaml(hub: Hub, request: Request) -> Response:
    """`HfApi._validate_yaml`. Errors give status 400, and missing metadata gives a warning."""
    card = json.loads(request.body)["content"]
    problems = cards.problems(card)
    warnings = [] if problems or cards.metadata(card) else [{"message": cards.EMPTY}]
    errors = [{"message": problem} for problem in problems]
    return json_response({"errors": errors, "warnings": warnings}, status=400 if problems else 200)


@route("POST", f"{REPO}/branch/(?P<name>[^/]+)", signed_in=True)
def create_branch(hub: Hub, request: Request, repository: Repository, name: str) -> Response:
    """`HfApi.create_branch`."""
    repository.create_ref(f"refs/heads/{name}", json.loads(request.body).get("startingPoint", "main"))
    return json_response({})


@route("POST", f"{REPO}/tag/{REVISION}", signed_in=True)
def create_tag(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`HfApi.create_tag`. The path contains the tagged revision, and the body contains the tag."""
    repository.create_ref(f"refs/tags/{json.loads(request.body)['tag']}", revision)
    return json_response({})


@route("DELETE", f"{REPO}/(?P<what>branch|tag)/(?P<name>[^/]+)", signed_in=True)
def delete_ref(hub: Hub, request: Request, repository: Repository, what: str, name: str) -> Response:
    """`HfApi.delete_branch` and `delete_tag`."""
    repository.delete_ref(f"refs/{'heads' if what == 'branch' else 'tags'}/{name}")
    return json_response({})


@route("POST", f"{REPO}/preupload/{REVISION}", signed_in=True)
def preupload(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`_commit_api._fetch_upload_modes`. The client skips a file with the same `oid` as its local file."""
    tree = repository.resolve(revision).tree
    payload = json.loads(request.body)
    gitignore = payload.get("gitIgnore") or tree.get(".gitignore", Blob(b"")).content.decode()
    return json_response(
        {
            "files": [
                {
                    "path": checked_path(file["path"]),
                    "uploadMode": upload_mode(tree, file["path"], file["size"]),
                    "shouldIgnore": is_ignored(file["path"], gitignore),
                    "oid": tree[file["path"]].etag if file["path"] in tree else None,
                }
                for file in payload["files"]
            ]
        }
    )


@route("POST", rf"{PAGE}\.git/info/lfs/objects/batch", signed_in=True)
def lfs_batch(hub: Hub, request: Request, repository: Repository) -> Response:
    """`lfs.post_lfs_batch_info`. An existing object is returned without `actions`."""
    payload = json.loads(request.body)
    if payload["operation"] != "upload" or payload.get("hash_algo", "sha256") != "sha256":
        raise HubError(400, "Only uploads by sha256 are served")
    objects = [_lfs_object(hub, repository, item["oid"], item["size"]) for item in payload["objects"]]
    return json_response({"transfer": "basic", "objects": objects})


def _lfs_object(hub: Hub, repository: Repository, oid: str, size: int) -> dict[str, Any]:
    found = {"oid": oid, "size": size}
    if not re.fullmatch("[0-9a-f]{64}", oid):
        return {**found, "error": {"code": 422, "message": "The oid is no sha256"}}
    if oid in repository.objects:
        return found
    ticket = secrets.token_hex(8)
    hub.uploads[ticket] = (repository, oid, size)
    upload = f"{hub.url}/lfs/{repository.kind}s/{repository.id}/{oid}?ticket={ticket}"
    verify = f"{hub.repo_url(repository.kind, repository.id)}.git/info/lfs/objects/verify"
    return {**found, "actions": {"upload": {"href": upload}, "verify": {"href": verify}}}


@route("PUT", "/lfs/.*")
def lfs_upload(hub: Hub, request: Request) -> Response:
    """`lfs._upload_single_part`, which sends no token: the upload link grants access."""
    ticket = request.query.get("ticket", [""])[-1]
    if ticket not in hub.uploads:
        raise HubError(403, "This upload link was not issued")
    repository, oid, size = hub.uploads[ticket]
    repository.store(oid, size, request.body)
    return Response(headers={"ETag": f'"{oid}"'})


@route("POST", rf"{PAGE}\.git/info/lfs/objects/verify", signed_in=True)
def lfs_verify(hub: Hub, request: Request, repository: Repository) -> Response:
    """`lfs.lfs_upload`, its last step."""
    payload = json.loads(request.body)
    content = repository.objects.get(payload["oid"])
    if content is None or len(content) != payload["size"]:
        raise HubError(404, f"LFS object {payload['oid']} of {payload['size']} bytes was not uploaded")
    return json_response({"success": True})


@route("POST", f"{REPO}/commit/{REVISION}", signed_in=True)
def commit_changes(hub: Hub, request: Request, repository: Repository, revision: str) -> Response:
    """`_commit_api._send_commit`: lines of JSON (`_prepare_commit_payload`), starting with the header."""
    lines = [Change(line["key"], line["value"]) for line in map(json.loads, request.body.splitlines())]
    if not lines or lines[0].key != "header" or not lines[0].value["summary"]:
        raise HubError(400, "A commit must begin with a header that has a summary")
    header = lines[0].value
    pull_request = request.flag("create_pr")
    commit, ref = repository.commit(
        revision,
        lines[1:],
        title=header["summary"],
        message=header.get("description", ""),
        parent=header.get("parentCommit"),
        pull_request=pull_request,
    )
    page = hub.repo_url(repository.kind, repository.id)
    done = {"success": True, "commitOid": commit.sha, "commitUrl": f"{page}/commit/{commit.sha}", "hookOutput": ""}
    if pull_request:
        done["pullRequestUrl"] = f"{page}/discussions/{ref.removeprefix('refs/pr/')}"
    return json_response(done)
