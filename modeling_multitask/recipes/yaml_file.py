"""Reading YAML 1.2, where `2e-5` is a number, and `yes` and `no` are strings."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import YAMLError

from datasets_builder.cell_words import cell_word

from ..errors import RecipeError
from ..files import is_file, is_folder

RECIPE_ENDINGS = (".yaml", ".yml")
MOST_BYTES = 1_000_000  # of a recipe
MOST_FROM_ALIASES = 1_000  # values that aliases repeat
DEEPEST = 50  # nested lists and tables
LABEL_WORDS = frozenset(
    {"labels", "aliases", "missing", "none", "missing_text", "where", "constant", "rename_labels", "parents"}
)


class _Constructor(SafeConstructor):
    """A constructor that reports the location of a value that does not match its tag, such as `!!int x`.

    It refuses documents that are nested too deeply, and aliases that repeat too many values: ten lines of aliases can
    stand for billions of values. Labels keep their spelling.

    Args:
        labels: Whether the whole document holds labels.
    """

    labels = False

    def construct_document(self, node: Any) -> Any:
        known: dict[int, int] = {}
        values = _count_values(node, known)
        if values - len(known) > MOST_FROM_ALIASES:
            problem = f"aliases repeat {values - len(known):,} values; the limit is {MOST_FROM_ALIASES:,}"
            raise ConstructorError(None, None, problem, node.start_mark)
        _keep_spelling(node, labels=self.labels)
        return super().construct_document(node)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
            if isinstance(value, str):
                value.encode()  # fails for half a surrogate pair, which no tokenizer takes
            return value
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            problem = f"{str(node.value)[:40]!r} does not match its YAML type or tag ({error})"
            raise ConstructorError(None, None, problem, node.start_mark) from None


class _LabelConstructor(_Constructor):
    """A constructor for a value of an override that holds labels."""

    labels = True


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file.

    Raises:
        RecipeError: If the file does not exist, is not YAML, or is not a table of words.
    """
    if not is_file(path):
        recipes = sorted(each.name for each in path.parent.glob("*.yaml")) if is_folder(path.parent) else []
        raise RecipeError(path, [f"no such file; recipes in this folder: {', '.join(recipes) or 'none'}"])
    if (size := path.stat().st_size) > MOST_BYTES:
        raise RecipeError(path, [f"the file has {size:,} bytes; a recipe has at most {MOST_BYTES:,}"])
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(path, [f"the file is not UTF-8 (byte {error.start}: {error.reason})"]) from None
    content = _parse(text, path)
    if not isinstance(content, dict):
        raise RecipeError(path, ["a recipe must be a table of words and values, such as `seed: 0`"])
    return content


def set_value(content: dict[str, Any], override: str, path: Path) -> None:
    """Apply an override such as `data.split.seed=1` or `tasks.0.weight=2` in place.

    Raises:
        RecipeError: If the override has another form, or its key leads through a value that is not a table or list.
    """
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(path, [f"{override!r} is not an override; write key=value, such as seed=1"])
    *parents, last = key.split(".")
    given = _parse(value, path, labels=not LABEL_WORDS.isdisjoint(key.split(".")))
    current: Any = content
    for parent in parents:
        current = _child(current, parent, override, path)
    if isinstance(current, list) and last.isdecimal() and int(last) < len(current):
        current[int(last)] = given
    elif isinstance(current, dict):
        current[last] = given
    else:
        raise RecipeError(path, [f"override {override!r}: {last!r} does not exist"])


def _child(current: Any, name: str, override: str, path: Path) -> Any:
    if isinstance(current, list) and name.isdecimal() and int(name) < len(current):
        return current[int(name)]
    if isinstance(current, dict):
        if current.get(name) is None:
            current[name] = {}
        return current[name]
    raise RecipeError(path, [f"override {override!r}: {name!r} does not exist"])


def _count_values(node: Any, known: dict[int, int], depth: int = 0) -> int:
    """Return the number of values that a node stands for, with all aliases expanded.

    Args:
        node: The node.
        known: The numbers that are known already, by the identity of the node. Each node is added.
        depth: The number of lists and tables around the node.

    Raises:
        RecursionError: If lists and tables are nested too deeply.
    """
    if depth > DEEPEST:
        raise RecursionError
    if id(node) not in known:
        parts = [] if isinstance(node.value, str) else node.value
        children = [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_count_values(child, known, depth + 1) for child in children)
    return known[id(node)]


def _keep_spelling(node: Any, *, labels: bool) -> None:
    """Make texts of the numbers and days that are labels and lose their spelling, such as 007, 1e3 and 1_000.

    Args:
        node: The node.
        labels: Whether it is a label or holds labels.
    """
    if isinstance(node.value, str):
        if labels and node.tag.endswith((":int", ":float", ":timestamp")) and _loses_its_spelling(node.value):
            node.tag = "tag:yaml.org,2002:str"
        return
    for part in node.value:
        if isinstance(part, tuple):
            name, value = part
            _keep_spelling(name, labels=labels)
            _keep_spelling(value, labels=labels or name.value in LABEL_WORDS)
        else:
            _keep_spelling(part, labels=labels)


def _loses_its_spelling(text: str) -> bool:
    """Return whether the word of a number is not the number as it is written."""
    try:
        return cell_word(float(text) if re.search(r"[.eE]", text) else int(text)) != cell_word(text)
    except ValueError:
        return not re.fullmatch(r"[-+]?\.(inf|nan)", text, re.I)


def _parse(text: str, path: Path, *, labels: bool = False) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _LabelConstructor if labels else _Constructor
    try:
        return yaml.load(StringIO(text))
    except YAMLError as error:
        problem = str(error).partition("To suppress this check")[0]  # advice for programs, on a name that occurs twice
        raise RecipeError(path, [f"not YAML: {' '.join(problem.split())}"]) from None
    except RecursionError:
        raise RecipeError(path, [f"lists and tables are nested deeper than {DEEPEST} levels"]) from None
    except (ValueError, TypeError, ArithmeticError) as error:  # such as "\U00110000", which is not a character
        raise RecipeError(path, [f"not YAML: {error}"]) from None
