"""Collections. The docstring of each route names its client function."""

import json
import re
from hashlib import sha256
from typing import Any

from tests.hub_server.repositories import Collection, Hub
from tests.hub_server.routing import route
from tests.hub_server.wire import HubError, Request, Response, json_response


@route("POST", "/api/collections", signed_in=True)
def create_collection(hub: Hub, request: Request) -> Response:
    """`HfApi.create_collection`. For `exists_ok`, the client uses the 409 response and its `slug`."""
    payload = json.loads(request.body)
    title, namespace = payload["title"], payload["namespace"]
    if not 0 < len(title) < 60:
        raise HubError(400, '"title" must have from 1 to 59 characters')
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    slug = f"{namespace}/{words}-{sha256(title.encode()).hexdigest()[:24]}"
    if slug in hub.collections:
        raise HubError(409, f"This collection exists already: {slug}", slug=slug)
    hub.collections[slug] = Collection(title, namespace, payload["private"])
    return json_response(_content(hub, slug))


@route("GET", "/api/collections/(?P<namespace>[^/]+)/(?P<name>[^/]+)")
def read_collection(hub: Hub, request: Request, namespace: str, name: str) -> Response:
    """`HfApi.get_collection`."""
    return json_response(_content(hub, f"{namespace}/{name}"))


@route("POST", "/api/collections/(?P<namespace>[^/]+)/(?P<name>[^/]+)/items", signed_in=True)
def add_item(hub: Hub, request: Request, namespace: str, name: str) -> Response:
    """`HfApi.add_collection_item`. For `exists_ok`, the client uses the 409 response."""
    item = json.loads(request.body)["item"]
    hub.find(item["type"], item["id"], signed_in=True)
    items = _find(hub, f"{namespace}/{name}").items
    if (item["type"], item["id"]) in items:
        raise HubError(409, f"{item['id']} is in this collection already")
    items.append((item["type"], item["id"]))
    return json_response(_content(hub, f"{namespace}/{name}"))


def _find(hub: Hub, slug: str) -> Collection:
    if slug not in hub.collections:
        raise HubError(404, "Collection not found")
    return hub.collections[slug]


def _content(hub: Hub, slug: str) -> dict[str, Any]:
    collection = _find(hub, slug)
    return {
        "slug": slug,
        "title": collection.title,
        "owner": {"name": collection.namespace},
        "private": collection.private,
        "lastUpdated": "2026-01-01T00:00:00.000Z",
        "position": 0,
        "theme": "blue",
        "upvotes": 0,
        "items": [
            {"_id": f"{i:024x}", "id": name, "type": kind, "position": i}
            for i, (kind, name) in enumerate(collection.items)
        ],
    }
