"""The folds of a recipe, and their rows."""

from dataclasses import replace
from typing import Any, NamedTuple

from accelerate import PartialState

from .. import MultiTaskModel
from ..recipes.recipe import Recipe
from .rows import labelled_rows, open_sources


class Fold(NamedTuple):
    """The rows of the model that is trained without one fold.

    Args:
        rows: The number of rows by split. The fold is the test split.
        labelled: The number of rows of the fold with a label, by task.
    """

    rows: dict[str, int]
    labelled: dict[str, int | None]

    def describe(self) -> str:
        """Return `train 80, test 20 rows; labelled test rows: topic 20, sentiment 18`."""
        rows, labelled = (
            ", ".join(f"{name} {count:,}" for name, count in counts.items()) for counts in (self.rows, self.labelled)
        )
        return f"{rows} rows; labelled test rows: {labelled}"


def fold_sizes(recipe: Recipe, trained: MultiTaskModel | None = None) -> list[Fold]:
    """Return the folds in order. There are none without `data.split.folds`.

    Args:
        recipe: The recipe.
        trained: The model in its `start_from`.

    Raises:
        DataError: If a table is invalid, or the rows cannot be split into the folds.
    """
    if not recipe.data.split.in_turn:
        return []
    with PartialState().main_process_first():
        return [_size(fold_recipe(recipe, i + 1), trained) for i in range(recipe.data.split.folds or 0)]


def fold_recipe(recipe: Recipe, fold: int, **changed: Any) -> Recipe:
    """Return the recipe of the model that is trained without a fold, counted from 1.

    Args:
        recipe: The recipe with `data.split.folds`.
        fold: The fold.
        changed: Further words to change.
    """
    split = replace(recipe.data.split, fold=fold)
    return replace(recipe, data=replace(recipe.data, split=split), **changed)


def _size(recipe: Recipe, trained: MultiTaskModel | None) -> Fold:
    builder = open_sources(recipe, trained)
    builder.download_and_prepare()
    dataset = builder.as_dataset()
    rows = {name: len(dataset[name]) for name in builder.prepared_splits}
    return Fold(rows, labelled_rows(dataset["test"], builder.tasks))
