"""Recipes: their words, their validation, and the bundled recipes."""
