"""The arguments of a training run: transformers' own, and what trains at which rate."""

from dataclasses import asdict, dataclass, field, fields
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

    Where the best checkpoint is wanted and no metric is named, it is `score`, which exists at every evaluation.

    Args:
        learning_rates: A [`LearningRates`] or a dict of its fields; left out, `learning_rate` is everyone's.
        freeze: What keeps its weights: `none`, `backbone`, or `everything`.
    """

    learning_rates: Any = field(default=None, metadata={"help": "Rates of heads and backbone, and their layer_decay."})
    freeze: str = field(default="none", metadata={"help": "none, backbone or everything."})
    metric_for_best_model: str | None = field(default=None, metadata={"help": "By default `score`."})
    ddp_find_unused_parameters: bool | None = field(default=None, metadata={"help": "True if the backbone is frozen."})

    def __post_init__(self) -> None:
        if self.freeze not in get_args(Freeze):
            raise ValueError(f"freeze is {self.freeze!r}; it must be one of {', '.join(get_args(Freeze))}")
        if self.freeze == "backbone":
            if self.ddp_find_unused_parameters is False:
                raise ValueError("freeze is 'backbone', so ddp_find_unused_parameters cannot be false")
            self.ddp_find_unused_parameters = True  # DDP counts on what is frozen after it was set up
        if isinstance(self.learning_rates, LearningRates):
            self.learning_rates = asdict(self.learning_rates)  # plain JSON, as trackers want it
        if self.metric_for_best_model is None and (self.load_best_model_at_end or self.save_strategy == "best"):
            self.metric_for_best_model = "score"
        super().__post_init__()
        self.rates()

    def rates(self) -> LearningRates:
        """`learning_rates`, checked; `learning_rate` for all where they are left out.

        Raises:
            ValueError: If a rate is unknown, missing or cannot be.
        """
        if self.learning_rates is None:
            return LearningRates(heads=self.learning_rate, backbone=self.learning_rate)
        try:
            return LearningRates(**self.learning_rates)
        except TypeError:
            names = ", ".join(each.name for each in fields(LearningRates))
            raise ValueError(f"learning_rates are {self.learning_rates!r}; they have the fields {names}") from None
