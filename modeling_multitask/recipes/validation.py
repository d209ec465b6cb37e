"""Validation of recipes against the declarations of their words (`words_multitask.word`).

Each dataclass gets a pydantic model of its words. Values that pass the model are used to build the dataclass.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Union

from huggingface_hub.errors import StrictDataclassError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from datasets_builder.cell_words import cell_word

from ..training.choices import TrainingChoices
from ..words_multitask import Word, as_written, declared_words
from .training_words import OWN_WORDS, SAID_ELSEWHERE, TrainingWords, bounded, training_words

NUMBER, TEXT, TRUTH, LIST, TABLE = "a number", "text", "true or false", "a list", "a table of words"
_FORMS = ((bool, TRUTH), (int | float, NUMBER), (str, TEXT), (list, LIST), (dict | BaseModel, TABLE))
_SCALARS = {str, int, float, bool}
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


@cache
def model_of(cls: type) -> type[BaseModel]:
    """Return the pydantic model of a dataclass: its words with their types, bounds and defaults."""
    hints = typing.get_type_hints(cls)
    settings: dict[str, Any] = {
        as_written(name): _setting(hints[name], each) for name, each in declared_words(cls).items()
    }
    return create_model(cls.__name__, __config__=_CONFIG, __doc__=_first_line(cls), **settings)


@cache
def training_model() -> Any:
    """Return the type of `training`. Validation returns a dict of the words that are set."""
    hints = typing.get_type_hints(TrainingChoices)
    settings: dict[str, Any] = {name: (_checked(kind, bounded(name)), None) for name, kind in training_words().items()}
    settings |= {name: (Annotated[Any, BeforeValidator(_refuse_said_elsewhere)], None) for name in SAID_ELSEWHERE}
    settings |= {name: _setting(hints[name], each) for name, each in OWN_WORDS.items()}
    model = create_model("Training", __config__=_CONFIG, **settings)
    return Annotated[model, AfterValidator(lambda words: TrainingWords(words.model_dump(exclude_unset=True)))]


def build(cls: type, words: BaseModel) -> Any:
    """Build a dataclass from validated words. Missing words keep their defaults.

    Raises:
        ValueError: If the words contradict each other.
    """
    hints = typing.get_type_hints(cls)
    names = {as_written(name): name for name in hints}
    given = {names[name]: getattr(words, name) for name in words.model_fields_set}
    if "written" in hints:
        given["written"] = frozenset(given)
    try:
        return cls(**{name: tuple(value) if _is_tuple(hints[name]) else value for name, value in given.items()})
    except StrictDataclassError as error:
        raise ValueError(str(error.__cause__ or error)) from None


def form_of(given: Any) -> str | None:
    """Return the form of a value as messages name it, or `None` for a value that recipes cannot contain."""
    return next((form for kind, form in _FORMS if isinstance(given, kind)), None)


def _setting(annotation: Any, each: dataclasses.Field) -> tuple[Any, Any]:
    """Return the type of a word and its pydantic field."""
    declared: Word = each.metadata["word"]
    checked = _checked(annotation, declared)
    if declared.one_or_list:
        listed = partial(_as_list, forms=_forms(annotation))
        alone = checked | _item(annotation, declared)
        checked = Annotated[checked, BeforeValidator(listed, json_schema_input_type=alone)]
    examples = None if declared.example is None else [declared.example]
    return checked, Field(**_default(each), description=declared.description, examples=examples)


def _checked(annotation: Any, declared: Word) -> Any:
    """Return the pydantic type for an annotation of a dataclass."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is TrainingWords:
        return training_model()
    if dataclasses.is_dataclass(annotation):
        return _checked_words(annotation, declared)  # type: ignore[arg-type]
    if annotation in (int, float):
        bounds: Any = declared.bounds
        return Annotated[annotation, Field(**bounds), BeforeValidator(_refuse_huge)]
    if annotation is str and declared.labels:
        return Annotated[str, BeforeValidator(_as_word, json_schema_input_type=str | float)]
    if origin in (list, tuple, Sequence):
        return list[_checked(arguments[0], declared)]  # type: ignore[misc]
    if origin in (dict, Mapping):
        return dict[_checked(arguments[0], declared), _checked(arguments[1], declared)]  # type: ignore[misc]
    if origin in (Union, types.UnionType):
        return _union(arguments, declared)
    return annotation


