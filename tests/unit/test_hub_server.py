"""The tests' Hub behaves like the real one for its clients, and refuses what the real one refuses."""

import hashlib
import http.client
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.fresh_process import run_fresh
from tests.hub_server import HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures

WEIGHTS = bytes(range(256)) * 40
CARD = b"---\nlicense: apache-2.0\ntags:\n- multitask\n---\n# A model\n"


@pytest.fixture
def repo(hub_api: HfApi) -> str:
    """A model with a card, a small file and weights."""
    repo_id = hub_api.create_repo("someone/model").repo_id
    files = {"README.md": CARD, "config.json": b"{}", "weights/model.safetensors": WEIGHTS}
    hub_api.create_commit(repo_id, [CommitOperationAdd(*file) for file in files.items()], commit_message="A model")
    return repo_id


def send(hub: HubServer, method: str, path: str, body: bytes | Any = b"", token: str | None = "right") -> Any:
    """Status and JSON of a request that no well-behaved client makes."""
    given = {"right": hub.token, None: None}.get(token, token)
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, content, {"Authorization": f"Bearer {given}"} if given else {})
    with connection.getresponse() as response:
        text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None


def send_commit(hub: HubServer, *changes: tuple[str, dict[str, Any]], query: str = "") -> Any:
    lines = [("header", {"summary": "By hand"}), *changes]
    body = b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in lines)
    return send(hub, "POST", f"/api/models/someone/model/commit/main{query}", body)


def a_file(path: str, content: bytes = b"{}") -> tuple[str, dict[str, Any]]:
    return "file", {"path": path, "encoding": "base64", "content": b64encode(content).decode()}


def an_object(path: str, content: bytes, **other: Any) -> tuple[str, dict[str, Any]]:
    return "lfsFile", {"path": path, "algo": "sha256", "oid": sha256(content), "size": len(content), **other}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def upload_link(hub: HubServer, content: bytes, size: int | None = None) -> str:
    """Where the object may be sent, by a request for it."""
    objects = [{"oid": sha256(content), "size": len(content) if size is None else size}]
    payload = {"operation": "upload", "hash_algo": "sha256", "objects": objects}
    _, answer = send(hub, "POST", "/someone/model.git/info/lfs/objects/batch", payload)
    return answer["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)


def count(hub: HubServer, method: str, part: str) -> int:
    return sum(sent == method and part in path for sent, path in hub.requests)


# Repositories


def test_the_token_says_who_one_is(hub_api: HfApi) -> None:
    assert hub_api.whoami()["name"] == "tester"


def test_a_repository_without_a_namespace_gets_the_users(hub_api: HfApi) -> None:
    assert hub_api.create_repo("plain").repo_id == "tester/plain"


@pytest.mark.parametrize(("kind", "sdk"), [("model", None), ("dataset", None), ("space", "gradio")])
def test_each_kind_of_repository_takes_and_gives_a_file(hub_api: HfApi, tmp_path: Path, kind: str, sdk: str) -> None:
    hub_api.create_repo("someone/thing", repo_type=kind, space_sdk=sdk)
    hub_api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="a b.bin", repo_id="someone/thing", repo_type=kind)

    path = hub_api.hf_hub_download("someone/thing", "a b.bin", repo_type=kind, cache_dir=tmp_path)

    assert Path(path).read_bytes() == WEIGHTS
    assert hub_api.repo_info("someone/thing", repo_type=kind).id == "someone/thing"


def test_kinds_of_the_same_name_are_different_repositories(hub_api: HfApi, repo: str) -> None:
    hub_api.create_repo(repo, repo_type="dataset")

    assert hub_api.list_repo_files(repo, repo_type="dataset") == [".gitattributes"]


def test_creating_twice_is_refused_unless_that_is_said_to_be_fine(hub_api: HfApi, repo: str) -> None:
    assert hub_api.create_repo(repo, exist_ok=True).repo_id == repo
    with pytest.raises(HfHubHTTPError, match="409"):
        hub_api.create_repo(repo)


