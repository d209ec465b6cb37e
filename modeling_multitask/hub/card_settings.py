"""Card settings from the owner of a data set or a model."""

from dataclasses import dataclass

from ..words_multitask import word


@dataclass(frozen=True)
class CardSettings:
    """Card settings from the owner of a data set or a model."""

    title: str | None = word(None, description="Display name.", example="Reviews of three sites")
    description: str | None = word(
        None, description="Content and origin.", example="Reviews of 2025, labelled by two people."
    )
    license: str | None = word(None, description="License identifier of the Hub.", example="cc-by-4.0")
    citation: str | None = word(None, description="Citation text.", example="Doe, J. (2025): Reviews.")
    language: list[str] = word(default_factory=list, description="Language codes.", example="en", one_or_list=True)
