"""A recipe: one YAML file that describes a whole run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from datasets_builder.source import Cell, Source
from datasets_builder.words import Blank, Contradictions, HideLabels, Leaks, Split

from ..hub.card_settings import CardSettings
from ..tasks_multitask import HeadConfig, TaskWords
from ..training.averaging import Averaging
from ..training.balancing_methods import Balancing
from ..training.choices import TrainingChoices
from ..training.defaults import DEFAULTS_IN_WORDS
from ..training.keep_embedding import KeepEmbedding
from ..training.phases import Phase
from ..training.prefix.caching import PrefixCaching
from ..training.rates import LearningRates
from ..training.sampling import Sampling
from ..words_multitask import LARGEST_SEED, LongTexts, Pooling, Refusal, check_bounds, word, word_of
from .teacher import Teacher
from .training_words import TrainingWords

# The most training rows that have the baseline of a linear probe by default.
MOST_ROWS, MOST_ROWS_OF_A_FROZEN_ENCODER = 5_000, 20_000
MOST_LABELS = 1_000  # a regression for each of them takes a minute

CalibrationMethod = Literal["temperature", "thresholds"]


@dataclass(frozen=True)
class Abstain:
    """The required precision or coverage of the answers of a task. Answers with a low score are withheld."""

    by: Refusal = word(
        "score",
        description="The value to compare with the threshold: the `score` of the answer, or the `energy` of the "
        "logits, which detects out-of-distribution rows better.",
    )
    precision: float | None = word(
        None,
        description="The share of given answers that must be correct on the validation rows.",
        example=0.95,
        gt=0,
        le=1,
    )
    coverage: float | None = word(
        None, description="The share of the validation rows that must get an answer.", example=0.9, gt=0, le=1
    )

    def __post_init__(self) -> None:
        check_bounds(self)
        if (self.precision is None) == (self.coverage is None):
            raise ValueError("give either a precision or a coverage")


@dataclass
class TaskRecipe(TaskWords):
    """One task of a recipe.

    Args:
        names: Always `None` in a loaded recipe, whose `labels` and `aliases` are then those of the file.
        written: The words that the recipe sets. An explicit `given: null` drops the condition of a model in
            `start_from`.
    """

    names: str | None = word(
        None,
        description="A file with the names of the labels, one a line, if the tables hold ids. The first line is the id "
        "0. Relative to the recipe.",
        example="labels.txt",
    )
    aliases: dict[Cell, str] = word(
        default_factory=dict,
        description="Other spellings of labels in all sources, each with its label.",
        example={"pos": "positive", 1: "positive"},
        labels=True,
    )
    missing: list[Cell] = word(
        default_factory=list,
        description="Values that mark a missing label in all sources, in addition to null, NaN and an empty cell.",
        example=["n/a", -1],
    )
    none: list[Cell] = word(
        default_factory=list,
        description="Values that mark the empty set of a multi-label task in all sources.",
        example=["none", "n/a"],
    )
    blank: Blank = word(
        "missing",
        description="Whether null, NaN and an empty cell are a `missing` label, or `none`, the empty set of a "
        "multi-label task. An empty cell of a column for one label is then 0.",
    )
    abstain: Abstain | None = word(
        None,
        description="The condition for giving no answer. By default the task always answers.",
        example={"precision": 0.95},
    )
    teacher: Teacher | None = word(
        None,
        description="A model whose answers the task learns on all training rows, also on those without a label.",
        example="runs/old/model",
        shorthand="model",
    )
    label_texts: str | dict[str, str] | None = word(
        None,
        description="A text for each label, which is added to the training rows: a template in which `{label}` is "
        "the label, or a text by label. By default, tasks with few rows of each label have the template `{label}`.",
        example="This is a {label} review.",
        labels=True,
    )
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """The sources of the rows, and their splits."""

    train: list[Source] = word(
        description="The sources of the training rows: one source or a list. A path alone is a source too.",
        example="reviews.csv",
        one_or_list=True,
        shorthand="path",
    )
    validation: list[Source] = word(
        default_factory=list,
        description="The sources of the validation rows. They select the best checkpoint and calibrate the scores.",
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
        Split(),
        description="The shares of the training rows to hold out for validation and test.",
        example={"validation": 0.1, "test": 0.2},
    )
    hide_labels: HideLabels | None = word(
        None,
        description="Treat a share of the training labels as missing, to measure the effect of missing labels.",
        example={"fraction": 0.33},
    )
    missing_text: list[Cell] = word(
        default_factory=list,
        description="Texts that mark a missing text in all sources. Their rows are left out, as those with an empty "
        "text.",
        example=["Not Available"],
        one_or_list=True,
    )
    contradictions: Contradictions = word(
        "error",
        description="How to resolve a text with different labels: keep the `first` label or that of the `majority`, or "
        "`drop` the label. The rows of each text then become one row. By default, a text with different labels in "
        "several sources is an `error`, and repeated rows of one source are kept.",
    )
    leaks: Leaks = word("report", description="How to handle training rows whose text is also in another split.")
    streaming: bool = word(
        False,
        description="Whether training rows are read during training instead of before it, for data larger than memory.",
    )
    card: CardSettings = word(CardSettings(), description="Texts for the card of the pushed data set.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run. Paths in the file are relative to the file. `load_recipe` makes the paths of data absolute.

    Args:
        path: The file of the recipe, for messages.
        overrides: The `key=value` overrides.
    """

    backbone: str | None = word(
        None,
        description="The encoder: a Hub id, a folder, or `package:NAME/FOLDER` for a folder in an installed package.",
        example="sentence-transformers/all-MiniLM-L6-v2",
    )
    start_from: str | None = word(
        None,
        description="A trained model, instead of `backbone`. New tasks are added to the model. Tasks that the recipe "
        "does not list are dropped. A task may list other labels: labels that it was trained with keep their weights.",
        example="runs/reviews/model",
    )
    rename_labels: dict[str, str] = word(
        default_factory=dict,
        description="New names for labels of the model in `start_from`.",
        example={"good": "positive"},
        labels=True,
    )
    pooling: Pooling | None = word(
        None,
        description="The pooling of token states into one embedding. The default is the backbone's own setting, or "
        "else mean.",
        example="cls",
    )
    normalize: bool | None = word(
        None,
        description="Whether embeddings are normalised to length 1. The default is the backbone's own setting, or "
        "else false.",
        example=True,
    )
    max_length: int | None = word(
        None,
        description="The maximum number of tokens of a text; for longer ones see `long_texts`. The default is the "
        "backbone's own setting, or else 512 or the limit of the encoder.",
        example=128,
        ge=2,
    )
    long_texts: LongTexts | None = word(
        None,
        description="How to handle texts with more than `max_length` tokens: `truncate` (the default), or read them in "
        "`windows`.",
        example="windows",
    )
    prompt_name: str | None = word(
        None,
        description="The name of one of the backbone's own prompts, which is put before each text. The default is the "
        "backbone's default prompt, which most backbones do not have.",
        example="query",
    )
    prompt: str | None = word(
        None,
        description="The text that is put before each text, instead of `prompt_name`. An empty text is no prompt.",
        example="query: ",
    )
    pad_token: str | None = word(
        None,
        description="The padding token of a tokenizer that has none. The default is its end-of-text token.",
        example="<pad>",
    )
    resize_token_embeddings: bool = word(
        False,
        description="Whether the encoder gets new embeddings for tokens that were added to its tokenizer.",
        example=True,
    )
    head: HeadConfig | None = word(
        None, description="The head of every task without its own head.", example={"hidden_sizes": [256, 64]}
    )
    tasks: list[TaskRecipe] = word(
        description="The tasks, in order.", example=[{"name": "topic", "problem_type": "single_label_classification"}]
    )
    data: DataRecipe = word(description="The data of the run: sources and splits.", example={"train": "reviews.csv"})
    sampling: Sampling = word_of(TrainingChoices, "sampling")
    balancing: Balancing = word_of(TrainingChoices, "balancing")
    conflict: Literal["log"] | None = word_of(TrainingChoices, "conflict")
    calibrate: list[CalibrationMethod] = word(
        default_factory=lambda: ["temperature"],
        description="The calibration to fit on the validation rows after training, if there are enough of them. "
        "`thresholds` includes `temperature`.",
        example=["temperature", "thresholds"],
        one_or_list=True,
    )
    baseline: Literal["constant", "linear_probe"] | None = word(
        None,
        description="The baseline of every metric: a `constant` (the most frequent label, or the mean of a number), "
        "and also a `linear_probe`: logistic or ridge regression on the embeddings of the untrained encoder. The "
        f"default is a linear probe for up to {MOST_ROWS:,} training rows, or {MOST_ROWS_OF_A_FROZEN_ENCODER:,} if the "
        f"encoder is frozen, and for tasks of up to {MOST_LABELS:,} labels.",
        example="constant",
    )
    report: bool = word(True, description="Whether to write a report next to the model.")
    similarity: str | None = word(
        None,
        description="A table of pairs of texts (`text`, `text_pair`, and maybe `score`, their similarity) on which the "
        "effect of training on the embedding is measured. By default, it is measured on up to 1,000 training texts.",
        example="pairs.csv",
    )
    probe: bool = word(
        True,
        description="Whether one small training step, saving, and loading in another process are tried before "
        "training.",
        example=False,
    )
    freeze: list[str] = word_of(TrainingChoices, "freeze")
    learning_rates: LearningRates | None = word_of(TrainingChoices, "learning_rates")
    phases: list[Phase] | None = word_of(TrainingChoices, "phases")
    lora: dict[str, Any] | None = word(
        None,
        description="Low-rank adapters: any field of peft's `LoraConfig`. With `keep_adapter: true` the adapter is "
        "saved in addition to the merged model.",
        example={"r": 8, "lora_alpha": 16},
    )
    average: Averaging | None = word_of(TrainingChoices, "average")
    keep_embedding: KeepEmbedding | None = word_of(TrainingChoices, "keep_embedding")
    tokens_per_batch: int | None = word_of(TrainingChoices, "tokens_per_batch")
    prefix_cache: bool | PrefixCaching = word_of(TrainingChoices, "prefix_cache")
    training: TrainingWords = word(
        default_factory=TrainingWords,
        description=f"Any field of transformers' `TrainingArguments` that no other word sets. {DEFAULTS_IN_WORDS}",
        example={"num_train_epochs": 3, "per_device_train_batch_size": 32},
    )
    seed: int = word(0, description="The seed of all random numbers.", ge=0, le=LARGEST_SEED)
    resume: bool = word(False, description="Whether to resume the run in `output_dir` from its last checkpoint.")
    output_dir: str = word(
        None,
        description="The folder of the run, relative to the current folder. The default is `runs/` and the name of the "
        "recipe.",
        example="runs/reviews",
    )
    examples: list[str] = word(
        default_factory=list,
        description="Example texts. They are answered after training and shown in the card.",
        example=["Great soup."],
    )
    card: CardSettings = word(CardSettings(), description="Texts for the card of the pushed model.")
    path: Path = field(default=Path("recipe"), compare=False)
    overrides: tuple[str, ...] = field(default=(), compare=False)
