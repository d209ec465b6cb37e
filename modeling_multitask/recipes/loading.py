"""Reading and checking recipes. All problems are reported together, before data or models are loaded."""

import copy
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from pydantic import ValidationError

from datasets_builder.addresses import credential_problem, is_address
from datasets_builder.cell_words import cell_word
from datasets_builder.formats import names_table
from datasets_builder.join import Join
from datasets_builder.label_names import named_task
from datasets_builder.source import Source, is_on_hub

from ..errors import DataError, RecipeError
from ..files import is_folder, is_there
from ..paths_multitask import home_replaced, why_local
from ..secret import find_secret
from ..words_multitask import declared_words
from .bundled import recipe_path
from .problems import describe_all, plain_location
from .recipe import Recipe, TaskRecipe
from .rules import rule_problems
from .validation import build, model_of
from .yaml_file import read_yaml, set_value

_WITH_ADDRESSES = ("data.", "tasks[")  # places of words that may be addresses of files on servers
_SECRET_WORDS = ("api_key", "hub_token", "password", "secret", "token")


def load_recipe(recipe: str | os.PathLike | dict[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: A YAML file, the name of a bundled recipe, or a dict of the recipe's words.
        overrides: `key=value` strings as on the command line. Dots in the key separate nested words, and the value is
            YAML.

    Raises:
        RecipeError: If the recipe is invalid. The error lists every problem with its location.

    Example:
        >>> recipe = load_recipe("quickstart", ["seed=1", "training.max_steps=10"])
        >>> recipe.seed
        1
    """
    if isinstance(recipe, dict):
        path, content = Path("recipe"), copy.deepcopy(recipe)
    else:
        path = recipe_path(recipe)
        content = read_yaml(path)
    content.setdefault("output_dir", f"runs/{path.stem}")
    for override in overrides:
        set_value(content, override, path)
    if problems := list(_secrets(content)):
        raise RecipeError(path, problems)
    _write_out_labels(content)
    _write_out_names(content, path)
    checked = _check(content, path)
    return _with_absolute_paths(replace(checked, path=path, overrides=tuple(overrides)), path.parent.resolve())


@contextmanager
def as_recipe_error(recipe: Recipe, place: str, but: type[Exception] | None = None) -> Iterator[None]:
    """Turn an error of the library into a `RecipeError`.

    Args:
        recipe: The recipe.
        place: The location to report if the message does not begin with a word of the recipe.
        but: An error type that is not converted.
    """
    try:
        yield
    except (LookupError, AttributeError, ArithmeticError) as error:  # of a library that expects another value
        reason = f"a value is refused by {_raised_in(error)} ({type(error).__name__}: {error})"
        raise RecipeError(recipe.path, [f"{place}: {reason}"]) from error
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, StrictDataclassError) as error:
        message = str(error.__cause__ if isinstance(error, StrictDataclassError) else error)
        if but is not None and isinstance(error, but):
            raise
        has_place = re.split(r"[.:\[]", message)[0] in declared_words(Recipe)
        raise RecipeError(recipe.path, [message if has_place else f"{place}: {message}"]) from error


def _raised_in(error: BaseException) -> str:
    """Return the package whose code raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "Python" if trace is None else str(trace.tb_frame.f_globals.get("__name__", "Python")).split(".")[0]


def _check(content: dict[str, Any], path: Path) -> Recipe:
    """Check single words and the rules between words, and return the recipe."""
    model = model_of(Recipe)
    try:
        words = model.model_validate(content)
    except ValidationError as error:
        problems = describe_all(error, model) + rule_problems(_well_formed(content, error))
        raise RecipeError(path, problems) from None
    if problems := rule_problems(content):
        raise RecipeError(path, problems)
    return build(Recipe, words)


def _write_out_labels(content: dict[str, Any]) -> None:
    """Replace numbers among the labels of tasks by their words, in place, for the rules between words."""
    tasks = content.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        given = task.get("given") if isinstance(task, dict) else None
        for words in filter(lambda each: isinstance(each, dict), (task, given)):
            if isinstance(words.get("labels"), list):
                words["labels"] = list(map(_label, words["labels"]))
            if isinstance(words.get("parents"), dict):
                words["parents"] = {_label(name): _label(each) for name, each in words["parents"].items()}


def _write_out_names(content: dict[str, Any], path: Path) -> None:
    """Replace the file `names` of each task by its labels and their ids, in place."""
    tasks: Any = content.get("tasks")
    problems = []
    for i, task in enumerate(tasks if isinstance(tasks, list) else []):
        if not (isinstance(task, dict) and isinstance(task.get("names"), str)):
            continue
        try:
            tasks[i] = named_task(task, path.parent)
        except DataError as error:
            problems.append(f"tasks[{i}].{error}")
    if problems:
        raise RecipeError(path, problems)


def _label(given: Any) -> Any:
    """Return a number as the word that it is, and anything else unchanged."""
    return cell_word(given) if isinstance(given, int | float) and not isinstance(given, bool) else given


def _secrets(content: Any, place: str = "") -> Iterator[str]:
    """Yield a problem for each secret. Its value is not repeated, because messages end up in logs."""
    if isinstance(content, dict):
        for name, each in content.items():
            yield from _secrets(each, f"{place}.{name}" if place else str(name))
    elif isinstance(content, list):
        for i, each in enumerate(content):
            yield from _secrets(each, f"{place}[{i}]")
    elif place.startswith(_WITH_ADDRESSES) and is_address(str(content)) and (problem := credential_problem(content)):
        yield f"{place}: {problem}"
    elif isinstance(content, str) and (place.rsplit(".", maxsplit=1)[-1] in _SECRET_WORDS or find_secret(content)):
        yield (
            f"{place}: must not contain a token or password, because recipes are saved and pushed; log in with "
            "`hf auth login`, or set HF_TOKEN"
        )


def _well_formed(content: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Return the content without unknown words and without values of a wrong type."""
    content = copy.deepcopy(content)
    for detail in error.errors():
        if detail["type"] not in ("missing", "value_error"):
            _remove_word(content, plain_location(detail["loc"]))
    return content


def _remove_word(content: Any, location: Sequence[str | int]) -> None:
    """Remove the innermost word at a location."""
    holder, name = None, None
    for part in location:
        if isinstance(content, dict) and part in content:
            holder, name = content, part
        elif not (isinstance(content, list) and isinstance(part, int) and part < len(content)):
            break
        content = content[part]
    if holder is not None:
        del holder[name]


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(sources: list[Source]) -> list[Source]:
        return [
            replace(source, path=_data_path(source.path or "", folder), join=_absolute_join(source.join, folder))
            for source in sources
        ]

    splits: dict[str, Any] = {name: absolute(getattr(recipe.data, name)) for name in ("train", "validation", "test")}
    models: dict[str, Any] = {name: _model_path(getattr(recipe, name), folder) for name in ("backbone", "start_from")}
    models["similarity"] = recipe.similarity and str(folder / home_replaced(recipe.similarity))
    tasks = [_with_absolute_teacher(task, folder) for task in recipe.tasks]
    output_dir = home_replaced(recipe.output_dir)
    return replace(recipe, data=replace(recipe.data, **splits), tasks=tasks, output_dir=output_dir, **models)


def _with_absolute_teacher(task: TaskRecipe, folder: Path) -> TaskRecipe:
    if task.teacher is None:
        return task
    given = task.teacher.model
    path = _data_path(given, folder) if names_table(given) else _model_path(given, folder)
    return replace(task, teacher=replace(task.teacher, model=str(path)))


def _absolute_join(join: Join | None, folder: Path) -> Join | None:
    return None if join is None else replace(join, path=_data_path(join.path or "", folder))


def _data_path(path: str, folder: Path) -> str:
    """Return a path relative to the recipe's folder, unless it is an address or can only be a data set on the Hub."""
    if is_address(path):
        return path
    there = str(folder / home_replaced(path))
    on_hub = not is_there(there) and why_local(path, folder) is None and is_on_hub(Source(path))
    return path if on_hub else there


def _model_path(model: str | None, folder: Path) -> str | None:
    """Return a local path relative to the recipe's folder, and a Hub id or package path unchanged."""
    if model is None or model.startswith("package:"):
        return model
    there = folder / home_replaced(model)
    return str(there) if is_folder(there) or why_local(model, folder) else model
