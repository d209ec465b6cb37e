"""The choices about training that a recipe and `MultiTaskTrainingArguments` share."""

from dataclasses import dataclass
from typing import Literal

from ..words_multitask import word
from .averaging import Averaging
from .balancing_methods import Balancing
from .defaults import RATES_IN_WORDS
from .keep_embedding import KeepEmbedding
from .phases import Phase
from .prefix.caching import PrefixCaching
from .rates import LearningRates
from .sampling import Sampling


@dataclass(frozen=True)
class TrainingChoices:
    """The trained parts, their rates, the batches, and the combination of the tasks."""

    sampling: Sampling = word(Sampling(), description="How often rows are drawn, by source or by label.")
    balancing: Balancing = word(
        "sum",
        description="How to combine the tasks: their losses (`sum`, `uncertainty`, `dwa`), or their gradients on the "
        "encoder (the other methods, which need the extra `balancing`, or `balancing-gpl` for `upgrad` and "
        "`nash_mtl`).",
    )
    conflict: Literal["log"] | None = word(
        None,
        description="`log` records how far the gradients of the tasks agree, and draws a picture of it.",
        example="log",
    )
    freeze: list[str] = word(
        default_factory=lambda: ["none"],
        description="The frozen parts: `none`, `everything`, `backbone`, `embeddings`, `layers.A-B`, `heads.TASK`, ...",
        example=["embeddings", "layers.0-3"],
        one_or_list=True,
    )
    learning_rates: LearningRates | None = word(
        None,
        description="Learning rates by depth, in bands of layers, or by the name of a parameter. The default is "
        f"`{RATES_IN_WORDS}`.",
        example={"heads": 1e-3, "backbone": 5e-5, "layer_decay": 0.9},
    )
    phases: list[Phase] | None = word(
        None,
        description="Consecutive phases of training, each with its own trained parts and learning rates. They replace "
        "`freeze`.",
        example=[{"train": "heads", "until": "epoch 1"}, {"train": "everything"}],
    )
    average: Averaging | None = word(
        None,
        description="The average of weights that is evaluated and saved instead of the weights of one step: "
        "`{last: 5}` or `{ema: 0.999}`.",
        example={"last": 5},
    )
    keep_embedding: KeepEmbedding | None = word(
        None,
        description="Keep the sentence embedding near that of the encoder before training, so that it stays good for "
        "search and similarity. The mean of 1 - cosine over the rows of a step is added to the loss.",
        example={"weight": 1.0},
    )
    tokens_per_batch: int | None = word(
        None,
        description="The maximum number of tokens of a batch, including padding. It replaces a fixed number of rows.",
        example=2048,
        ge=1,
    )
    prefix_cache: bool | PrefixCaching = word(
        True, description="Whether and where to cache the output of frozen layers on disk."
    )
    early_stopping_patience: int | None = word(
        None,
        description="Stop training after this number of evaluations without a better metric.",
        example=3,
        ge=1,
    )
    conflict_steps: int | None = word(
        None,
        description="The number of steps between two measurements of gradient agreement between tasks.",
        example=100,
        ge=1,
    )
