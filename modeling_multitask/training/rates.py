"""Learning rates by depth, by band, or by the name of a parameter."""

import re
from dataclasses import dataclass

from ..words_multitask import check_bounds, word


@dataclass(frozen=True)
class LearningRates:
    """The learning rate of every parameter, said in one of three ways.

    By depth: `heads` and `backbone`, with a `layer_decay` from the topmost layer down. In bands: `heads`, `upper` and
    `lower`, with the `boundary` between the two. By name: `patterns`, the first that is found in a parameter's
    name being the one that counts; beside one of the other two ways, they are exceptions to it.

    Raises:
        ValueError: If the fields make no whole, or a rate cannot be.
    """

    heads: float | None = word(
        None, description="The rate of every head; not needed where no head trains.", example=1e-3, ge=0
    )
    backbone: float | None = word(
        None,
        description="The rate of the encoder's topmost layer; not needed where only heads train.",
        example=5e-5,
        ge=0,
    )
    layer_decay: float = word(
        1.0, description="The factor of the rate at each layer further down; 1 is one rate for all.", gt=0, le=1
    )
    upper: float | None = word(
        None,
        description="The rate of the encoder's layers from number `boundary` on, counted from 0.",
        example=5e-5,
        ge=0,
    )
    lower: float | None = word(
        None, description="The rate of the layers below, and of the embeddings.", example=1e-5, ge=0
    )
    boundary: int | None = word(None, description="The number of the first of the upper layers.", example=6)
    patterns: dict[str, float] | None = word(
        None,
        description="Rates by regular expression, searched in names such as "
        "`backbone.encoder.layer.3.output.dense.weight` and `heads.sentiment.0.bias`. The first match counts.",
        example={"LayerNorm": 1e-4},
        ge=0,
    )

    def __post_init__(self) -> None:
        self._check_ways()
        check_bounds(self)
        for pattern in self.patterns or {}:
            _check_pattern(pattern)

    def rate(self, name: str, depth: int, top: int) -> float | None:
        """The rate of one parameter; `None` if nothing is said of it.

        Args:
            name: Its plain name, without what wrappers such as peft's add.
            depth: 0 for what precedes the encoder's layers, k + 1 for layer k, `top` + 1 for a head.
            top: Depth of the topmost layer.
        """
        for pattern, rate in (self.patterns or {}).items():
            if re.search(pattern, name):
                return rate
        if depth > top:
            return self.heads
        if self.boundary is not None:
            return self.upper if depth > self.boundary else self.lower
        return None if self.backbone is None else self.backbone * self.layer_decay ** (top - depth)

    def problem(self, depths: dict[str, int], top: int, trained: set[str]) -> str | None:
        """Why these rates do not fit a model; `None` if they do.

        Args:
            depths: Depth of each of its parameters by plain name.
            top: Depth of the topmost layer.
            trained: The plain names of those that train.
        """
        if self.boundary is not None and not 0 <= self.boundary < top:
            return f"boundary is {self.boundary}; this encoder has the layers 0 to {top - 1}"
        for pattern in self.patterns or {}:
            if not any(re.search(pattern, name) for name in depths):
                example = [*depths][len(depths) // 2]
                return f"the pattern {pattern!r} is found in no parameter's name; these are like {example!r}"
        lacking = [name for name in depths if name in trained and self.rate(name, depths[name], top) is None]
        return f"{len(lacking)} parameters that train have none, such as {lacking[0]!r}" if lacking else None

    def _check_ways(self) -> None:
        bands = (self.upper, self.lower, self.boundary)
        if not self.patterns and all(each is None for each in (self.heads, self.backbone, *bands)):
            raise ValueError("learning_rates need the rate of the heads, of the backbone, or patterns")
        if bands != (None, None, None) and (self.backbone is not None or None in bands):
            raise ValueError(
                "learning_rates in bands need upper, lower and boundary, all three, and no backbone; given: "
                f"upper {self.upper}, lower {self.lower}, boundary {self.boundary}, backbone {self.backbone}"
            )
        if self.layer_decay != 1 and self.backbone is None:
            raise ValueError(f"layer_decay is {self.layer_decay}, but there is no rate of the backbone to lower")


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"learning_rates: {pattern!r} is not a regular expression ({error})") from None
