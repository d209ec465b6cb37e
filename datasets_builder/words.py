"""The recipe words of `data` that apply to all sources."""

from dataclasses import dataclass
from typing import Literal

from modeling_multitask.words_multitask import LARGEST_SEED, check_bounds, word

Contradictions = Literal["error", "first", "majority", "drop"]
Leaks = Literal["report", "remove"]


@dataclass(frozen=True)
class Split:
    """The shares of the training rows to hold out, stratified over the labels and missing labels of all tasks."""

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
        None,
        description="A column that all sources have. Rows with the same value in it stay in the same split.",
        example="author",
    )

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class HideLabels:
    """The share of the training labels to make missing, to measure what missing labels cost."""

    fraction: float = word(description="The share of each task's labels.", example=0.33, gt=0, lt=1)
    seed: int | None = word(
        None, description="The seed of the draw; by default that of the recipe.", example=0, ge=0, le=LARGEST_SEED
    )

    def __post_init__(self) -> None:
        check_bounds(self)
