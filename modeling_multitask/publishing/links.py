"""What a model's card points to on the Hub."""

from dataclasses import dataclass, fields

from datasets_builder.upload import check_repo_id


@dataclass(frozen=True)
class Links:
    """The repositories that belong together; `None` where there is none.

    Args:
        dataset: That the model was trained on.
        space: Of the demo.
        adapter: Of the low-rank weights alone.
        base: What the model was trained from.
        collection: The slug of what holds them all.

    Raises:
        DataError: If no repository on the Hub can be called so.
    """

    dataset: str | None = None
    space: str | None = None
    adapter: str | None = None
    base: str | None = None
    collection: str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name not in ("base", "collection") and getattr(self, each.name) is not None:
                check_repo_id(getattr(self, each.name), each.name)
