"""A recipe: one YAML file that says a whole run, read completely and checked before anything starts."""

import copy
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from huggingface_hub.errors import StrictDataclassError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    create_model,
    model_validator,
)

from datasets_builder.source import Contradictions, Leaks, Source, is_on_hub

from ..errors import RecipeError
from ..problem_types_multitask import ProblemTypeName
from ..task_problems_multitask import task_name_problem
from ..training.balancing_methods import Balancing
from ..training.phases import parse_phase
from ..training.rates import parse_rates
from ..training.sampling import Sampling, SamplingStrategy
from ..words_multitask import Activation, LongTexts, Normalization, Pooling, Refusal
from .bundled import recipe_path
from .consistency import consistency_problems
from .problems import describe_all
from .training_words import training_words
from .yaml_file import read_yaml, set_value

# Settings of TrainingArguments for which a recipe has words of its own.
SAID_ELSEWHERE = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "learning_rate": "learning_rates",
    "label_smoothing_factor": "label_smoothing of each task",
    "resume_from_checkpoint": "resume",
}


# Settings of MultiTaskTrainingArguments that a recipe says among those of TrainingArguments.
OWN_SETTINGS = ("early_stopping_patience", "conflict_steps")


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _quoted(label: Any) -> Any:
    if isinstance(label, bool | int | float):
        word = str(label).lower() if isinstance(label, bool) else label
        raise ValueError(f"a label is text; write '{word}', in quotes")
    return label


def _as_list(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


def _as_sources(given: Any) -> Any:
    return [{"path": each} if isinstance(each, str) else each for each in _as_list(given)]


def _task_name(name: str) -> str:
    if (problem := task_name_problem(name)) is not None:
        raise ValueError(problem)
    return name


def _said_elsewhere(_value: Any, info: ValidationInfo) -> Any:
    raise ValueError(f"a recipe says this by its {SAID_ELSEWHERE[str(info.field_name)]}")


def _training_fields() -> Any:
    """The fields of `TrainingArguments`, and two of ours, by their type where it is plain; it checks the rest."""
    settings: dict[str, Any] = {name: (kind, None) for name, kind in training_words().items()}
    settings |= {name: (Annotated[Any, BeforeValidator(_said_elsewhere)], None) for name in SAID_ELSEWHERE}
    settings |= {name: (Annotated[int, Field(ge=1)] | None, None) for name in OWN_SETTINGS}
    return create_model("TrainingFields", __base__=_Words, **settings)


_TrainingFields: Any = _training_fields()


def _as_numbers(given: Any) -> Any:
    return [given] if isinstance(given, int | float) else given


def _buildable(build: Callable[[dict[str, Any]], Any]) -> AfterValidator:
    """Refuses what the library's own class would; its message says why."""

    def check(words: BaseModel) -> BaseModel:
        build(words.model_dump(exclude_unset=True))
        return words

    return AfterValidator(check)


Label = Annotated[str, BeforeValidator(_quoted)]
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0)]


CalibrationMethod = Literal["temperature", "thresholds"]
Cell = str | int | float | bool  # what may stand in a table
Aliases = dict[Cell, Label]


class HeadRecipe(_Words):
    """The layers between the embedding and a task's logits; see `HeadConfig`."""

    hidden_sizes: list[Annotated[int, Field(ge=1)]] = [256, 64]
    normalization: Normalization = "layer"
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class AbstainRecipe(_Words):
    """How often answers must be right, or how many rows must have one; what scores too low for that has no answer."""

    by: Refusal = "score"
    precision: Annotated[float, Field(gt=0, le=1)] | None = None
    coverage: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "AbstainRecipe":
        if (self.precision is None) == (self.coverage is None):
            raise ValueError("give either a precision or a coverage")
        return self


class GivenRecipe(_Words):
    """On which answer to another task a task depends; see `GivenConfig`. Without both, rows tell the parents."""

    task: str
    labels: Annotated[list[Label], Field(min_length=1)] | None = None
    parents: Annotated[dict[Label, Label], Field(min_length=1)] | None = None


