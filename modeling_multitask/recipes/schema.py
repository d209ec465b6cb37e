"""The JSON Schema of recipes, for editors."""

from typing import Any

from .recipe import Recipe
from .validation import model_of


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a recipe."""
    schema = model_of(Recipe).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Recipe", **schema}
