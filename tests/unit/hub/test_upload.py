"""A push is one commit: after any failure the repository has either the old files or the new ones."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants

from datasets_builder import DataError
from modeling_multitask.hub.upload import Target, check_repo_id, look, push_folder
from tests.hub_server import DroppedError, HubError, HubServer, hub, hub_api

__all__ = ["hub", "hub_api"]  # fixtures

MODEL = Target("tester/model")
OWNED = ("*.safetensors", "pictures/*")
HEAD = b"---\nlicense: mit\n---\n"
OLD = {"README.md": HEAD + b"old\n", "config.json": b"{}", "model-1.safetensors": b"1" * 50, "pictures/a.png": b"old"}
NEW = {"README.md": HEAD + b"new\n", "config.json": b'{"a": 1}', "model.safetensors": b"2" * 60, "notes.md": b"new"}

pytestmark = pytest.mark.filterwarnings("ignore:It seems that you are about to commit a data file:UserWarning")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write(tmp_path / "old", OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write(tmp_path / "new", NEW)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


def there(hub: HubServer, revision: str = "main") -> dict[str, bytes]:
    return {
        name: content for name, content in hub.files("tester/model", revision=revision).items() if name[:4] != ".git"
    }


def newer(before: str, now: str) -> str:
    return now


def push(api: HfApi, folder: Path, target: Target = MODEL) -> None:
    push_folder(api, folder, target, owned=OWNED, message="Push", merge_cards=newer, first_wait=0.0)


def test_files_of_ours_that_are_gone_go_and_others_stay(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)
    hub_api.upload_file(path_or_fileobj=b"by hand", path_in_repo="LICENSE", repo_id=MODEL.repo_id)

    pushed = push_folder(hub_api, new, MODEL, owned=OWNED, message="Push")

    assert there(hub) == {**NEW, "LICENSE": b"by hand"}
    assert pushed == (f"{hub.url}/tester/model", hub.commits("tester/model")[0])


def test_a_push_is_one_commit(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)
    push(hub_api, new)

    assert len(hub.commits("tester/model")) == 3  # the first one is the Hub's own


def test_pushing_the_same_again_commits_nothing(hub: HubServer, hub_api: HfApi, new: Path) -> None:
    push(hub_api, new)
    push(hub_api, new)

    assert len(hub.commits("tester/model")) == 2


def test_the_card_that_is_there_has_its_say(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)

    push_folder(hub_api, new, MODEL, owned=OWNED, message="Push", merge_cards=lambda before, now: before + now)

    assert there(hub)["README.md"] == OLD["README.md"] + NEW["README.md"]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_card_that_cannot_be_read_just_now_is_not_written_over(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path, status: int
) -> None:
    # P56: huggingface_hub reports it like a missing file.
    push(hub_api, old)
    hub.fail_next("HEAD", "/README.md", status=status)

    with contextlib.suppress(OSError):
        push_folder(hub_api, new, MODEL, owned=OWNED, message="Push", merge_cards=lambda a, b: a + b, first_wait=0.0)

    assert there(hub)["README.md"] in (OLD["README.md"], OLD["README.md"] + NEW["README.md"])


def test_files_of_others_in_folders_stay(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)
    hub_api.upload_file(path_or_fileobj=b"theirs", path_in_repo="eval/their.safetensors", repo_id=MODEL.repo_id)

    push(hub_api, new)

    assert "eval/their.safetensors" in there(hub)


def test_a_public_repository_is_not_pushed_to_as_a_private_one(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path
) -> None:
    push(hub_api, old)

    with pytest.raises(PermissionError, match="tester/model is already public; make it private first"):
        push(hub_api, new, Target("tester/model", private=True))
    assert there(hub) == OLD


def test_a_branch_that_is_not_there_is_made(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)
    push(hub_api, new, Target("tester/model", revision="next"))

    assert (there(hub), there(hub, "next")) == (OLD, NEW)


def test_a_pull_request_leaves_the_branch_alone(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)

    pushed = push_folder(
        hub_api, new, Target("tester/model", create_pr=True), owned=OWNED, message="Push", first_wait=0.0
    )

    assert pushed.address == f"{hub.url}/tester/model/discussions/1"
    assert (there(hub), there(hub, "refs/pr/1")) == (OLD, NEW)


def test_a_private_repository_is_made_private(hub: HubServer, hub_api: HfApi, new: Path) -> None:
    push(hub_api, new, Target("tester/model", private=True))

    assert hub_api.model_info("tester/model").private


def test_nothing_is_there_before_the_first_push(hub_api: HfApi) -> None:
    assert look(hub_api, MODEL) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again(hub: HubServer, hub_api: HfApi, new: Path, status: int) -> None:
    hub.fail_next("POST", "/commit/", status=status, times=2)

    push(hub_api, new)

    assert there(hub) == NEW


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "log in with `hf auth login`"),
        (402, "no storage left"),
        (403, "the token has no write access"),
        (412, "push again"),
        (413, "larger than the storage limit"),
        (429, "push again later"),
        (503, "status.huggingface.co"),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_to_do(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path, status: int, words: str
) -> None:
    push(hub_api, old)
    hub.fail_next("POST", "/commit/", status=status, times=9)

    with pytest.raises(OSError, match=rf"the Hub refused the request \({status}\): .*fail_next; .*{words}"):
        push(hub_api, new)

    assert there(hub) == OLD


def test_a_hub_that_cannot_be_reached_is_said(hub_api: HfApi, new: Path) -> None:
    with pytest.raises(ConnectionError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        push(HfApi(endpoint="http://127.0.0.1:9", token="x"), new)


def test_offline_nothing_is_tried_again(hub_api: HfApi, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waits for what cannot change"))

    with pytest.raises(ConnectionError, match=r"cannot be reached .*unset the `HF_HUB_OFFLINE` environment variable"):
        push(hub_api, new)


def test_a_push_without_xet_goes_by_lfs(hub: HubServer, hub_api: HfApi, new: Path) -> None:
    # `hub_api` is as HF_HUB_DISABLE_XET=1 makes it.
    push(hub_api, new)

    assert hub.uploaded == len(NEW["model.safetensors"])
    assert not [target for _, target in hub.requests if "xet" in target]


def test_a_hub_without_xet_is_said_with_what_to_do(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hf_xet")
    push(hub_api, old)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)

    with pytest.raises(OSError, match=r"the request \(404\): .*/xet-write-token/.*; .*set HF_HUB_DISABLE_XET=1"):
        push(hub_api, new)

    assert there(hub) == OLD


def test_a_push_that_somebody_else_comes_before_does_not_mix(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path
) -> None:
    push(hub_api, old)
    other = HfApi(endpoint=hub.url, token=hub.token)

    def merge(before: str, now: str) -> str:
        other.upload_file(path_or_fileobj=b"later", path_in_repo="LATER", repo_id=MODEL.repo_id)
        return now

    with pytest.raises(OSError, match=r"\(412\).*someone else pushed at the same time; push again"):
        push_folder(hub_api, new, MODEL, owned=OWNED, message="Push", merge_cards=merge)
    assert there(hub) == {**OLD, "LATER": b"later"}


# Cut off at each of its requests


def requests_of_a_push(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> int:
    """How many requests the second of two pushes takes, told by trying."""
    push(hub_api, old)
    before = len(hub.requests)
    push(hub_api, new)
    return len(hub.requests) - before


COUNT = 10


def test_a_push_has_as_many_requests_as_are_cut_off_below(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    assert requests_of_a_push(hub, hub_api, old, new) == COUNT


def drop() -> None:
    raise DroppedError


def fail() -> None:
    raise HubError(500, "This failure was ordered by the test")


@pytest.mark.parametrize("number", range(1, COUNT + 1))
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("act", [drop, fail])
def test_a_connection_that_breaks_once_is_survived(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path, number: int, moment: str, act: Callable[[], None]
) -> None:
    push(hub_api, old)
    first = len(hub.requests)
    setattr(hub, moment, lambda each: act() if each == first + number else None)

    push(hub_api, new)

    assert there(hub) == NEW
    assert len(hub.commits("tester/model")) == 3


def test_storage_that_is_full_is_said(hub: HubServer, hub_api: HfApi, old: Path, new: Path) -> None:
    push(hub_api, old)
    hub.fail_next("POST", "/info/lfs/objects/batch", status=403)

    with pytest.raises(OSError, match=r"the Hub refused the request \(403\): .*the account has no storage left"):
        push(hub_api, new)
    assert there(hub) == OLD


@pytest.mark.parametrize("number", range(1, COUNT + 1))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_push_that_is_cut_off_leaves_the_old_or_the_new_and_the_next_completes_it(
    hub: HubServer, hub_api: HfApi, old: Path, new: Path, number: int, moment: str
) -> None:
    push(hub_api, old)
    first = len(hub.requests)
    setattr(hub, moment, lambda each: drop() if each >= first + number else None)

    with pytest.raises(OSError, match="cannot be reached"):
        push(hub_api, new)
    assert there(hub) in (OLD, NEW)

    hub.before = hub.after = lambda each: None
    push(hub_api, new)
    assert there(hub) == NEW


def push_in_child(url: str, token: str, cache: str, folder: Path) -> None:
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_CACHE = False, True, cache
    os.environ["NO_PROXY"] = "127.0.0.1"
    push(HfApi(endpoint=url, token=token), folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, COUNT + 1))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_push_leaves_the_old_or_the_new_and_the_next_completes_it(
    hub: HubServer, hub_api: HfApi, tmp_path: Path, old: Path, new: Path, number: int, moment: str
) -> None:
    push(hub_api, old)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["modeling_multitask.hub.upload"])
    child = context.Process(target=push_in_child, args=(hub.url, hub.token, str(tmp_path / "cache"), new))
    first, started, dead = len(hub.requests), threading.Event(), threading.Event()

    def kill(each: int) -> None:
        started.wait()
        if each == first + number:
            os.kill(child.pid, signal.SIGKILL)
            dead.wait()

    setattr(hub, moment, kill)
    child.start()
    started.set()
    child.join()
    dead.set()

    assert child.exitcode == -signal.SIGKILL
    assert there(hub) in (OLD, NEW)
    hub.before = hub.after = lambda each: None
    push(hub_api, new)
    assert there(hub) == NEW


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("reviews", "'reviews' has no owner; write OWNER/reviews"),
        ("me/re views", "'me/re views' is not a valid name of a model on the Hub"),
    ],
)
def test_a_name_that_no_model_can_have_is_refused(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_repo_id(name, "model")
