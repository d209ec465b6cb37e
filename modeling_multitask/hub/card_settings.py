"""What only its owner can say of a data set or a model."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CardSettings:
    """What only its owner can say of a data set or a model.

    Args:
        title: Its name, for people.
        description: What it is and where it comes from.
        license: As the Hub writes it, such as `cc-by-4.0`.
        citation: Whom to cite, and how.
        language: Codes such as `en`.
    """

    title: str | None = None
    description: str | None = None
    license: str | None = None
    citation: str | None = None
    language: list[str] = field(default_factory=list)