def test_a_deleted_repository_is_gone(hub_api: HfApi, repo: str) -> None:
    hub_api.delete_repo(repo)

    with pytest.raises(RepositoryNotFoundError):
        hub_api.model_info(repo)


@pytest.mark.parametrize(
    "payload",
    [{"name": "x", "type": "bucket"}, {"name": "x", "type": "space"}, {"name": "x", "sdk": "gradio"}, {"name": "../x"}],
)
def test_a_repository_that_cannot_be_is_refused(hub: HubServer, payload: dict[str, str]) -> None:
    assert send(hub, "POST", "/api/repos/create", payload)[0] == 400


# Files in


def test_a_folder_is_one_commit_whose_large_files_come_before_it(
    hub: HubServer, hub_api: HfApi, tmp_path: Path
) -> None:
    hub_api.create_repo("someone/model")
    (tmp_path / "up" / "deep").mkdir(parents=True)
    (tmp_path / "up" / "config.json").write_bytes(b"{}")
    (tmp_path / "up" / "deep" / "model.safetensors").write_bytes(WEIGHTS)

    hub_api.upload_folder(repo_id="someone/model", folder_path=tmp_path / "up")

    files = hub.files("someone/model")
    assert files.pop(".gitattributes").startswith(b"*.7z filter=lfs")
    assert files == {"config.json": b"{}", "deep/model.safetensors": WEIGHTS}
    assert count(hub, "POST", "/commit/main") == 1
    assert (count(hub, "PUT", "/lfs/"), hub.uploaded) == (1, len(WEIGHTS))


def test_what_is_large_goes_by_lfs_whatever_its_name(hub: HubServer, hub_api: HfApi) -> None:
    hub_api.create_repo("someone/model")
    large = bytes(10 * 2**20 + 1)

    hub_api.upload_file(path_or_fileobj=large, path_in_repo="table.csv", repo_id="someone/model")

    assert hub.uploaded == len(large)
    assert hub.files("someone/model")["table.csv"] == large


