"""The reference page of all recipe words, generated from their declarations."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, Literal, Union

from ..words_multitask import Word, as_written, declared_words
from .recipe import Recipe
from .training_words import OWN_WORDS, SAID_ELSEWHERE, TrainingWords, bounded, training_words

TRAINING_HEADING = "## `training`\n"
_HEADER = "| Word | Meaning | Allowed | Default | Example |\n|---|---|---|---|---|\n"
_FORMS: dict[Any, str] = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text", Any: "anything"}
_SEVERAL = {"whole number": "whole numbers", "number": "numbers", "text": "texts"}
_LISTS = (list, tuple, Sequence)
_ANY_CELL = "text, number, `true` or `false`"
_INTRODUCTION = """\
# The words of a recipe

A recipe is a YAML 1.2 file. A word that is not listed here is an error. `multitask schema` prints a JSON Schema with
the same content, for validation and completion in editors. `multitask schema --markdown` prints this page.
"""


def recipe_reference() -> str:
    """Return the reference page in Markdown."""
    places: dict[type, list[str]] = {}
    _note_places(Recipe, "", places)
    sections = [_section(cls, places) for cls in places]
    return "\n".join([_INTRODUCTION, *sections, _training_section()])


def _note_places(cls: type, place: str, places: dict[type, list[str]]) -> None:
    """Collect the locations of a dataclass and of the dataclasses within it."""
    known = cls in places
    places.setdefault(cls, []).append(place)
    hints = typing.get_type_hints(cls)
    for name in [] if known else declared_words(cls):
        for each in _members(hints[name]):
            if isinstance(each, type) and dataclasses.is_dataclass(each):
                _note_places(each, f"{place}.{name}".removeprefix("."), places)


def _members(annotation: Any) -> list[Any]:
    """Return an annotation and all annotations within it."""
    return [annotation, *(each for inner in typing.get_args(annotation) for each in _members(inner))]


def _section(cls: type, places: dict[type, list[str]]) -> str:
    hints = typing.get_type_hints(cls)
    rows = [_row(as_written(name), hints[name], each, places) for name, each in declared_words(cls).items()]
    about = re.split(r"\n\n(?:Args|Raises):", cleandoc(cls.__doc__ or ""))[0]
    return f"## {_heading(cls, places)}\n\n{about}\n\n{_HEADER}{''.join(rows)}"


def _heading(cls: type, places: dict[type, list[str]]) -> str:
    return "Top level" if cls is Recipe else ", ".join(f"`{place}`" for place in places[cls])


def _link(heading: str) -> str:
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"[words](#{anchor})"


def _row(name: str, annotation: Any, each: dataclasses.Field, places: dict[type, list[str]]) -> str:
    declared: Word = each.metadata["word"]
    example = "" if declared.example is None else f"`{name}: {_yaml(declared.example)}`"
    cells = [f"`{name}`", declared.description, _allowed(annotation, declared, places), _default(each), example]
    return f"| {' | '.join(cells)} |\n"


def _allowed(annotation: Any, declared: Word, places: dict[type, list[str]]) -> str:
    """Return the allowed values of a word."""
    members = [each for each in _alternatives(annotation) if each is not types.NoneType]
    words = [_form(each, places) for each in members if not (each is int and float in members)]
    if declared.one_or_list:
        (listed,) = [each for each in members if typing.get_origin(each) in _LISTS]
        words.insert(-1, _each(typing.get_args(listed)[0], places))
    if declared.shorthand is not None:
        words.append(f"its `{declared.shorthand}` alone")
    return "; ".join([", or ".join(words), *([declared.bounds_in_words] if declared.bounds else [])])


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _form(annotation: Any, places: dict[type, list[str]]) -> str:
    """Return the allowed values of a type that is not a union."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in _LISTS:
        item = _each(arguments[0], places)
        return f"list of {_SEVERAL.get(item, item)}"
    if origin in (dict, Mapping):
        return f"table: {_each(arguments[0], places)} to {_each(arguments[1], places)}"
    if annotation is TrainingWords:
        return _link(TRAINING_HEADING.strip("# \n"))
    return _link(_heading(annotation, places)) if annotation in places else _FORMS[annotation]


def _each(annotation: Any, places: dict[type, list[str]]) -> str:
    """Return the allowed items of a list, or the allowed keys or values of a table."""
    members = _alternatives(annotation)
    if bool in members:
        return f"{_ANY_CELL}, or list of them" if any(_is_list(each) for each in members) else _ANY_CELL
    return " or ".join(_form(each, places) for each in members if not (each is int and float in members))


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) in _LISTS


def _default(each: dataclasses.Field) -> str:
    missing = dataclasses.MISSING
    default = each.default if each.default_factory is missing else each.default_factory()
    if each.metadata["word"].required or default is missing:
        return "required"
    return "–" if not _is_plain(default) else f"`{_yaml(default)}`"


def _is_plain(default: Any) -> bool:
    """Return whether a default is a value that fits in one line."""
    return default not in (None, [], {}, ()) and not dataclasses.is_dataclass(default)


def _training_section() -> str:
    """Return the section on `training`, which depends on the version of transformers."""
    forms: dict[str, list[str]] = {}
    for name, annotation in training_words().items():
        if name not in SAID_ELSEWHERE:
            (kind, *_) = _alternatives(annotation)
            bounds = bounded(name).bounds_in_words
            named = f"`{name}` ({bounds})" if bounds else f"`{name}`"
            forms.setdefault("other types, see that page" if kind is Any else _FORMS[kind], []).append(named)
    own = "".join(
        f"- `{name}`: {each.metadata['word'].description} Whole number, {each.metadata['word'].bounds_in_words}.\n"
        for name, each in OWN_WORDS.items()
    )
    elsewhere = ", ".join(f"`{name}` ({word})" for name, word in SAID_ELSEWHERE.items())
    listed = "".join(f"- {form[0].upper()}{form[1:]}: {', '.join(names)}.\n" for form, names in forms.items())
    return f"""{TRAINING_HEADING}
Two additional words, and any field of transformers' `TrainingArguments`, which
[its page](https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments) explains. This
list is for transformers {version("transformers")}. A recipe sets some fields with another word, named in brackets:
{elsewhere}.

{own}{listed.rstrip()}"""


def _yaml(value: Any) -> str:
    """Return a value as one line of YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_yaml(name)}: {_yaml(each)}' for name, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str):
        if value != value.strip():
            return json.dumps(value)
        return f"'{value}'" if re.search(r"[,:\[\]{}#]", value) else value
    return re.sub(r"e-0(\d)", r"e-\1", f"{value:g}") if isinstance(value, float) else str(value).lower()
