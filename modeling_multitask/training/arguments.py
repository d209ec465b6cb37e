"""The arguments of a training run: transformers' own, and what trains at which rate."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from transformers import TrainingArguments

Freeze = Literal["none", "everything", "backbone"]


@dataclass(frozen=True)
class LearningRates:
    """Learning rates of the heads and of the encoder's layers.

    Args:
        heads: Rate of every head.
        backbone: Rate of the encoder's topmost layer.
        layer_decay: What the rate is multiplied by at each layer further down; 1.0 is one rate for all.
    """

    heads: float
    backbone: float
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        if self.heads < 0 or self.backbone < 0:
            given = f"heads {self.heads}, backbone {self.backbone}"
            raise ValueError(f"learning rates must not be negative; given: {given}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay is {self.layer_decay}; it must be above 0 and at most 1")


@dataclass
class MultiTaskTrainingArguments(TrainingArguments):
    """`TrainingArguments` with learning rates by depth and frozen parts.

    Args:
        learning_rates: The fields of a [`LearningRates`]; left out, `learning_rate` is everyone's.
        freeze: What keeps its weights: `none`, `backbone`, or `everything`.
    """

    learning_rates: Any = field(
        default=None, metadata={"help": "Rates of heads and backbone, and their layer_decay, as JSON."}
    )
    freeze: str = field(default="none", metadata={"help": "none, backbone or everything."})
    metric_for_best_model: str | None = field(
        default="score", metadata={"help": "By default the mean of the tasks' main metrics, which always exists."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freeze not in get_args(Freeze):
            raise ValueError(f"freeze is {self.freeze!r}; it must be one of {', '.join(get_args(Freeze))}")
        if self.learning_rates is None:
            self.learning_rates = {"heads": self.learning_rate, "backbone": self.learning_rate}
        LearningRates(**self.learning_rates)

    @property
    def rates(self) -> LearningRates:
        """`learning_rates`, checked; the field itself stays a dict, for trackers want plain JSON."""
        return LearningRates(**self.learning_rates)
