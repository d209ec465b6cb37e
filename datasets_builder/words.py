"""The recipe words of `data` that apply to all sources."""

from dataclasses import dataclass
from typing import Literal

from modeling_multitask.words_multitask import LARGEST_SEED, check_bounds, word

Contradictions = Literal["error", "first", "majority", "drop"]
Leaks = Literal["report", "remove"]
Blank = Literal["missing", "none"]


@dataclass(frozen=True)
class Split:
    """The training rows to hold out, stratified over the labels and missing labels of all tasks."""

    validation: float | None = word(None, description="The share of the validation rows.", example=0.1, gt=0, lt=1)
    test: float | None = word(None, description="The share of the test rows.", example=0.2, gt=0, lt=1)
    folds: int | None = word(
        None,
        description="Cross-validation instead of `test`: the rows are split into this number of folds. Each fold is "
        "judged by a model that is trained on the other folds. The final model is trained on all rows.",
        example=5,
        ge=2,
    )
    fold: int | None = word(
        None,
        description="Train only the model without this fold, counted from 1. The fold is the test split.",
        example=1,
        ge=1,
    )
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
        if self.folds is not None and self.test is not None:
            raise ValueError("test is set together with folds, where each fold is the test split once; leave test out")
        if self.fold is not None and self.fold > (self.folds or 0):
            there = f"there are {self.folds} folds" if self.folds else "folds is missing; add the number of folds"
            raise ValueError(f"fold is {self.fold}, but {there}")

    @property
    def in_turn(self) -> bool:
        """Whether each fold is held out in turn, so that a run trains several models."""
        return self.folds is not None and self.fold is None


@dataclass(frozen=True)
class HideLabels:
    """The share of the training labels to make missing, to measure what missing labels cost."""

    fraction: float = word(description="The share of each task's labels.", example=0.33, gt=0, lt=1)
    seed: int | None = word(
        None, description="The seed of the draw; by default that of the recipe.", example=0, ge=0, le=LARGEST_SEED
    )

    def __post_init__(self) -> None:
        check_bounds(self)
