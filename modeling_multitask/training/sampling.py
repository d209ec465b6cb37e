"""The sampling of training rows by source or class."""

from dataclasses import dataclass
from typing import Literal, get_args

from ..words_multitask import check_bounds, nearest_hint, word

SamplingStrategy = Literal["concatenated", "proportional", "temperature", "round_robin", "annealed", "balanced"]


@dataclass(frozen=True)
class Sampling:
    """The sampling of training rows by source or class.

    Raises:
        ValueError: If the strategy is unknown, or `task` does not fit it.
    """

    strategy: SamplingStrategy = word(
        "concatenated",
        description="`concatenated` draws every row once, in random order. The other strategies give each source a "
        "share of the draws, and mix sources within batches. `proportional`: in proportion to its size. `temperature`: "
        "in proportion to its size to the power of 1 / temperature. `round_robin`: equal shares. `annealed`: from "
        "proportional in the first epoch to nearly equal in the last (Stickland and Murray 2019). `balanced` draws "
        "each class of `task` equally often.",
    )
    temperature: float = word(
        2.0, description="Above 1, small sources are drawn more often than in proportion to their size.", gt=0
    )
    task: str | None = word(None, description="The task whose classes are balanced.", example="topic")

    def __post_init__(self) -> None:
        allowed = get_args(SamplingStrategy)
        if self.strategy not in allowed:
            hint = nearest_hint(self.strategy, allowed)
            raise ValueError(f"strategy is {self.strategy!r}; it must be one of {', '.join(allowed)}{hint}")
        check_bounds(self)
        if (self.task is None) == (self.strategy == "balanced"):
            need = "needs task, to balance its classes" if self.task is None else "takes no task; only 'balanced' does"
            raise ValueError(f"strategy {self.strategy!r} {need}")

    @property
    def by_source(self) -> bool:
        """Whether the strategy needs the source of each row."""
        return self.strategy not in ("concatenated", "balanced")
