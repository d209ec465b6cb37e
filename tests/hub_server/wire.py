"""HTTP for the clients of the Hub, with complete requests and responses."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request of a client. `target` is the quoted path with its query."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        """Return the quoted path without its query. A quoted slash is part of a name."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """Return the unquoted query. A name may occur several times."""
        return parse_qs(urlsplit(self.target).query)

    def flag(self, name: str) -> bool:
        """Return whether the query sets this name to true."""
        return self.query.get(name, [""])[-1].lower() in {"1", "true"}


@dataclass(frozen=True)
class Response:
    """A response to a client."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_response(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return the value as JSON. Dates in a card become text."""
    return Response(
        status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value, default=str).encode()
    )


class HubError(Exception):
    """A refused request, as the client sees it.

    Args:
        status: HTTP status.
        message: Message for the user.
        code: Code that selects the exception in huggingface_hub (`hf_raise_for_status`): RepoNotFound,
            RevisionNotFound or EntryNotFound. Empty for other errors.
        body: Additional fields of the JSON response.
    """

    def __init__(self, status: int, message: str, code: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.body = status, message, code, body
        self.headers: dict[str, str] = {}

    def response(self) -> Response:
        """Return the JSON response with the two error headers."""
        headers = {"X-Error-Message": ascii(self.message.splitlines()[0])[1:-1], **self.headers}
        if self.code:
            headers["X-Error-Code"] = self.code
        return json_response({"error": self.message, **self.body}, status=self.status, headers=headers)


class DroppedError(Exception):
    """An error that ends the connection without a response."""


class Server(ThreadingMixIn, TCPServer):
    """A server on a free local port that passes each request to one function, in a separate thread."""

    daemon_threads = False  # server_close waits for the threads, so no socket stays open
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Server

    def _exchange(self) -> None:
        request = Request(self.command, self.path, self.headers, self._body())
        try:
            response = self.server.answer(request)
        except DroppedError:
            self.close_connection = True
            return
        self.send_response(response.status)
        # One request per connection: an idle connection would prevent the server from closing.
        for name, value in {
            "Content-Length": str(len(response.body)),
            **response.headers,
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        try:
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)
        except ConnectionError:  # a streaming client may close the connection early
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *arguments: object) -> None:
        """Log nothing: `HubServer.requests` records the requests."""
