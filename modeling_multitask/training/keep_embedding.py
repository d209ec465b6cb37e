"""The word `keep_embedding`, which keeps the embedding near that of the start encoder."""

from dataclasses import dataclass

from ..words_multitask import check_bounds, word


@dataclass(frozen=True)
class KeepEmbedding:
    """A term of the loss: the distance between the embedding of a text and its embedding before training.

    Raises:
        ValueError: If the weight is not above 0.
    """

    weight: float = word(
        description="The factor of the distance in the loss. A higher weight keeps the embedding nearer to that of the "
        "encoder before training.",
        example=1.0,
        gt=0,
    )

    def __post_init__(self) -> None:
        check_bounds(self)
