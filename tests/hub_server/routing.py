"""The function that answers a request, and the access rights for it."""

import binascii
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from tests.hub_server.repositories import Hub
from tests.hub_server.wire import HubError, Request, Response


class Route(NamedTuple):
    """The function that answers requests of one form; a repository that the path names is looked up for it."""

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    function: Callable[..., Response]
    signed_in: bool


ROUTES: list[Route] = []
REPO = r"/api/(?P<kind>model|dataset|space)s/(?P<repository>[^/]+/[^/]+)"
PAGE = r"/(?:(?P<kind>dataset|space)s/)?(?P<repository>(?:[^/]+/)?[^/]+?)"
REVISION = r"(?P<revision>refs/pr/\d+|[^/]+)"


def answer(hub: Hub, request: Request) -> Response:
    """The route's response, or the error's."""
    try:
        signed_in = _is_signed_in(hub, request)
        for route in ROUTES:
            match = route.pattern.fullmatch(request.path)
            if match and request.method in route.methods:
                parts = {name: unquote(value) for name, value in match.groupdict(default="").items()}
                return _follow(route, hub, request, parts, signed_in=signed_in)
        return _no_route(hub, request, signed_in=signed_in)
    except HubError as error:
        return error.response()
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError, binascii.Error) as error:
        return HubError(400, f"Malformed request: {error!r}").response()


def _is_signed_in(hub: Hub, request: Request) -> bool:
    """A wrong token is refused even where none is needed."""
    authorization = request.headers.get("Authorization")
    if authorization not in (None, f"Bearer {hub.token}"):
        raise HubError(401, "Invalid credentials in Authorization header")
    return authorization is not None


def _follow(route: Route, hub: Hub, request: Request, parts: dict[str, str], *, signed_in: bool) -> Response:
    if route.signed_in and not signed_in:
        raise HubError(401, "Invalid username or password.")
    if "repository" not in parts:
        return route.function(hub, request, **parts)
    kind, repo_id = parts.pop("kind") or "model", parts.pop("repository")
    return route.function(hub, request, hub.find(kind, repo_id, signed_in=signed_in), **parts)


def _no_route(hub: Hub, request: Request, *, signed_in: bool) -> Response:
    """A repository without a namespace, or one that is missing, comes before a route that is."""
    if match := re.match(r"/api/(?P<kind>model|dataset|space)s/(?P<repository>[^/]+(?:/[^/]+)?)", request.path):
        hub.find(match["kind"], unquote(match["repository"]), signed_in=signed_in)
    raise HubError(404, f"This server has no route {request.method} {request.path}")


def route(methods: str, pattern: str, *, signed_in: bool = False) -> Callable[..., Callable[..., Response]]:
    """Registers a function for requests of this form.

    Args:
        methods: One or several, with spaces.
        pattern: Of the path, still quoted; its named groups are the function's arguments, unquoted.
        signed_in: Whether a token is needed.
    """

    def register(function: Callable[..., Response]) -> Callable[..., Response]:
        ROUTES.append(Route(tuple(methods.split()), re.compile(pattern), function, signed_in))
        return function

    return register
