"""How often the rows of which source, or with which label, are drawn."""

from dataclasses import dataclass
from typing import Literal, get_args

from ..words_multitask import check_bounds, nearest_hint, word

SamplingStrategy = Literal["concatenated", "proportional", "temperature", "round_robin", "annealed", "balanced"]


@dataclass(frozen=True)
class Sampling:
    """How often the rows of which source, or with which label, are drawn in an epoch of N draws.

    Raises:
        ValueError: If the strategy is unknown, or lacks what it needs.
    """

    strategy: SamplingStrategy = word(
        "concatenated",
        description="`concatenated` takes every row once, in random order. The others give each source its share of "
        "the draws, mixed within batches: `proportional` to its size, `temperature` to its size to the power of 1 / "
        "temperature, `round_robin` the same to all, `annealed` from proportional in the first epoch to nearly equal "
        "in the last (Stickland and Murray 2019). `balanced` draws each class of `task` equally often.",
    )
    temperature: float = word(
        2.0, description="Above 1, small sources are drawn more often than their size says.", gt=0
    )
    task: str | None = word(None, description="The task whose classes are balanced.", example="topic")

    def __post_init__(self) -> None:
        allowed = get_args(SamplingStrategy)
        if self.strategy not in allowed:
            hint = nearest_hint(self.strategy, allowed)
            raise ValueError(f"strategy is {self.strategy!r}; it must be one of {', '.join(allowed)}{hint}")
        check_bounds(self)
        if (self.task is None) == (self.strategy == "balanced"):
            need = "needs the task whose classes are balanced" if self.task is None else "has no task; 'balanced' has"
            raise ValueError(f"strategy {self.strategy!r} {need}")

    @property
    def by_source(self) -> bool:
        """Whether it asks which source a row comes from."""
        return self.strategy not in ("concatenated", "balanced")
