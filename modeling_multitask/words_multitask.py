"""The words of a configuration. Each is declared once, with its description, its bounds and an example.

A dataclass field made by `word` is a word that a recipe may use. The checks of recipes and dataclasses, the JSON Schema
and the reference are all derived from it.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args

Pooling = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len"]
LongTexts = Literal["truncate", "windows"]
Normalization = Literal["layer", "none"]
Activation = Literal["relu", "gelu", "silu", "tanh"]
Declared = TypeVar("Declared")
Refusal = Literal["score", "energy"]
Transform = Literal["none", "log1p"]
OrdinalDecision = Literal["median", "mode"]
LARGEST_SEED = 2**32 - 1  # of numpy and scikit-learn


@dataclass(frozen=True, kw_only=True)
class Word:
    """The declaration of a word, without its name, its type and its default.

    Args:
        description: Its meaning, in one or two sentences.
        example: A value as in a recipe.
        required: Whether a recipe must have it, although the dataclass has a default.
        one_or_list: Whether a single value is allowed instead of a list of one.
        shorthand: The field that is set if a text is given instead of a dict, such as the path of a source.
        labels: Whether its texts are labels. A recipe may write a number as such, which becomes its word.
        ge: The minimum. In a list, and in the values of a dict, the bounds apply to each number.
        gt: The exclusive minimum.
        le: The maximum.
        lt: The exclusive maximum.
    """

    description: str
    example: Any = None
    required: bool = False
    one_or_list: bool = False
    shorthand: str | None = None
    labels: bool = False
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are set, by name."""
        given = {"ge": self.ge, "gt": self.gt, "le": self.le, "lt": self.lt}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def bounds_in_words(self) -> str:
        """The bounds as text, such as `at least 0 and below 1`. Empty if there are none."""
        names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        return " and ".join(f"{names[name]} {number_in_words(value)}" for name, value in self.bounds.items())

    def admits(self, number: float) -> bool:
        """Return whether a number is within the bounds."""
        return (isinstance(number, int) or math.isfinite(number)) and (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
        )


def number_in_words(number: float) -> str:
    """Return a number as messages write it: whole numbers with all their digits."""
    return str(int(number)) if number == int(number) else f"{number:g}"


def word(default: Any = MISSING, *, default_factory: Any = MISSING, **declared: Any) -> Any:
    """Return a dataclass field that is a word of a recipe.

    Args:
        default: The default in the dataclass and in the recipe.
        default_factory: A function that returns the default, for a list or a dict.
        declared: The arguments of `Word`.
    """
    return field(default=default, default_factory=default_factory, metadata={"word": Word(**declared)})


def word_of(cls: type, name: str, **changed: Any) -> Any:
    """Return a field that is a word which another dataclass declares: same default, bounds and description.

    Args:
        cls: The dataclass that declares the word.
        name: The name of the word.
        changed: `default`, if it differs.
    """
    each = declared_words(cls)[name]
    default = {"default": each.default} if each.default is not MISSING else {"default_factory": each.default_factory}
    word_and_help = {"word": each.metadata["word"], "help": each.metadata["word"].description}
    return field(**(changed or default), metadata=word_and_help)


def declared_words(cls: type) -> dict[str, Field]:
    """Return the fields of a dataclass that are words of a recipe, by name."""
    return {each.name: each for each in fields(cls) if "word" in each.metadata}


def as_written(name: str) -> str:
    """Return the word of a recipe for a field of a dataclass: `from` for `from_`, because Python reserves `from`."""
    return name.rstrip("_")


def check_bounds(instance: Any) -> None:
    """Raise a `ValueError` if a number of a dataclass is outside the bounds of its word."""
    for name, each in declared_words(type(instance)).items():
        declared: Word = each.metadata["word"]
        given = getattr(instance, name)
        if not declared.bounds or given is None or given in _literals(each.type):
            continue
        numbers = given.values() if isinstance(given, dict) else given if isinstance(given, list | tuple) else [given]
        if not all(isinstance(each, int | float) and declared.admits(each) for each in numbers):
            several = "each " if isinstance(given, dict | list | tuple) else "it "
            raise ValueError(f"{name} is {given!r}; {several}must be {declared.bounds_in_words}")


def _literals(annotation: Any) -> list[Any]:
    """Return the literal values, such as `balanced`, that an annotation allows."""
    return [value for member in get_args(annotation) for value in get_args(member) if not isinstance(value, type)]


def from_words(cls: type[Declared], given: Any, place: str, error: type[ValueError] = ValueError) -> Declared:
    """Return an instance of a dataclass, built from a dict of its fields if needed.

    Args:
        cls: The dataclass.
        given: The instance or the dict.
        place: The beginning of each message, such as `sampling.`. The name of the field follows.
        error: The class of the error.

    Raises:
        ValueError: Or `error`, if a field is unknown, missing or invalid.
    """
    if isinstance(given, cls):
        return given
    allowed = {as_written(each.name): each for each in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(given, Mapping):
        raise error(f"{place.rstrip('.: ')} is {given!r}; it must be a dict of these: {', '.join(allowed)}")
    for name in given:
        if name not in allowed:
            raise error(f"{place}{name}: {unknown_word(name, list(allowed))}")
    for name, each in allowed.items():
        if each.default is MISSING and each.default_factory is MISSING and name not in given:
            raise error(f"{place}{name}: is missing")
    try:
        return cls(**{allowed[name].name: value for name, value in given.items()})
    except ValueError as problem:
        begins_with_field = re.split(r"\W", str(problem), maxsplit=1)[0] in allowed
        raise error(f"{place if begins_with_field else ''}{problem}") from None


def unknown_word(given: str, allowed: Sequence[str]) -> str:
    """Return the message for an unknown word, with the nearest allowed word and a list of all."""
    return f"no such word{nearest_hint(given, allowed)}; words here: {', '.join(allowed)}"


def nearest_hint(given: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` if an allowed word is close to the given one, else an empty string."""
    close = get_close_matches(str(given), [str(candidate) for candidate in allowed], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
