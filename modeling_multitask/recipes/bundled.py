"""The bundled recipes and their data."""

import os
import re
import shutil
from pathlib import Path

from ..errors import RecipeError
from ..files import is_file
from ..paths_multitask import home_replaced
from ..shipped import shipped
from ..words_multitask import nearest_hint

_DATA = re.compile(r"\bdata/[\w.-]+")  # the paths of data files in a bundled recipe


def bundled_recipes() -> dict[str, Path]:
    """Return the files of the bundled recipes by name, in alphabetical order."""
    return {path.stem: path for path in sorted(shipped("configuration/recipes").glob("*.yaml"))}


def recipe_path(given: str | os.PathLike) -> Path:
    """Return the file of a recipe.

    A word with a `/` or a file ending is a path. Any other word is the name of a bundled recipe.

    Raises:
        RecipeError: If no bundled recipe has that name.
    """
    word = os.fspath(given)
    if "/" in word or os.sep in word or Path(word).suffix:
        return Path(home_replaced(word))
    there = bundled_recipes()
    if word not in there:
        hint = nearest_hint(word, there)
        what = f"no bundled recipe has this name{hint}; bundled recipes: {', '.join(there)}; write ./{word} for a file"
        raise RecipeError(word, [what])
    return there[word]


def describe_recipe(path: Path) -> str:
    """Return the first comment line of a recipe."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def copy_recipe(name: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Copy a bundled recipe and its data into a folder.

    Args:
        name: The name of the recipe.
        folder: The target folder. It is created if it does not exist.
        force: Whether to overwrite existing files.

    Returns:
        The files that were written, the recipe first.

    Raises:
        RecipeError: If no bundled recipe has that name.
        FileExistsError: If a file already exists. Nothing is copied.
    """
    recipe = bundled_recipes().get(name) or recipe_path(name)
    if not is_file(recipe):
        raise RecipeError(recipe, ["no such file"])
    if is_file(folder):
        raise NotADirectoryError(f"{folder} is a file; name a folder")
    names = [recipe.name, *dict.fromkeys(_DATA.findall(recipe.read_text(encoding="utf-8")))]
    targets = {folder / each: recipe.parent / each for each in names if (recipe.parent / each).is_file()}
    if not force and (there := [path for path in targets if path.exists()]):
        raise FileExistsError(f"{there[0]} already exists; choose another folder, or add --force to overwrite it")
    for target, source in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return list(targets)