class TaskRecipe(_Words):
    """One task; see `TaskConfig`. Labels that are left out are those that occur in the training rows, sorted."""

    name: Annotated[str, AfterValidator(_task_name)]
    problem_type: ProblemTypeName
    labels: list[Label] | None = None
    aliases: Aliases = {}
    missing: list[Cell] = []
    weight: Rate = 1.0
    loss: str | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["balanced"] | list[Rate] | dict[Label, Rate] | None = None
    pos_weight: Annotated[Literal["balanced"] | list[Rate], BeforeValidator(_as_numbers)] | None = None
    focal_gamma: Rate = 2.0
    huber_delta: Annotated[float, Field(gt=0)] = 1.0
    head: HeadRecipe | None = None
    given: GivenRecipe | None = None
    abstain: AbstainRecipe | None = None


class LabelColumnRecipe(_Words):
    """Where a source has a task's labels, and how they are written there; see `LabelColumn`."""

    column: str
    separator: Annotated[str, Field(min_length=1)] | None = None
    aliases: Aliases = {}
    missing: list[Cell] = []


class SourceRecipe(_Words):
    """One table, a folder of tables, or a data set on the Hub; see `Source`."""

    path: str
    text: str | Annotated[list[str], Field(min_length=2, max_length=2)] = "text"
    labels: dict[str, str | list[str] | LabelColumnRecipe] | None = None
    config: str | None = None
    split: str | None = None
    revision: str | None = None


class SplitRecipe(_Words):
    """Shares of the training rows that are held out, stratified; the seed is the recipe's if left out."""

    validation: Share | None = None
    test: Share | None = None
    seed: int | None = None
    group: str | None = None


class HideRecipe(_Words):
    """The share of each task's training labels that is made missing; the seed is the recipe's if left out."""

    fraction: Share
    seed: int | None = None


class PrefixCacheRecipe(_Words):
    """Where, and how much of, what leaves frozen layers is kept on disk; see `PrefixCaching`."""

    folder: str | None = None
    gigabytes: Annotated[float, Field(gt=0)] = 8.0


class CardRecipe(_Words):
    """What only its owner can say of a data set or a model that is pushed; see `CardSettings`."""

    title: str | None = None
    description: str | None = None
    license: str | None = None
    citation: str | None = None
    language: Annotated[list[str], BeforeValidator(_as_list)] = []


Sources = Annotated[list[SourceRecipe], BeforeValidator(_as_sources)]


class DataRecipe(_Words):
    """Where the rows come from and how they are split."""

    train: Sources
    validation: Sources = []
    test: Sources = []
    split: SplitRecipe = SplitRecipe()
    hide_labels: HideRecipe | None = None
    contradictions: Contradictions = "error"
    leaks: Leaks = "report"
    streaming: bool = False
    card: CardRecipe = CardRecipe()


class RatesRecipe(_Words):
    """Learning rates by depth, in bands or by pattern; see `LearningRates`."""

    heads: Rate | None = None
    backbone: Rate | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    upper: Rate | None = None
    lower: Rate | None = None
    boundary: int | None = None
    patterns: dict[str, Rate] | None = None


class SamplingRecipe(_Words):
    """How often rows of which source, or with which label, are drawn; see `Sampling`."""

    strategy: SamplingStrategy = "concatenated"
    temperature: Annotated[float, Field(gt=0)] = 2.0
    task: str | None = None


Parts = Annotated[list[str], BeforeValidator(_as_list)]
Rates = Annotated[RatesRecipe, _buildable(parse_rates)]


class PhaseRecipe(_Words):
    """A stretch of training with parts, rates and task weights of its own; see `Phase`."""

    train: Parts = ["everything"]
    freeze: Parts = []
    until: str | None = None
    only_if: str | None = None
    learning_rates: Rates | None = None
    weights: dict[str, Rate] = {}


class TrainingRecipe(_TrainingFields):
    """Any field of `TrainingArguments` for which a recipe has no word of its own."""