def _checked_words(annotation: type, declared: Word) -> Any:
    """Return the pydantic type for a dataclass of words, or for the text that stands for it."""
    model: Any = model_of(annotation)
    built = Annotated[model, AfterValidator(partial(build, annotation))]
    if declared.shorthand is None:
        return built
    read = partial(_written_out, word=declared.shorthand)
    return Annotated[built, BeforeValidator(read, json_schema_input_type=built | str)]


def _union(members: tuple[Any, ...], declared: Word) -> Any:
    """Return a union of forms that reports only the errors of the given form."""
    if set(members) == _SCALARS:
        schema = WithJsonSchema({"type": ["string", "number", "boolean"]})
        return Annotated[Any, AfterValidator(_refuse_all_but_scalars), schema]
    members_by_form = sorted(members, key=lambda each: each is float)  # `int | float` is checked as float
    forms = {_form(each): each for each in members_by_form if each is not types.NoneType}
    checked = {form: _checked(each, declared) for form, each in forms.items()}
    if len(forms) == 1:
        (whole,) = checked.values()
    else:
        tagged = tuple(Annotated[each, Tag(f"<{form}>")] for form, each in checked.items())
        whole = Annotated[Union[tagged], Discriminator(_tag)]  # noqa: UP007, of a tuple
    return whole | None if types.NoneType in members else whole


def _forms(annotation: Any) -> set[str]:
    """Return the forms of a type, as `form_of` names them."""
    return {_form(each) for each in _members(annotation) if each is not types.NoneType}


def _members(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _form(annotation: Any) -> str:
    origin = typing.get_origin(annotation) or annotation
    if dataclasses.is_dataclass(origin) or origin in (dict, Mapping):
        return TABLE
    if origin in (list, tuple, Sequence):
        return LIST
    return {bool: TRUTH, int: NUMBER, float: NUMBER}.get(origin, TEXT)


def _tag(given: Any) -> str | None:
    form = form_of(given)
    return None if form is None else f"<{form}>"


def _as_list(given: Any, forms: set[str]) -> Any:
    """Return a single value as a list of one, unless the value itself is allowed."""
    return given if given is None or form_of(given) in forms else [given]


def _written_out(given: Any, word: str) -> Any:
    return {word: given} if isinstance(given, str) else given


def _as_word(given: Any) -> Any:
    """Return a number as the word of a label, and anything else unchanged."""
    return cell_word(given) if form_of(given) == NUMBER else given


def _refuse_all_but_scalars(given: Any) -> Any:
    if not isinstance(given, str | int | float):
        raise ValueError(f"is {given!r}; it must be text, a number, true or false")
    return given


def _refuse_huge(given: Any) -> Any:
    if isinstance(given, int) and abs(given) >= 2**63:
        raise PydanticCustomError("huge", f"has {len(str(abs(given)))} digits; it must fit in 64 bits")
    return given


def _refuse_said_elsewhere(_given: Any, info: ValidationInfo) -> Any:
    raise ValueError(f"not allowed in training; set the recipe's {SAID_ELSEWHERE[str(info.field_name)]} instead")


def _is_tuple(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple


def _item(annotation: Any, declared: Word) -> Any:
    """Return the type of an item of the list that a type allows."""
    listed = next(each for each in _members(annotation) if _form(each) == LIST)
    return _checked(typing.get_args(listed)[0], declared)


def _default(each: dataclasses.Field) -> dict[str, Any]:
    if each.metadata["word"].required:
        return {"default": ...}
    if dataclasses.is_dataclass(each.default):  # the schema cannot show a dataclass
        return {"default_factory": lambda: each.default}
    if each.default is not dataclasses.MISSING:
        return {"default": each.default}
    factory = each.default_factory
    return {"default": ...} if factory is dataclasses.MISSING else {"default_factory": factory}


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]
