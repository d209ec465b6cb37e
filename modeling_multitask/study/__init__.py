"""Studies: a recipe trained with several strategies, and their comparison."""
