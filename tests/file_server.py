"""A real HTTP server of files, with the behaviour of good servers and of bad ones."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class FileServer:
    """Serves the files in `files`, by path, each as bytes with headers.

    Attributes:
        files: The content of each path.
        headers: The headers of each path.
        ways: What is wrong with a path: a status, `silent` (no answer), `stalls` or `ends` (in the middle of the body).
        requests: The method and path of each request, in order.
        pause: Seconds after each 5 bytes of a body.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.ways: dict[str, int | str] = {}
        self.requests: list[tuple[str, str]] = []
        self.pause = 0.0
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(ConnectionError):
                    outer.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def serve(self, path: str, content: bytes, **headers: str) -> str:
        """Serve a file, and return its address. Header names have `_` for `-`."""
        self.files[path] = content
        self.headers[path] = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.url + path

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        path = request.path.partition("?")[0]
        self.requests.append((request.command, request.path))
        way = self.ways.get(path, 200 if path in self.files else 404)
        if way == "silent":
            self.closing.wait()
            return
        content = self.files.get(path, b"")
        request.send_response(way if isinstance(way, int) else 200)
        for name, value in self.headers.get(path, {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command == "HEAD":
            return
        sent = content if isinstance(way, int) else content[: len(content) // 2]
        step = 5 if self.pause else len(sent) or 1
        for begin in range(0, len(sent), step):
            request.wfile.write(sent[begin : begin + step])
            request.wfile.flush()
            time.sleep(self.pause)
        if way == "stalls":
            self.closing.wait()

    def count(self, method: str) -> int:
        """Return the number of requests with a method."""
        return sum(each == method for each, _ in self.requests)


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A server of files."""
    server = FileServer()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.closing.set()
    server.server.shutdown()
    thread.join()
    server.server.server_close()
