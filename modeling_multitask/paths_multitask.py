"""Find the folder that a user names. A path that can only be local is never looked up on the Hub."""

import importlib.util
import os
from pathlib import Path

from .words_multitask import nearest_hint


def resolve_model_path(model: str | os.PathLike) -> str:
    """Return the folder of a model, with `~` and `package:NAME/FOLDER` replaced. A Hub id is returned unchanged.

    Raises:
        FileNotFoundError: If a local path (see `why_local`) is not a folder, or the package is not installed or does
            not contain the folder.
    """
    model = os.fspath(model)
    if model.startswith("package:"):
        return _in_package(model)
    path = home_replaced(model)
    if os.path.isdir(path):  # noqa: PTH112, also false for a name that is too long
        return path
    if (reason := why_local(model)) is not None:
        raise FileNotFoundError(
            f"{model}: not a local folder ({_missing(path)}). It is not looked up on the Hub, because {reason}. Check "
            f"the path{_hint(path)}"
        )
    return model


def why_local(name: str, folder: str | os.PathLike = "") -> str | None:
    """Return why a name is a local path and no id on the Hub, or `None` if it may be an id.

    Args:
        name: The name.
        folder: The folder that relative paths begin at. By default the working folder.
    """
    first, slash, _ = name.partition("/")
    if name.startswith((".", "/", "~")) or os.path.isabs(name):  # noqa: PTH117
        return f"it begins with {name[0]!r}"
    if name.count("/") > 1:
        return "it has more than one '/'"
    if slash and os.path.isdir(os.path.join(folder, first)):  # noqa: PTH112, PTH118
        return f"{first!r} is a local folder"
    if not slash and os.path.isfile(os.path.join(folder, name)):  # noqa: PTH113, PTH118
        return "it is a local file"
    return None


def home_replaced(path: str) -> str:
    """Return a path with `~` replaced by the home folder."""
    return os.path.expanduser(path)  # noqa: PTH111, which would also change `./`


def _in_package(model: str) -> str:
    package, _, folder = model.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"{model}: the Python package {package!r} is not installed; install the package that contains the model"
        )
    path = Path(spec.submodule_search_locations[0]) / folder
    if not path.is_dir():
        raise FileNotFoundError(f"{model}: the package {package!r} has no folder {folder!r}")
    return str(path)


def _missing(path: str) -> str:
    absolute = os.path.abspath(path)  # noqa: PTH100, which keeps links
    return f"{absolute} is a file" if os.path.isfile(path) else f"{absolute} does not exist"  # noqa: PTH113


def _hint(path: str) -> str:
    """Return `; did you mean 'x'?` for the first part of a path that does not exist."""
    missing = Path(path).absolute()
    while not os.path.isdir(missing.parent) and missing != missing.parent:  # noqa: PTH112
        missing = missing.parent
    try:
        there = [each.name for each in missing.parent.iterdir() if each.is_dir()]
    except OSError:
        there = []
    return nearest_hint(missing.name, there)
