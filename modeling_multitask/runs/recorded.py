"""The test rows of a trained model, from the record of its run."""

import json
import tempfile
from pathlib import Path

from .. import TaskConfig
from ..errors import RecipeError
from ..paths_multitask import home_replaced
from .judged_rows import JudgedRows, rows_to_judge

# The words that define the rows and their split. The other words of the record are not valid as a recipe.
_WORDS = ("backbone", "start_from", "tasks", "data", "seed")


def recorded_rows(tasks: list[TaskConfig], model: str) -> JudgedRows | None:
    """Return the test rows of the run that trained a model, or `None` if there is no `recipe.json` next to the model.

    Args:
        tasks: The tasks of the model.
        model: The folder of the model.

    Raises:
        RecipeError: If the tasks of the run do not match the model's.
        DataError: If the tables of the run no longer exist.
    """
    found = Path(home_replaced(model))
    record = found.parent / "recipe.json"
    if not (found.is_dir() and record.is_file()):
        return None
    content = json.loads(record.read_text(encoding="utf-8"))
    words = {name: content[name] for name in _WORDS if name in content}
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.yaml"
        recipe.write_text(json.dumps(words), encoding="utf-8")  # JSON is YAML too
        try:
            return rows_to_judge(tasks, recipe, model=model)
        except RecipeError as error:
            raise RecipeError(record, error.problems) from None
