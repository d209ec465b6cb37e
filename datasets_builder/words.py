"""The words of a recipe's `data` that are about all sources."""

from dataclasses import dataclass
from typing import Literal

from modeling_multitask.words_multitask import LARGEST_SEED, check_bounds, word

Contradictions = Literal["error", "first", "majority", "drop"]
Leaks = Literal["report", "remove"]


@dataclass(frozen=True)
class Split:
    """The shares of the training rows that are held out, stratified over all tasks and their gaps."""

    validation: float | None = word(None, description="The share of the validation rows.", example=0.1, gt=0, lt=1)
    test: float | None = word(None, description="The share of the test rows.", example=0.2, gt=0, lt=1)
    seed: int | None = word(
        None,
        description="The seed of the split; by default that of the recipe.",
        example=0,
        ge=0,
        le=LARGEST_SEED,
    )
    group: str | None = word(
        None, description="A column whose equal values are never parted between splits.", example="author"
    )

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class HideLabels:
    """How many labels of the training rows are made missing, to see what that costs."""

    fraction: float = word(description="The share of each task's labels.", example=0.33, gt=0, lt=1)
    seed: int | None = word(
        None, description="The seed of the draw; by default that of the recipe.", example=0, ge=0, le=LARGEST_SEED
    )

    def __post_init__(self) -> None:
        check_bounds(self)
