"""How to run it: recipes, and what a recipe does."""

from datasets_builder.extras import import_extra
from modeling_multitask import MultiTaskConfig

import_extra("pydantic", extra="train")  # before the modules that cannot do without it

from .problems import RecipeError  # noqa: E402
from .recipe import Recipe, load_recipe  # noqa: E402

__all__ = ["MultiTaskConfig", "Recipe", "RecipeError", "load_recipe"]
