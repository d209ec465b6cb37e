"""YAML 1.2, where `2e-5` is a number and `yes` and `no` are words."""

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError

from ..errors import RecipeError
from ..files import is_file, is_folder

RECIPE_ENDINGS = (".yaml", ".yml")


class _Constructor(SafeConstructor):
    """One that tells where a value is that its form or tag does not fit, such as `!!int x` or 2026-13-45."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
            if isinstance(value, str):
                value.encode()  # "\\ud800" is half a character, which no file and no tokenizer takes
            return value
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            problem = f"{str(node.value)[:40]!r} is not what its form or tag says ({error})"
            raise ConstructorError(None, None, problem, node.start_mark) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        RecipeError: If there is no such file, or it is not YAML, or no table of words.
    """
    if not is_file(path):
        beside = sorted(each.name for each in path.parent.glob("*.yaml")) if is_folder(path.parent) else []
        raise RecipeError(path, [f"no such file; recipes there: {', '.join(beside) or 'none'}"])
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(path, [f"not a text in UTF-8 (byte {error.start}: {error.reason})"]) from None
    content = _parse(text, path)
    if not isinstance(content, dict):
        raise RecipeError(path, ["a recipe is a table of words and values"])
    return content


def set_value(content: dict[str, Any], override: str, path: Path) -> None:
    """Sets one value, as `data.split.seed=1` or `tasks.0.weight=2` say it, in place.

    Raises:
        RecipeError: If the override is not of that form or leads through something that holds no words.
    """
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(path, [f"{override!r} is not an override; write key=value, such as seed=1"])
    *parents, last = key.split(".")
    current: Any = content
    for parent in parents:
        current = _child(current, parent, override, path)
    if isinstance(current, list) and last.isdecimal() and int(last) < len(current):
        current[int(last)] = _parse(value, path)
    elif isinstance(current, dict):
        current[last] = _parse(value, path)
    else:
        raise RecipeError(path, [f"override {override!r}: there is no {last!r} to set"])


def _child(current: Any, name: str, override: str, path: Path) -> Any:
    if isinstance(current, list) and name.isdecimal() and int(name) < len(current):
        return current[int(name)]
    if isinstance(current, dict):
        if current.get(name) is None:
            current[name] = {}
        return current[name]
    raise RecipeError(path, [f"override {override!r}: there is no {name!r}"])


def _parse(text: str, path: Path) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        return yaml.load(StringIO(text))
    except YAMLError as error:
        raise RecipeError(path, [f"not YAML: {' '.join(str(error).split())}"]) from None
    except RecursionError:
        raise RecipeError(path, ["its lists and tables are nested too deeply"]) from None
    except (ValueError, TypeError, ArithmeticError) as error:  # such as "\U00110000", which is no character
        raise RecipeError(path, [f"not YAML: {error}"]) from None
