"""Markdown for cards. Names and texts are escaped."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from typing import Any
from urllib.parse import quote

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from markupsafe import Markup
from packaging.requirements import Requirement

from ...files import is_there
from ...hub.markdown import escape_markdown

# Not this machine's endpoint, which may be a mirror: cards are read on other machines.
HUB = "https://huggingface.co"


def plain(given: Any) -> Markup:
    r"""Return a name, label or text on one line, escaped so that it is not read as Markdown, HTML or a formula.

    A backslash becomes an entity, because the Hub reads `\\(` as the start of a formula before it reads Markdown
    (https://huggingface.co/docs/hub/model-cards#can-i-write-latex-in-my-model-card).
    """
    return Markup(escape_markdown(str(given)).replace(r"\\", "&#92;"))


def listed(given: Iterable[Any]) -> Markup:
    """Return the escaped values as a list, such as `red, green, blue`."""
    return Markup(", ".join(map(plain, given)))


def link(repo_id: str, kind: str = "") -> Markup:
    """Return a Markdown link to a repository on the Hub.

    Args:
        repo_id: Id of the repository, or slug of a collection.
        kind: Prefix in the address, such as `datasets/`. Empty for a model.
    """
    return Markup(f"[{plain(repo_id)}]({HUB}/{kind}{quote(repo_id)})")


def requirement(name: str) -> str:
    """Return a requirement with the lowest tested version, such as `torch>=2.13`, or else the name alone."""
    try:
        lines = requires("modeling-multitask") or []
    except PackageNotFoundError:  # imported from a path, not installed
        lines = []
    found = (Requirement(line) for line in lines)
    return next((f"{each.name}{each.specifier}" for each in found if each.name == name), name)


def setting_in_words(given: Any) -> str:
    """Return a setting on one line, such as `heads 0.001, backbone 0.0002`. Empty values are left out."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, float):
        return f"{given:g}"
    if isinstance(given, dict):
        said = {name: value for name, value in given.items() if value not in (None, [], {})}
        return ", ".join(f"{name} {_nested(value)}" for name, value in said.items())
    if isinstance(given, list | tuple):
        return ", ".join(map(_nested, given))
    return str(given)


def duration(seconds: float) -> str:
    """Return a duration with its unit, such as `12 minutes`."""
    for limit, size, unit in ((120, 1, "seconds"), (120 * 60, 60, "minutes")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.1f} hours"


def file_name(path: str) -> str:
    """Return the last part of a path of any system, so that a card shows no folder of a machine."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", maxsplit=1)[-1]


def hub_model(name: str | None) -> str | None:
    """Return the name if it is the id of a model on the Hub, and not a folder or a file of a package."""
    if name is None or is_there(name):
        return None
    try:
        validate_repo_id(name)
    except HFValidationError:
        return None
    return name


def _nested(given: Any) -> str:
    several = isinstance(given, dict) or (isinstance(given, list | tuple) and len(given) > 1)
    return f"({setting_in_words(given)})" if several else setting_in_words(given)
