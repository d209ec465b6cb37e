"""Errors that a caller may want to catch, because the user can correct their cause."""

from pathlib import Path


class DataError(ValueError):
    """A table that cannot be read as described; the message names file, row and column."""


class RecipeError(ValueError):
    """A recipe that cannot be run; the message lists every problem.

    Args:
        path: The recipe.
        problems: One line each; a line begins with its place in the recipe, such as `tasks[1].name`.
    """

    def __init__(self, path: str | Path, problems: list[str]) -> None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{path} has {count}:" + "".join(f"\n  {problem}" for problem in problems))
        self.path = path
        self.problems = problems
