"""Recipes as plain JSON, as runs record them."""

import dataclasses
import json
from typing import Any

from pydantic import ValidationError

from ..words_multitask import as_written, declared_words
from .problems import describe_all
from .recipe import Recipe
from .validation import build, model_of


def recipe_words(recipe: Recipe) -> dict[str, Any]:
    """Return all words of a recipe with their values or defaults, as plain JSON."""
    content: dict[str, Any] = json.loads(json.dumps(_plain(recipe)))
    return content


def recorded_words(content: dict[str, Any]) -> dict[str, Any]:
    """Return all words of a recorded recipe. Words that are newer than the record get their defaults.

    Raises:
        ValueError: If the record has words that this version does not know.
    """
    given = {name: value for name, value in (content.get("training") or {}).items() if value is not None}
    try:
        words = model_of(Recipe).model_validate({**content, "training": given})
    except ValidationError as error:
        raise ValueError("; ".join(describe_all(error, model_of(Recipe)))) from None
    return recipe_words(build(Recipe, words))


def plain_words(instance: Any) -> dict[str, Any]:
    """Return the words of a dataclass as plain Python values."""
    content: dict[str, Any] = _plain(instance)
    return content


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {as_written(name): _plain(getattr(value, name)) for name in declared_words(type(value))}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
