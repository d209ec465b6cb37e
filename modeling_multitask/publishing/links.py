"""Links between the cards of a model's repositories on the Hub."""

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from ..hub.upload import check_repo_id
from .card.words import HUB, link


@dataclass(frozen=True)
class Links:
    """Repositories that belong together. A field is `None` if there is no such repository.

    Args:
        model: The model.
        dataset: The data set that the model was trained on.
        space: The Space with the demo.
        adapter: The low-rank adapter. Its base model has the same name with the suffix `-base`.
        base: The model that training started from.
        collection: Slug of the collection that contains all repositories.

    Raises:
        DataError: If a name is not a valid repository name on the Hub.
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
        """Return the name and the link of each repository, for the card of one of them.

        Args:
            besides: Field of the repository that the card belongs to. `below` is the adapter's base model.
        """
        pointers = {
            "model": ("Model", self.model, ""),
            "dataset": ("Data set", self.dataset, "datasets/"),
            "space": ("Demo", self.space, "spaces/"),
            "adapter": ("Adapter", self.adapter, ""),
            "below": ("Base model of the adapter", base_repo_id(self.adapter) if self.adapter else None, ""),
            "base": ("Trained from", self.base, ""),
            "collection": ("Collection", self.collection, "collections/"),
        }
        return [
            {"name": name, "link": link(repo_id, kind)}
            for key, (name, repo_id, kind) in pointers.items()
            if repo_id is not None and key != besides
        ]

    def or_those_of(self, card: str | None) -> "Links":
        """Return these links, filled in with the links of the card that is already on the Hub."""
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
    """Return the name of the repository of an adapter's base model."""
    return f"{adapter}-base"
