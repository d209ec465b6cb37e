"""A local Hugging Face Hub for tests with the real clients of huggingface_hub, datasets and transformers.

`wire` implements HTTP and `routing` finds the handler of a request. The handlers are in `reading` and `writing`.
`repositories` keeps the history, `trees` keeps the files of one commit, and `cards` reads the metadata of a README. The
routes follow the clients of huggingface_hub 2.4 and datasets 5.2.
"""

import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Self

import pytest
from huggingface_hub import HfApi, constants

from tests.hub_server import collections, reading, writing  # noqa: F401  (their routes register themselves)
from tests.hub_server.repositories import USER, Hub
from tests.hub_server.routing import answer
from tests.hub_server.wire import DroppedError, HubError, Request, Response, Server

__all__ = ["USER", "DroppedError", "HubError", "HubServer", "connect", "hub", "hub_api"]

DEPRECATED = "Use 'content="


class HubServer:
    """A Hub that runs during a `with` block.

    Attributes:
        url: Value for the `endpoint` of a client or for `HF_ENDPOINT`.
        token: The only accepted token. It may read and write everything.
        requests: (method, path with query as sent) of every request, in order of arrival.
        uploaded: Number of received bytes of LFS objects, including refused objects.
        before: Hook that is called with the number of each request, starting at 1, before the request is handled. It
            may raise a `DroppedError` or `HubError`, which replaces the response.
        after: The same hook, called after the request is handled and before the response is sent.
    """

    def __init__(self) -> None:
        self.token = f"hf_{secrets.token_hex(16)}"
        self.requests: list[tuple[str, str]] = []
        self.uploaded = 0
        self.before: Callable[[int], None] = lambda number: None
        self.after: Callable[[int], None] = lambda number: None
        self._failures: list[tuple[str, str, int]] = []
        self._lock = Lock()
        self._server = Server(self._answer)
        self.url = self._server.url
        self._hub = Hub(self.url, self.token)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a child process that uses only this Hub and has its caches under `home`."""
        caches = {"HF_HOME": "", "HF_HUB_CACHE": "hub", "HF_DATASETS_CACHE": "datasets", "HF_MODULES_CACHE": "modules"}
        return {
            **os.environ,
            **{name: str(home / folder) for name, folder in caches.items()},
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_XET": "1",
            **dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "0"),
            **dict.fromkeys(("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"), "1"),
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets counts downloads on an external server
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
        }

    def files(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository by path, including `.gitattributes`, which the Hub writes."""
        with self._lock:
            tree = self._hub.find(repo_type, repo_id, signed_in=True).resolve(revision).tree
        return {path: blob.content for path, blob in sorted(tree.items())}

    def commits(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> list[str]:
        """Return the shas of the commits of a revision, newest first."""
        with self._lock:
            return [each.sha for each in self._hub.find(repo_type, repo_id, signed_in=True).history(revision)]

    def collection(self, slug: str) -> list[tuple[str, str]]:
        """Return the kind and the name of each item in a collection."""
        with self._lock:
            return list(self._hub.collections[slug].items)

    def fail_next(self, method: str, path_substring: str, *, status: int = 500, times: int = 1) -> None:
        """Let the next `times` requests whose path with query contains this part fail with `status`."""
        with self._lock:
            self._failures += [(method, path_substring, status)] * times

    def _answer(self, request: Request) -> Response:
        """Handle one request at a time, so that no request sees an incomplete commit."""
        with self._lock:
            self.requests.append((request.method, request.target))
            number = len(self.requests)
            for failure in self._failures:
                method, part, status = failure
                if request.method == method and part in request.target:
                    self._failures.remove(failure)
                    return HubError(status, "This failure was requested by fail_next").response()
            if request.method == "PUT" and request.path.startswith("/lfs/"):
                self.uploaded += len(request.body)
            try:
                self.before(number)
                response = answer(self._hub, request)
                self.after(number)
            except HubError as error:
                return error.response()
            return response


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Provide a Hub without repositories."""
    with HubServer() as server:
        yield server


@pytest.fixture
def hub_api(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> HfApi:
    """Return a client in this process that uses `hub`, LFS uploads and a separate cache."""
    request.node.add_marker(pytest.mark.filterwarnings(f"ignore:{DEPRECATED}:DeprecationWarning"))
    return connect(hub, tmp_path / "hub_cache", monkeypatch)


def connect(hub: HubServer, cache: Path, patch: pytest.MonkeyPatch) -> HfApi:
    """Return a client like `hub_api`, for fixtures with a wider scope."""
    # huggingface_hub reads these on import, so environment variables have no effect here.
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setenv("NO_PROXY", "127.0.0.1")
    # huggingface_hub 2.4 uses a deprecated argument of httpx2. The mark of `hub_api` does not apply to fixtures.
    warnings.filterwarnings("ignore", DEPRECATED, DeprecationWarning)
    return HfApi(endpoint=hub.url, token=hub.token)
