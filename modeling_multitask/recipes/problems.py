"""What is wrong with a recipe, in words: where, what was given, what is allowed."""

import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..words_multitask import nearest_hint


def describe_all(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each thing that pydantic found.

    Args:
        error: What it found.
        model: The model that was read; it knows the words allowed at each place.
    """
    return [_describe(detail, model) for detail in error.errors()]


def place(location: tuple[str | int, ...]) -> str:
    """`tasks[1].name` of `("tasks", 1, "name")`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part != "[key]"]
    return "".join(parts).removeprefix(".")


def _describe(detail: ErrorDetails, model: type[BaseModel]) -> str:
    where, given, context = place(detail["loc"]), detail["input"], detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        return f"{where}: no such setting{nearest_hint(str(detail['loc'][-1]), _words_at(model, detail['loc'][:-1]))}"
    if detail["type"] == "missing":
        return f"{where}: is missing"
    if detail["type"] == "value_error":
        return f"{where}: {context['error']}"
    message = detail["msg"].removeprefix("Input ")
    hint = ""
    if detail["type"] == "literal_error":
        expected = context["expected"].replace(" or ", ",").split(",")
        hint = nearest_hint(str(given), [word.strip(" '") for word in expected])
    return f"{where}: {message[0].lower()}{message[1:]}; given: {given!r}{hint}"


def _words_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The settings that are allowed at this place."""
    current: Any = model
    for part in location:
        if isinstance(part, str) and _is_model(current):
            current = _model_within(current.model_fields[part].annotation)
    return list(current.model_fields) if _is_model(current) else []


def _model_within(annotation: Any) -> Any:
    """The model that an annotation such as `list[Model] | None` holds, if any."""
    if _is_model(annotation):
        return annotation
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType, typing.Annotated):
        return next(filter(None, map(_model_within, typing.get_args(annotation))), None)
    return None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