def test_gitattributes_of_the_repository_decide_what_goes_by_lfs(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    rule = b"data/**/*.txt filter=lfs diff=lfs merge=lfs -text\n"
    hub_api.upload_file(path_or_fileobj=rule, path_in_repo=".gitattributes", repo_id=repo)
    for name in ("data/a.txt", "data/b/c.txt", "other/a.txt", "new.bin"):
        hub_api.upload_file(path_or_fileobj=name.encode(), path_in_repo=name, repo_id=repo)

    found = {entry.path for entry in hub_api.list_repo_tree(repo, recursive=True) if getattr(entry, "lfs", None)}

    assert found == {"data/a.txt", "data/b/c.txt", "weights/model.safetensors"}


def test_gitignore_leaves_files_out(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    names = {".gitignore": b"# not these\n*.log\nruns/\n!keep.log\n", "a.log": b"1", "keep.log": b"2", "runs/x": b"3"}
    operations = [CommitOperationAdd(*file) for file in names.items()]

    hub_api.create_commit(repo, operations, commit_message="With some to ignore")

    assert set(names) & set(hub.files(repo)) == {".gitignore", "keep.log"}


def test_a_file_that_is_there_already_is_not_sent_again(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    sent, commits = hub.uploaded, len(hub_api.list_repo_commits(repo))

    for path, content in {"weights/model.safetensors": WEIGHTS, "config.json": b"{}"}.items():
        hub_api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo)
    assert len(hub_api.list_repo_commits(repo)) == commits
    hub_api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="copy.bin", repo_id=repo)

    assert hub.uploaded == sent
    assert hub.files(repo)["copy.bin"] == WEIGHTS


def test_files_and_folders_are_deleted(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    operations = [CommitOperationDelete("config.json"), CommitOperationDelete("weights/")]

    hub_api.create_commit(repo, operations, commit_message="Less")

    assert list(hub.files(repo)) == [".gitattributes", "README.md"]


@pytest.mark.parametrize("path", ["missing.json", "weights", "missing/", "漢字"])
def test_deleting_what_is_not_there_is_refused(hub_api: HfApi, repo: str, path: str) -> None:
    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        hub_api.create_commit(repo, [CommitOperationDelete(path)], commit_message="Less")


# Files out


def test_a_snapshot_has_every_file(hub: HubServer, hub_api: HfApi, repo: str, tmp_path: Path) -> None:
    folder = Path(hub_api.snapshot_download(repo, cache_dir=tmp_path))

    assert {path: (folder / path).read_bytes() for path in hub.files(repo)} == hub.files(repo)


def test_a_cached_file_is_not_sent_again(hub: HubServer, hub_api: HfApi, repo: str, tmp_path: Path) -> None:
    for _ in range(2):
        hub_api.hf_hub_download(repo, "weights/model.safetensors", cache_dir=tmp_path)

    assert count(hub, "GET", "/resolve/main/weights/model.safetensors") == 1
    assert count(hub, "HEAD", "/resolve/main/weights/model.safetensors") == 2


def test_the_tree_is_listed_by_folder_or_as_a_whole(hub_api: HfApi, repo: str) -> None:
    def paths(**settings: Any) -> list[str]:
        return [entry.path for entry in hub_api.list_repo_tree(repo, **settings)]

    assert paths() == [".gitattributes", "README.md", "config.json", "weights"]
    assert paths(recursive=True) == [*paths(), "weights/model.safetensors"]
    assert paths(path_in_repo="weights") == ["weights/model.safetensors"]
    with pytest.raises(EntryNotFoundError):
        paths(path_in_repo="missing")


def test_a_listed_file_comes_with_hash_size_and_last_commit(hub_api: HfApi, repo: str) -> None:
    hub_api.upload_file(path_or_fileobj=b"x", path_in_repo="later.txt", repo_id=repo, commit_message="Later")

    small, large = hub_api.get_paths_info(repo, ["config.json", "weights/model.safetensors", "no"], expand=True)

    assert small.blob_id == hashlib.sha1(b"blob 2\0{}").hexdigest()
    assert (large.size, large.lfs.sha256) == (len(WEIGHTS), sha256(WEIGHTS))
    assert small.last_commit.title == "A model"


def test_the_info_of_a_repository_has_card_files_and_head(hub_api: HfApi, repo: str) -> None:
    info = hub_api.model_info(repo, files_metadata=True)

    assert info.sha == hub_api.list_repo_commits(repo)[0].commit_id
    assert (info.card_data.license, info.tags, info.private) == ("apache-2.0", ["multitask"], False)
    assert {file.rfilename: file.size for file in info.siblings}["weights/model.safetensors"] == len(WEIGHTS)
    assert hub_api.model_info(repo, expand=["sha"]).sha == info.sha


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(5, 9, WEIGHTS[5:9]), (None, 4, WEIGHTS[:4]), (-3, None, WEIGHTS[-3:])]
)
def test_a_part_of_a_file_is_read_alone(
    hub: HubServer, hub_api: HfApi, repo: str, start: int | None, end: int | None, expected: bytes
) -> None:
    files = HfFileSystem(endpoint=hub.url, token=hub.token, skip_instance_cache=True)

    assert files.cat_file(f"{repo}/weights/model.safetensors", start, end) == expected


@pytest.mark.parametrize(
    ("requested", "status", "range_", "length"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10240", 3),
        ("bytes=10230-", 206, "bytes 10230-10239/10240", 10),
        ("bytes=-4", 206, "bytes 10236-10239/10240", 4),
        ("bytes=0-99999", 206, "bytes 0-10239/10240", 10240),
        ("bytes=10240-", 416, "bytes */10240", 0),
        ("lines=1-2", 200, None, 10240),
    ],
)
def test_ranges_are_those_of_http(
    hub: HubServer, repo: str, requested: str, status: int, range_: str | None, length: int
) -> None:
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"))
    connection.request("GET", f"/{repo}/resolve/main/weights/model.safetensors", headers={"Range": requested})
    with connection.getresponse() as response:
        body = response.read()
    connection.close()

    assert (response.status, response.headers["Content-Range"], len(body)) == (status, range_, length)


