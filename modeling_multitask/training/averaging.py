"""The average of weights that replaces the weights of a single step."""

from dataclasses import dataclass

from ..words_multitask import check_bounds, word


@dataclass(frozen=True)
class Averaging:
    """The average of weights that a run evaluates and saves: `last` or `ema`.

    Raises:
        ValueError: If both words are given or none, or a number is out of range.
    """

    last: int | None = word(
        None,
        description="The mean of the weights at this number of evaluations or checkpoints, up to the current one.",
        example=5,
        ge=2,
    )
    ema: float | None = word(
        None,
        description="An exponential moving average over the optimizer steps. At each step, the average moves to the "
        "weights by 1 - `ema`, and in the first steps by more.",
        gt=0,
        lt=1,
    )

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.last is None and self.ema is None:
            raise ValueError("last or ema is required, such as {last: 5} or {ema: 0.999}")
        if self.last is not None and self.ema is not None:
            raise ValueError(f"last is {self.last} and ema is {self.ema:g}; leave one of them out")

    @property
    def given(self) -> dict[str, int | float]:
        """The word that is given, with its value."""
        return {"last": self.last} if self.last is not None else {"ema": self.ema or 0.0}

    @property
    def copies(self) -> int:
        """The number of copies of the trained weights that are kept for the average."""
        return self.last or 1
