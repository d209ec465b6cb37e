"""The rows that a trained model was tested on, by what its run has noted."""

import json
import tempfile
from pathlib import Path

from .. import TaskConfig
from ..errors import RecipeError
from .judged_rows import JudgedRows, rows_to_judge

# Which rows there are, and how they are split. The record has all words, with settings that a recipe says otherwise.
_WORDS = ("backbone", "start_from", "tasks", "data", "seed")


def recorded_rows(tasks: list[TaskConfig], model: str) -> JudgedRows | None:
    """The test rows of the run whose `recipe.json` lies beside a model's folder; `None` if there is none.

    Args:
        tasks: The model's.
        model: Where the model is.

    Raises:
        RecipeError: If its tasks are others than the model's.
        DataError: If its tables are no longer there.
    """
    record = Path(model).parent / "recipe.json"
    if not (Path(model).is_dir() and record.is_file()):
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
