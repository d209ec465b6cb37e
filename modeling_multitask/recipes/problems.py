"""Messages for the problems of a recipe: the location, the given value and the allowed values."""

import re
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..words_multitask import nearest_hint, number_in_words, unknown_word
from .validation import form_of

MOST_WORDS = 40  # words that a message lists
MOST_LETTERS = 80  # characters of a value that a message shows
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "greater_than": ("above", "gt")}
_BOUNDS |= {"less_than_equal": ("at most", "le"), "less_than": ("below", "lt")}
_FORMS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a table of words",
    "model_type": "a table of words",
    "model_attributes_type": "a table of words",
}

Location = tuple[str | int, ...]


def unknown_label_problems(given: Iterable[str], labels: list[str]) -> list[str]:
    """Return a problem for each of the given labels that a task does not have.

    Args:
        given: The given labels.
        labels: The labels of the task.
    """
    return [f"{each!r} is not a label of the task{nearest_hint(each, labels)}" for each in given if each not in labels]


def describe_all(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one line for each problem that pydantic found.

    Args:
        error: The error of pydantic.
        model: The model that was validated. It defines the words allowed at each location.
    """
    return list(dict.fromkeys(_describe(detail, model) for detail in error.errors()))


def plain_location(location: Location) -> Location:
    """Return a location without the tags that pydantic inserts."""
    return tuple(part for part in location if isinstance(part, int) or not (part.startswith("<") or part == "[key]"))


def place(location: Location) -> str:
    """Return a location as text: `tasks[1].name` for `("tasks", 1, "name")`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in plain_location(location)]
    return "".join(parts).removeprefix(".")


def _describe(detail: ErrorDetails, model: type[BaseModel]) -> str:
    where, given, context = place(detail["loc"]), detail["input"], detail.get("ctx", {})
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{where}: {_unknown_word(str(detail['loc'][-1]), words_at(model, plain_location(detail['loc'])[:-1]))}"
    if kind == "missing":
        return f"{where}: is missing"
    if kind == "huge":
        return f"{where}: {detail['msg']}"
    if kind == "invalid_key":
        above = place(detail["loc"][:-1])
        return f"{above or 'recipe'}: has the word {_shown(given)}, which is not text; write '{given}', in quotes"
    if kind == "value_error":
        message = str(context["error"])
        begins_with_word = re.split(r"\W", message, maxsplit=1)[0] in words_at(model, plain_location(detail["loc"]))
        return f"{where}.{message}" if begins_with_word else f"{where}: {message}"
    return f"{where}: is {_shown(given)}; it must be {_allowed(kind, given, context) or detail['msg']}"


def _shown(given: Any) -> str:
    """Return the representation of a value, truncated if it is long."""
    written = "empty" if given is None else repr(given)
    return written if len(written) <= MOST_LETTERS else f"{written[:MOST_LETTERS]}..."


def _allowed(kind: str, given: Any, context: dict[str, Any]) -> str | None:
    """Return the allowed values for an invalid one."""
    if kind == "string_type" and form_of(given) in ("a number", "true or false"):
        written = str(given).lower() if isinstance(given, bool) else given
        return f"text; write '{written}', in quotes"
    if kind == "literal_error":
        words = [word.strip(" '") for word in context["expected"].replace(" or ", ", ").split(",")]
        return f"one of {', '.join(words)}{nearest_hint(str(given), words)}" if len(words) > 1 else words[0]
    if kind in _BOUNDS:
        name, bound = _BOUNDS[kind]
        return f"{name} {number_in_words(context[bound])}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = context.get("expected_tags", "").replace("'", "").replace("<", "").replace(">", "")
        return " or ".join(expected.split(", ")) or "text, a number, a list or a table of words"
    return _FORMS.get(kind)


def _unknown_word(given: str, allowed: list[str]) -> str:
    if len(allowed) <= MOST_WORDS:
        return unknown_word(given, allowed)
    hint = nearest_hint(given, allowed)
    return f"no such word{hint}; words here: {len(allowed)} (multitask schema --markdown lists them)"


def words_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the words that are allowed at a location."""
    current: Any = model
    for part in location:
        current = _step(current, part)
    found = _model_within(current)
    return list(found.model_fields) if found is not None else []


def _step(annotation: Any, part: str | int) -> Any:
    """Return the annotation of a word of a model, an item of a list, or a value of a dict."""
    model = _model_within(annotation)
    if isinstance(part, str) and model is not None and part in model.model_fields:
        return model.model_fields[part].annotation
    return annotation


def _model_within(annotation: Any) -> Any:
    """Return the first model within an annotation such as `list[Model] | None`, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_within, typing.get_args(annotation))), None)
