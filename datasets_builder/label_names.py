"""The names of labels in a file, for tables that hold the ids."""

from pathlib import Path
from typing import Any

from modeling_multitask.errors import DataError
from modeling_multitask.paths_multitask import home_replaced

from .addresses import is_address
from .remote import local_copy


def named_task(task: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Return a task with the labels of its file `names`, and with the ids as their aliases.

    Args:
        task: The settings of the task.
        folder: The folder that the path is relative to, by default the current one.

    Raises:
        DataError: If the task has `labels` too, or the file cannot be downloaded or read, or has an empty or a repeated
            line.
    """
    settings = {name: value for name, value in task.items() if name != "names"}
    if (given := task.get("names")) is None:
        return settings
    if task.get("labels") is not None or task.get("num_labels") is not None:
        raise DataError("names cannot be combined with labels; leave one out")
    labels = read_names(_file_of_names(given, folder or Path()))
    ids = {str(number): label for number, label in enumerate(labels)}
    return settings | {"labels": labels, "aliases": ids | (task.get("aliases") or {})}


def _file_of_names(given: str, folder: Path) -> Path:
    if not is_address(given):
        return folder / home_replaced(given)
    try:
        return local_copy(given)
    except DataError as error:
        raise DataError(f"names: {error}") from None


def read_names(path: Path) -> list[str]:
    """Return the lines of a file. The first one is the name of the id 0.

    Raises:
        DataError: If the file cannot be read or has an empty or a repeated line.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().split("\n")]
    except UnicodeDecodeError as error:
        raise DataError(f"names: {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"names: {path} cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, start=1):
        if not line:
            raise DataError(f"names: {path}, line {number}: is empty; each line must be the name of one id")
        if line in lines[: number - 1]:
            raise DataError(f"names: {path}, line {number}: {line!r} is already the name of another id")
    return lines
