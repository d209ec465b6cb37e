"""Routes from requests to functions, and access checks."""

import binascii
import json
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from tests.hub_server.repositories import Hub
from tests.hub_server.wire import HubError, Request, Response


class Route(NamedTuple):
    """A route to a handler function. The repository in the path is looked up for the function."""

    methods: tuple[str, ...]
    pattern: re.Pattern[str]
    function: Callable[..., Response]
    signed_in: bool


ROUTES: list[Route] = []
REPO = r"/api/(?P<kind>model|dataset|space)s/(?P<repository>[^/]+/[^/]+)"
PAGE = r"/(?:(?P<kind>dataset|space)s/)?(?P<repository>(?:[^/]+/)?[^/]+?)"
REVISION = r"(?P<revision>refs/pr/\d+|[^/]+)"


def answer(hub: Hub, request: Request) -> Response:
    """Return the response of the route or of an error."""
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
    """Return whether the request has the token. A wrong token is always refused, even if no token is required."""
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
    """Raise an error for an unknown route. A missing repository is reported first."""
    if match := re.match(r"/api/(?P<kind>model|dataset|space)s/(?P<repository>[^/]+(?:/[^/]+)?)", request.path):
        hub.find(match["kind"], unquote(match["repository"]), signed_in=signed_in)
    raise HubError(404, f"This server has no route {request.method} {request.path}")


def route(methods: str, pattern: str, *, signed_in: bool = False) -> Callable[..., Callable[..., Response]]:
    """Register a handler function for a route.

    Args:
        methods: One or several HTTP methods, separated by spaces.
        pattern: Pattern of the quoted path. Its named groups are unquoted and passed to the function.
        signed_in: Whether a token is required.
    """

    def register(function: Callable[..., Response]) -> Callable[..., Response]:
        ROUTES.append(Route(tuple(methods.split()), re.compile(pattern), function, signed_in))
        return function

    return register
