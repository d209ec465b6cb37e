"""Recipes: their words, their checks, and those that are bundled."""
