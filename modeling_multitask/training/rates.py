"""Learning rates by depth, by band, or by the name of a parameter."""

import re
from dataclasses import dataclass

from ..words_multitask import check_bounds, word

CUT_POINTS = ".cuts"  # the end of the name of this parameter


@dataclass(frozen=True)
class LearningRates:
    """The learning rate of every parameter, by depth, in bands, or by name.

    By depth: `heads` and `backbone`, with a `layer_decay` from the top layer down. In bands: `heads`, `upper` and
    `lower`, with a `boundary` between the two. By name: `patterns`, where the first pattern that matches the name of a
    parameter counts. With one of the other two ways, `patterns` override its rates.

    Raises:
        ValueError: If the fields do not fit together, or a rate is out of range.

    Example:
        >>> from modeling_multitask import LearningRates

        >>> rates = LearningRates(heads=1e-3, backbone=5e-5, layer_decay=0.9, patterns={"LayerNorm": 1e-4})
        >>> rates.rate("heads.topic.0.weight", depth=7, top=6)
        0.001
    """

    heads: float | None = word(
        None, description="The rate of every head; not needed if no head trains.", example=1e-3, ge=0
    )
    backbone: float | None = word(
        None,
        description="The rate of the encoder's top layer; not needed if only heads train.",
        example=5e-5,
        ge=0,
    )
    layer_decay: float = word(
        1.0,
        description="The factor of the rate from each layer to the one below; 1 gives all layers the same rate.",
        gt=0,
        le=1,
    )
    upper: float | None = word(
        None,
        description="The rate of the encoder's layers from layer `boundary` up, counted from 0.",
        example=5e-5,
        ge=0,
    )
    lower: float | None = word(
        None, description="The rate of the layers below `boundary`, and of the embeddings.", example=1e-5, ge=0
    )
    boundary: int | None = word(None, description="The number of the first upper layer.", example=6)
    cut_points: float | None = word(
        None,
        description="The rate of the cut points of ordinal regressions. The default is ten times the rate of the "
        "heads, because the cut points are few numbers of the size of a logit.",
        example=1e-2,
        ge=0,
    )
    patterns: dict[str, float] | None = word(
        None,
        description="Rates by regular expression, searched in the names of parameters, such as "
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
        """Return the rate of one parameter; `None` if no field sets it.

        Args:
            name: The plain name, without the additions of wrappers such as peft.
            depth: The depth: 0 before the encoder's layers, k + 1 for layer k, `top` + 1 for a head.
            top: The depth of the top layer.
        """
        for pattern, rate in (self.patterns or {}).items():
            if re.search(pattern, name):
                return rate
        if depth > top and name.endswith(CUT_POINTS):
            return self._cut_points()
        if depth > top:
            return self.heads
        if self.boundary is not None:
            return self.upper if depth > self.boundary else self.lower
        return None if self.backbone is None else self.backbone * self.layer_decay ** (top - depth)

    def _cut_points(self) -> float | None:
        if self.cut_points is not None:
            return self.cut_points
        return None if self.heads is None else 10 * self.heads

    def problem(self, depths: dict[str, int], top: int, trained: set[str]) -> str | None:
        """Return why these rates do not fit a model; `None` if they do.

        Args:
            depths: The depth of each parameter, by plain name.
            top: The depth of the top layer.
            trained: The plain names of the trainable parameters.
        """
        if self.boundary is not None and not 0 <= self.boundary < top:
            return f"boundary is {self.boundary}; this encoder has the layers 0 to {top - 1}"
        for pattern in self.patterns or {}:
            if not any(re.search(pattern, name) for name in depths):
                example = [*depths][len(depths) // 2]
                return f"the pattern {pattern!r} matches no parameter; parameters have names such as {example!r}"
        lacking = [name for name in depths if name in trained and self.rate(name, depths[name], top) is None]
        return f"{len(lacking)} trainable parameters have no rate, such as {lacking[0]!r}" if lacking else None

    def _check_ways(self) -> None:
        bands = (self.upper, self.lower, self.boundary)
        if not self.patterns and all(each is None for each in (self.heads, self.backbone, *bands)):
            raise ValueError("learning_rates sets no rate; set heads, backbone or patterns")
        if bands != (None, None, None) and (self.backbone is not None or None in bands):
            raise ValueError(
                "learning_rates in bands needs all of upper, lower and boundary, and no backbone; given: "
                f"upper {self.upper}, lower {self.lower}, boundary {self.boundary}, backbone {self.backbone}"
            )
        if self.layer_decay != 1 and self.backbone is None:
            raise ValueError(
                f"layer_decay is {self.layer_decay}, but backbone is missing; set backbone, or leave layer_decay out"
            )


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"learning_rates: {pattern!r} is not a regular expression ({error})") from None
