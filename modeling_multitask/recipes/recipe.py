"""A recipe: one YAML file that describes a whole run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets_builder.source import Cell, Source
from datasets_builder.words import Contradictions, HideLabels, Leaks, Split

from ..hub.card_settings import CardSettings
from ..tasks_multitask import HeadConfig, TaskWords
from ..training.balancing_methods import Balancing
from ..training.phases import Phase
from ..training.prefix.caching import PrefixCaching
from ..training.rates import LearningRates
from ..training.sampling import Sampling
from ..words_multitask import LARGEST_SEED, LongTexts, Pooling, Refusal, check_bounds, word
from .training_words import TrainingWords

CalibrationMethod = Literal["temperature", "thresholds"]


@dataclass(frozen=True)
class Abstain:
    """How often answers must be right, or how many rows must have one; answers that score too low are withheld."""

    by: Refusal = word(
        "score",
        description="The `score` of the answer, or the `energy` of the logits, which tells better what is unlike the "
        "training rows.",
    )
    precision: float | None = word(
        None,
        description="The share of the given answers that is right on the validation rows.",
        example=0.95,
        gt=0,
        le=1,
    )
    coverage: float | None = word(
        None, description="The share of the validation rows that gets an answer.", example=0.9, gt=0, le=1
    )

    def __post_init__(self) -> None:
        check_bounds(self)
        if (self.precision is None) == (self.coverage is None):
            raise ValueError("give either a precision or a coverage")


@dataclass
class TaskRecipe(TaskWords):
    """One task of a recipe.

    Args:
        written: The words that the recipe has: `given: null` drops the condition that a model of `start_from` has.
    """

    aliases: dict[Cell, str] = word(
        default_factory=dict,
        description="Labels by how they are written, in all sources.",
        example={"pos": "positive", 1: "positive"},
    )
    missing: list[Cell] = word(
        default_factory=list,
        description="What marks a missing label, in all sources, besides null, NaN and an empty cell.",
        example=["n/a", -1],
    )
    abstain: Abstain | None = word(
        None, description="When the task gives no answer; by default it always does.", example={"precision": 0.95}
    )
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """Where the rows come from and how they are split."""

    train: list[Source] = word(
        description="The sources of the training rows: one or a list; a path alone is a source.",
        example="reviews.csv",
        one_or_list=True,
        shorthand="path",
    )
    validation: list[Source] = word(
        default_factory=list,
        description="The sources of the validation rows, which choose the best checkpoint and calibrate the scores.",
        example="validation.csv",
        one_or_list=True,
        shorthand="path",
    )
    test: list[Source] = word(
        default_factory=list,
        description="The sources of the test rows.",
        example="test.csv",
        one_or_list=True,
        shorthand="path",
    )
    split: Split = word(
        Split(), description="Shares of the training rows to hold out.", example={"validation": 0.1, "test": 0.2}
    )
    hide_labels: HideLabels | None = word(
        None, description="Labels of the training rows to make missing.", example={"fraction": 0.33}
    )
    contradictions: Contradictions = word(
        "error", description="What becomes of a text with different labels in several sources."
    )
    leaks: Leaks = word("report", description="What becomes of training rows whose text is also in another split.")
    streaming: bool = word(
        False,
        description="Whether training rows are read while training and never as a whole, for data larger than memory.",
    )
    card: CardSettings = word(CardSettings(), description="What the card of the pushed data set says.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run. Paths are relative to the recipe's file; those of data are absolute once it is loaded.

    Args:
        path: The file it was read from, for messages.
        overrides: What was given besides the file, `key=value` each.
    """

    backbone: str | None = word(
        None,
        description="The encoder: a Hub id, a folder, or `package:NAME/FOLDER` for a folder in an installed package.",
        example="sentence-transformers/all-MiniLM-L6-v2",
    )
    start_from: str | None = word(
        None,
        description="Instead of `backbone`: a trained model. Tasks that are new to it are added, others that are not "
        "listed are dropped.",
        example="runs/reviews/model",
    )
    rename_labels: dict[str, str] = word(
        default_factory=dict,
        description="New names of labels of the model in `start_from`.",
        example={"good": "positive"},
    )
    pooling: Pooling | None = word(
        None,
        description="How the token states become one embedding; by default as the backbone's own files say, else mean.",
        example="cls",
    )
    normalize: bool | None = word(
        None,
        description="Whether embeddings have length 1; by default as the backbone's own files say, else false.",
        example=True,
    )
    max_length: int | None = word(
        None,
        description="The number of tokens beyond which a text is long; by default as the backbone's own files say, "
        "else 512 or the encoder's limit.",
        example=128,
        ge=2,
    )
    long_texts: LongTexts | None = word(
        None,
        description="What becomes of long texts: they are cut, or read in windows. By default `truncate`.",
        example="windows",
    )
    head: HeadConfig | None = word(
        None, description="The head of every task that has none of its own.", example={"hidden_sizes": [256, 64]}
    )
    tasks: list[TaskRecipe] = word(
        description="The tasks, in order.", example=[{"name": "topic", "problem_type": "single_label_classification"}]
    )
    data: DataRecipe = word(description="Where the rows come from.", example={"train": "reviews.csv"})
    sampling: Sampling = word(Sampling(), description="How often rows of which source, or with which label, are drawn.")
    balancing: Balancing = word(
        "sum",
        description="How the tasks become one loss (`sum`, `uncertainty`, `dwa`) or one gradient on the encoder (the "
        "others, which need the extra `balancing`).",
    )
    conflict: Literal["log"] | None = word(
        None, description="`log` records how far the gradients of the tasks agree, and draws it.", example="log"
    )
    calibrate: list[CalibrationMethod] = word(
        default_factory=lambda: ["temperature"],
        description="What is fitted on the validation rows after training.",
        example=["temperature", "thresholds"],
        one_or_list=True,
    )
    report: bool = word(True, description="Whether a report is written beside the model.")
    freeze: list[str] = word(
        default_factory=lambda: ["none"],
        description="The parts that do not train: `none`, `everything`, `backbone`, `embeddings`, `layers.A-B`, "
        "`heads.TASK`, ...",
        example=["embeddings", "layers.0-3"],
        one_or_list=True,
    )
    learning_rates: LearningRates | None = word(
        None,
        description="Rates by depth, in bands, or by the name of a parameter.",
        example={"heads": 1e-3, "backbone": 5e-5, "layer_decay": 0.9},
    )
    phases: list[Phase] | None = word(
        None,
        description="Stretches of training one after another, with parts and rates of their own; instead of `freeze`.",
        example=[{"train": "heads", "until": "epoch 1"}, {"train": "everything"}],
    )
    lora: dict[str, Any] | None = word(
        None,
        description="Low-rank adapters: any field of peft's `LoraConfig`, and `keep_adapter: true` to keep the adapter "
        "beside the merged model.",
        example={"r": 8, "lora_alpha": 16},
    )
    tokens_per_batch: int | None = word(
        None,
        description="The tokens of a batch at most, padding included, in place of a fixed number of rows.",
        example=2048,
        ge=1,
    )
    prefix_cache: bool | PrefixCaching = word(
        True, description="Whether, and where, the output of frozen layers is cached on disk."
    )
    training: TrainingWords = word(
        default_factory=TrainingWords,
        description="Any field of transformers' `TrainingArguments` that no other word is for.",
        example={"num_train_epochs": 3, "per_device_train_batch_size": 32},
    )
    seed: int = word(0, description="The seed of everything that is drawn.", ge=0, le=LARGEST_SEED)
    resume: bool = word(False, description="Whether to go on with the run in `output_dir` from its last checkpoint.")
    output_dir: str = word(
        None,
        description="The folder of the run, relative to the current folder; by default `runs/NAME` of the recipe.",
        example="runs/reviews",
    )
    examples: list[str] = word(
        default_factory=list,
        description="Texts that are answered after training, and shown in the card.",
        example=["Great soup."],
    )
    card: CardSettings = word(CardSettings(), description="What the card of the pushed model says.")
    path: Path = field(default=Path("recipe"), compare=False)
    overrides: tuple[str, ...] = field(default=(), compare=False)
