"""Errors whose cause the user can correct."""

from pathlib import Path


class DataError(ValueError):
    """A table cannot be read as described. The message names the file, row and column."""


class DivergedError(RuntimeError):
    """Training diverged. The message names the step, the cause, the learning rates and the last good checkpoint."""


class ModelFolderError(OSError):
    """The folder or repository of a model is damaged. The message names the file and the cause."""


class RecipeError(ValueError):
    """A recipe cannot be run. The message lists every problem.

    Args:
        path: The path of the recipe.
        problems: One line for each problem. A line begins with its place in the recipe, such as `tasks[1].name`.
    """

    def __init__(self, path: str | Path, problems: list[str]) -> None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{path} has {count}:" + "".join(f"\n  {problem}" for problem in problems))
        self.path = path
        self.problems = problems


class RowError(ValueError):
    """A row has an invalid text or label.

    Args:
        problem: The problem, with the task or column.
        place: The place of the row, such as `rows[2]`.
    """

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