def test_what_is_missing_is_missing_in_three_ways(hub_api: HfApi, repo: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hub_api.hf_hub_download("someone/nothing", "config.json", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        hub_api.hf_hub_download(repo, "config.json", revision="nothing", cache_dir=tmp_path)
    with pytest.raises(EntryNotFoundError):
        hub_api.hf_hub_download(repo, "nothing.json", cache_dir=tmp_path)


def test_a_name_without_a_namespace_is_no_repository(hub_api: HfApi, tmp_path: Path) -> None:
    hub_api.create_repo("plain")

    with pytest.raises(RepositoryNotFoundError):
        hub_api.model_info("plain")
    with pytest.raises(RepositoryNotFoundError):
        hub_api.hf_hub_download("plain", "config.json", cache_dir=tmp_path)


# Revisions


def test_a_branch_a_tag_and_a_sha_keep_what_they_were_given(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    hub_api.create_branch(repo, branch="feature/one")
    hub_api.create_tag(repo, tag="v1")
    before = hub_api.model_info(repo).sha
    hub_api.upload_file(path_or_fileobj=b"new", path_in_repo="config.json", repo_id=repo)

    revisions = ["feature/one", "v1", before, before[:7], "refs/heads/feature/one"]

    assert {hub.files(repo, revision=revision)["config.json"] for revision in revisions} == {b"{}"}
    assert {hub_api.model_info(repo, revision=revision).sha for revision in revisions} == {before}
    assert hub.files(repo)["config.json"] == b"new"


def test_a_commit_to_a_branch_leaves_main(hub: HubServer, hub_api: HfApi, repo: str, tmp_path: Path) -> None:
    hub_api.create_branch(repo, branch="other")
    upload = {"path_or_fileobj": b"new", "path_in_repo": "config.json", "repo_id": repo}
    hub_api.upload_file(**upload, revision="other")

    path = hub_api.hf_hub_download(repo, "config.json", revision="other", cache_dir=tmp_path)

    assert (Path(path).read_bytes(), hub.files(repo)["config.json"]) == (b"new", b"{}")


def test_refs_are_listed_and_deleted(hub_api: HfApi, repo: str) -> None:
    hub_api.create_branch(repo, branch="other")
    hub_api.create_tag(repo, tag="v1", revision="other")
    refs = hub_api.list_repo_refs(repo, include_pull_requests=True)
    assert [branch.name for branch in refs.branches] == ["main", "other"]
    assert [(tag.name, tag.ref) for tag in refs.tags] == [("v1", "refs/tags/v1")]

    hub_api.delete_branch(repo, branch="other")
    hub_api.delete_tag(repo, tag="v1")

    refs = hub_api.list_repo_refs(repo)
    assert [ref.name for ref in refs.branches + refs.tags] == ["main"]


def test_a_ref_that_exists_is_refused(hub_api: HfApi, repo: str) -> None:
    hub_api.create_branch(repo, branch="main", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="409"):
        hub_api.create_branch(repo, branch="main")
    with pytest.raises(BadRequestError, match="refs/pr/5"):
        hub_api.create_branch(repo, branch="refs/pr/5")


def test_main_cannot_be_deleted(hub_api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="403"):
        hub_api.delete_branch(repo, branch="main")


def test_a_pull_request_is_a_revision_of_its_own(hub: HubServer, hub_api: HfApi, repo: str, tmp_path: Path) -> None:
    upload = {"path_in_repo": "config.json", "repo_id": repo}
    opened = hub_api.upload_file(path_or_fileobj=b"proposed", create_pr=True, **upload)
    assert opened.pr_revision == "refs/pr/1"
    hub_api.upload_file(path_or_fileobj=b"changed", revision="refs/pr/1", **upload)

    path = hub_api.hf_hub_download(repo, "config.json", revision="refs/pr/1", cache_dir=tmp_path)

    assert (Path(path).read_bytes(), hub.files(repo)["config.json"]) == (b"changed", b"{}")
    pulls = hub_api.list_repo_refs(repo, include_pull_requests=True).pull_requests
    assert [(pull.ref, len(hub_api.list_repo_commits(repo, revision=pull.ref))) for pull in pulls] == [("refs/pr/1", 4)]


def test_commits_are_listed_newest_first(hub_api: HfApi, repo: str) -> None:
    commits = hub_api.list_repo_commits(repo)

    assert [commit.title for commit in commits] == ["A model", "initial commit"]


# Refused requests


def test_a_wrong_token_is_refused_even_for_reading(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        hub_api.whoami(token="hf_wrong")
    assert send(hub, "GET", f"/api/models/{repo}", token="hf_wrong")[0] == 401


def test_without_a_token_one_reads_what_is_public(hub: HubServer, repo: str) -> None:
    assert HfApi(endpoint=hub.url, token=False).file_exists(repo, "config.json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/repos/create"),
        ("DELETE", "/api/repos/delete"),
        ("PUT", "/api/models/someone/model/settings"),
        ("POST", "/api/models/someone/model/preupload/main"),
        ("POST", "/api/models/someone/model/commit/main"),
        ("POST", "/api/models/someone/model/branch/new"),
        ("POST", "/api/models/someone/model/tag/main"),
        ("DELETE", "/api/models/someone/model/branch/other"),
        ("DELETE", "/api/models/someone/model/tag/other"),
        ("POST", "/someone/model.git/info/lfs/objects/batch"),
        ("POST", "/someone/model.git/info/lfs/objects/verify"),
    ],
)
def test_without_a_token_nothing_is_written(hub: HubServer, repo: str, method: str, path: str) -> None:
    assert send(hub, method, path, {}, token=None)[0] == 401


def test_a_private_repository_hides_from_strangers(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    stranger = HfApi(endpoint=hub.url, token=False)
    hub_api.update_repo_settings(repo, private=True)
    hub_api.create_repo("someone/born-private", repo_type="dataset", private=True)

    assert hub_api.model_info(repo).private
    assert not stranger.file_exists(repo, "config.json")
    for repo_id, kind in ((repo, "model"), ("someone/born-private", "dataset"), ("someone/missing", "model")):
        with pytest.raises(RepositoryNotFoundError, match="401"):
            stranger.repo_info(repo_id, repo_type=kind)


@pytest.mark.parametrize("path", ["../x", "/x", "", "a/../x", "a//x", "a/./x", "a\\x", ".git/x", "a/", None])
def test_a_path_that_leaves_the_repository_is_refused(hub: HubServer, repo: str, path: str) -> None:
    _, before = send(hub, "GET", f"/api/models/{repo}")
    file = {"path": path, "size": 1, "sample": ""}

    assert send_commit(hub, ("file", {"path": path, "content": "x"}))[0] == 400
    assert send_commit(hub, an_object(path, WEIGHTS))[0] == 400
    assert send(hub, "POST", f"/api/models/{repo}/preupload/main", {"files": [file]})[0] == 400
    assert send(hub, "GET", f"/api/models/{repo}")[1]["sha"] == before["sha"]


def test_a_path_cannot_be_a_file_and_a_folder(hub: HubServer, repo: str) -> None:
    assert send_commit(hub, a_file("config.json/x"))[0] == 400
    assert send_commit(hub, a_file("weights"))[0] == 400


def test_an_object_of_another_size_is_refused(hub: HubServer, repo: str) -> None:
    status, answer = send(hub, "PUT", upload_link(hub, b"four", size=5), b"four")

    assert (status, "4 bytes, not the 5" in answer["error"]) == (400, True)
    assert send_commit(hub, an_object("x.bin", b"four"))[0] == 400


def test_an_object_of_another_hash_is_refused(hub: HubServer, repo: str) -> None:
    status, answer = send(hub, "PUT", upload_link(hub, b"four"), b"FOUR")

    assert (status, "another sha256" in answer["error"]) == (400, True)
    assert send_commit(hub, an_object("x.bin", b"four"))[0] == 400


def test_an_object_arrives_by_a_link_that_was_given_out(hub: HubServer, repo: str) -> None:
    link = upload_link(hub, b"four")

    assert send(hub, "PUT", f"{link}0", b"four", token=None)[0] == 403
    assert send(hub, "PUT", link, b"four", token=None)[0] == 200
    assert send_commit(hub, an_object("x.bin", b"four"))[0] == 200


def test_what_was_not_uploaded_cannot_be_verified(hub: HubServer, repo: str) -> None:
    where = "/someone/model.git/info/lfs/objects/verify"

    assert send(hub, "POST", where, {"oid": sha256(WEIGHTS), "size": len(WEIGHTS)})[0] == 200
    assert send(hub, "POST", where, {"oid": sha256(WEIGHTS), "size": 1})[0] == 404
    assert send(hub, "POST", where, {"oid": sha256(b"four"), "size": 4})[0] == 404


def test_a_commit_cannot_name_an_object_that_was_not_uploaded(hub: HubServer, repo: str) -> None:
    status, answer = send_commit(hub, an_object("x.bin", b"never sent"))

    assert (status, "Offending file: x.bin" in answer["error"]) == (400, True)


def test_a_commit_cannot_lie_about_an_object(hub: HubServer, repo: str) -> None:
    assert send_commit(hub, an_object("x.bin", WEIGHTS, size=1))[0] == 400
    assert send_commit(hub, an_object("x.bin", WEIGHTS, algo="md5"))[0] == 400


def test_objects_of_one_repository_are_not_those_of_another(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    hub_api.create_repo("someone/other")
    hub_api.upload_file(path_or_fileobj=b"theirs", path_in_repo="x.bin", repo_id="someone/other")

    assert send_commit(hub, an_object("x.bin", b"theirs"))[0] == 400


def test_a_large_file_cannot_come_with_the_commit(hub: HubServer, repo: str) -> None:
    assert send_commit(hub, a_file("x.csv", bytes(10 * 2**20 + 1)))[0] == 400


def test_a_stale_parent_is_refused(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    upload = {"path_in_repo": "config.json", "repo_id": repo, "parent_commit": hub_api.model_info(repo).sha}
    hub_api.upload_file(path_or_fileobj=b"first", **upload)

    with pytest.raises(HfHubHTTPError, match="412"):
        hub_api.upload_file(path_or_fileobj=b"second", **upload)
    assert hub.files(repo)["config.json"] == b"first"


def test_a_pull_request_starts_from_the_parent_it_names(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    parent = hub_api.model_info(repo).sha
    hub_api.upload_file(path_or_fileobj=b"later", path_in_repo="later", repo_id=repo)
    proposed = CommitOperationAdd("config.json", b"x")
    hub_api.create_commit(repo, [proposed], commit_message="Older", parent_commit=parent, create_pr=True)

    assert "later" not in hub.files(repo, revision="refs/pr/1")


@pytest.mark.parametrize("revision", ["v1", "missing", "sha"])
def test_only_a_branch_or_a_pull_request_takes_commits(hub_api: HfApi, repo: str, revision: str) -> None:
    hub_api.create_tag(repo, tag="v1")
    named = {"sha": hub_api.model_info(repo).sha}.get(revision, revision)

    with pytest.raises(RevisionNotFoundError):
        hub_api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, revision=named)


@pytest.mark.parametrize(
    "metadata",
    ["tags: [a", "a: 1\na: 2", "- only\n- a list", "tags: one", "license: 3", "pretty_name: [x]", "model-index: [{}]"],
)
def test_a_card_with_bad_metadata_is_refused(hub: HubServer, hub_api: HfApi, repo: str, metadata: str) -> None:
    card = f"---\n{metadata}\n---\n".encode()

    with pytest.raises(ValueError, match=r"Invalid metadata in README.md.\n- "):
        hub_api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
    assert send_commit(hub, a_file("README.md", card))[0] == 400
    assert hub.files(repo)["README.md"] == CARD


def test_a_card_without_metadata_is_warned_of(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        hub_api.upload_file(path_or_fileobj=b"# Bare", path_in_repo="README.md", repo_id=repo)

    assert hub.files(repo)["README.md"] == b"# Bare"


def test_a_bad_change_keeps_the_others_out(hub: HubServer, repo: str) -> None:
    status, answer = send_commit(hub, a_file("good.json"), ("renamedFile", {"path": "config.json"}))

    assert (status, "renamedFile" in answer["error"]) == (400, True)
    assert "good.json" not in hub.files(repo)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"key": "header", "value": {"summary": ""}}', b'{"key": "file"}'])
def test_a_commit_that_cannot_be_read_is_refused(hub: HubServer, repo: str, body: bytes) -> None:
    assert send(hub, "POST", f"/api/models/{repo}/commit/main", body)[0] == 400


def test_an_object_whose_name_is_no_hash_is_refused(hub: HubServer, repo: str) -> None:
    payload = {"operation": "upload", "objects": [{"oid": "../../x", "size": 1}]}

    _, answer = send(hub, "POST", f"/{repo}.git/info/lfs/objects/batch", payload)

    assert answer["objects"][0]["error"]["code"] == 422


def test_an_unknown_route_is_said_to_be_missing(hub: HubServer, repo: str) -> None:
    status, answer = send(hub, "GET", f"/api/models/{repo}/discussions")

    assert (status, "no route GET" in answer["error"]) == (404, True)


# For failures


def test_an_ordered_failure_comes_as_often_as_ordered(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    hub.fail_next("GET", "/refs", status=403, times=2)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError, match="403"):
            hub_api.list_repo_refs(repo)

    assert hub_api.list_repo_refs(repo).branches[0].name == "main"


def test_a_commit_that_is_ordered_to_fail_changes_nothing(hub: HubServer, hub_api: HfApi, repo: str) -> None:
    hub.fail_next("POST", "/commit/main")

    with pytest.raises(HfHubHTTPError, match="500"):
        hub_api.upload_file(path_or_fileobj=b"x", path_in_repo="x.bin", repo_id=repo)
    assert "x.bin" not in hub.files(repo)


# In a process of its own


def test_datasets_loads_streams_and_pushes(hub: HubServer, hub_api: HfApi, tmp_path: Path) -> None:
    code = """
import json, os
os.environ.update(json.loads(sys.argv[1]), USE_TORCH="0")  # which takes seconds to import
from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import HfApi
splits = {"train": [1, 2, 3], "test": [4]}
os.makedirs("up/data")
for name, values in splits.items():
    Dataset.from_dict({"value": values}).to_parquet(f"up/data/{name}-00000-of-00001.parquet")
HfApi().create_repo("someone/table", repo_type="dataset", private=True)
HfApi().upload_folder(repo_id="someone/table", repo_type="dataset", folder_path="up")
loaded = load_dataset("someone/table")
loaded.push_to_hub("pushed")
loaded.push_to_hub("pushed", "second")
result = {
    "loaded": {name: table["value"][:] for name, table in loaded.items()},
    "streamed": [row["value"] for row in load_dataset("someone/table", split="train", streaming=True)],
    "pushed": {name: table["value"][:] for name, table in load_dataset("tester/pushed", "second").items()},
}
"""
    environment = json.dumps(hub.environment(tmp_path / "home"))

    result = run_fresh(code, environment, folder=tmp_path, online=True)

    splits = {"train": [1, 2, 3], "test": [4]}
    assert result == {"loaded": splits, "streamed": [1, 2, 3], "pushed": splits}
    assert {"data/train-00000-of-00001.parquet", "second/test-00000-of-00001.parquet"} <= set(
        hub.files("tester/pushed", "dataset")
    )
