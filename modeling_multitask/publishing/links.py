"""What the cards of one model's repositories point to on the Hub."""

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from ..hub.upload import check_repo_id
from .card.words import HUB, link


@dataclass(frozen=True)
class Links:
    """The repositories that belong together; `None` where there is none.

    Args:
        model: That all of it is about.
        dataset: That it was trained on.
        space: Of the demo.
        adapter: Of the low-rank weights alone; what these sit on is called like it, with `-base`.
        base: What the model was trained from.
        collection: The slug of what holds them all.

    Raises:
        DataError: If no repository on the Hub can be called so.
    """

    model: str | None = None
    dataset: str | None = None
    space: str | None = None
    adapter: str | None = None
    base: str | None = None
    collection: str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name not in ("base", "collection") and getattr(self, each.name) is not None:
                check_repo_id(getattr(self, each.name), each.name)

    def lines(self, besides: str) -> list[dict[str, Any]]:
        """The name and the link of each, for the card of one of them.

        Args:
            besides: The field of the repository whose card it is; `below` is what the adapter sits on.
        """
        pointers = {
            "model": ("Model", self.model, ""),
            "dataset": ("Data set", self.dataset, "datasets/"),
            "space": ("Demo", self.space, "spaces/"),
            "adapter": ("Adapter", self.adapter, ""),
            "below": ("What the adapter sits on", base_repo_id(self.adapter) if self.adapter else None, ""),
            "base": ("Began from", self.base, ""),
            "collection": ("Collection", self.collection, "collections/"),
        }
        return [
            {"name": name, "link": link(repo_id, kind)}
            for key, (name, repo_id, kind) in pointers.items()
            if repo_id is not None and key != besides
        ]

    def or_those_of(self, card: str | None) -> "Links":
        """These, and for what is not named here what a card of ours points to that is there already."""
        if card is None:
            return self
        found = {
            "dataset": re.search(rf"^- Data set: \[.*\]\({HUB}/datasets/(\S+)\)$", card, re.MULTILINE),
            "space": re.search(rf"^- Demo: \[.*\]\({HUB}/spaces/(\S+)\)$", card, re.MULTILINE),
            "adapter": re.search(rf"^- Adapter: \[.*\]\({HUB}/(\S+)\)$", card, re.MULTILINE),
            "collection": re.search(rf"^- Collection: \[.*\]\({HUB}/collections/(\S+)\)$", card, re.MULTILINE),
        }
        kept = {name: each[1] for name, each in found.items() if each and getattr(self, name) is None}
        return replace(self, **kept)


def base_repo_id(adapter: str) -> str:
    """What the repository is called of the model that an adapter sits on."""
    return f"{adapter}-base"