class Recipe(_Words):
    """A whole run. Paths of data are absolute here; in the file they are relative to it."""

    backbone: str | None = None
    start_from: str | None = None
    rename_labels: dict[Label, Label] = {}
    pooling: Pooling | None = None
    normalize: bool | None = None
    max_length: Annotated[int, Field(ge=2)] | None = None
    long_texts: LongTexts | None = None
    head: HeadRecipe | None = None
    tasks: list[TaskRecipe]
    data: DataRecipe
    sampling: Annotated[SamplingRecipe, _buildable(lambda words: Sampling(**words))] = SamplingRecipe()
    balancing: Balancing = "sum"
    conflict: Literal["log"] | None = None
    calibrate: Annotated[list[CalibrationMethod], BeforeValidator(_as_list)] = ["temperature"]
    report: bool = True
    freeze: Parts = ["none"]
    learning_rates: Rates | None = None
    phases: list[Annotated[PhaseRecipe, _buildable(parse_phase)]] | None = None
    lora: dict[str, Any] | None = None
    tokens_per_batch: Annotated[int, Field(ge=1)] | None = None
    prefix_cache: bool | PrefixCacheRecipe = True
    training: TrainingRecipe = TrainingRecipe()
    seed: int = 0
    resume: bool = False
    output_dir: str
    examples: list[str] = []
    card: CardRecipe = CardRecipe()
    _path: Path = PrivateAttr(Path("recipe"))
    _overrides: list[str] = PrivateAttr([])

    @property
    def path(self) -> Path:
        """The file it was read from, for messages."""
        return self._path

    @property
    def overrides(self) -> list[str]:
        """What was said besides the file, `key=value` each."""
        return self._overrides


def load_recipe(recipe: str | os.PathLike | dict[str, Any], overrides: list[str] | None = None) -> Recipe:
    """Reads and checks a recipe.

    Args:
        recipe: A YAML file, the name of a bundled recipe, or the words themselves.
        overrides: `key=value` each, as on the command line: the key's parts joined by dots, the value in YAML.

    Raises:
        RecipeError: With every problem there is, each with its place.
    """
    if isinstance(recipe, dict):
        path, content = Path("recipe"), copy.deepcopy(recipe)
    else:
        path = recipe_path(recipe)
        content = read_yaml(path)
    content.setdefault("output_dir", f"runs/{path.stem}")
    for override in overrides or []:
        set_value(content, override, path)
    problems = consistency_problems(content)
    try:
        checked = Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(path, describe_all(error, Recipe) + problems) from None
    if problems:
        raise RecipeError(path, problems)
    checked._path, checked._overrides = path, list(overrides or [])
    return _with_absolute_paths(checked, path.parent.resolve())


@contextmanager
def as_recipe_error(recipe: Recipe, place: str, but: type[Exception] | None = None) -> Iterator[None]:
    """What the library refuses, said with its place in the recipe; errors of the type `but` stay as they are."""
    try:
        yield
    except (OSError, ValueError, TypeError, ImportError, RuntimeError, StrictDataclassError) as error:
        message = str(error.__cause__ if isinstance(error, StrictDataclassError) else error)
        if but is not None and isinstance(error, but):
            raise
        has_place = re.split(r"[.:\[]", message)[0] in Recipe.model_fields
        raise RecipeError(recipe.path, [message if has_place else f"{place}: {message}"]) from error


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(sources: list[SourceRecipe]) -> list[SourceRecipe]:
        return [source.model_copy(update={"path": _data_path(source.path, folder)}) for source in sources]

    splits = {name: absolute(getattr(recipe.data, name)) for name in ("train", "validation", "test")}
    models = {name: _model_path(getattr(recipe, name), folder) for name in ("backbone", "start_from")}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=splits), **models})


def _data_path(path: str, folder: Path) -> str:
    """Data is a file or a folder, seen from the recipe, unless it can only be a data set on the Hub."""
    there = str(folder / path)
    return path if not Path(there).exists() and is_on_hub(Source(path)) else there


def _model_path(model: str | None, folder: Path) -> str | None:
    """A model is a folder if one lies there, seen from the recipe; else it is a Hub id, or a package's folder."""
    return str(folder / model) if model is not None and (folder / model).is_dir() else model
