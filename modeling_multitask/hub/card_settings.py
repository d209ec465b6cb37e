"""What only its owner can say of a data set or a model."""

from dataclasses import dataclass

from ..words_multitask import word


@dataclass(frozen=True)
class CardSettings:
    """What only its owner can say of a data set or a model."""

    title: str | None = word(None, description="The name, for people.", example="Reviews of three sites")
    description: str | None = word(
        None, description="What it is and where it comes from.", example="Reviews of 2025, labelled by two people."
    )
    license: str | None = word(None, description="The licence, as the Hub writes it.", example="cc-by-4.0")
    citation: str | None = word(None, description="Whom to cite, and how.", example="Doe, J. (2025): Reviews.")
    language: list[str] = word(
        default_factory=list, description="The codes of the languages.", example="en", one_or_list=True
    )
