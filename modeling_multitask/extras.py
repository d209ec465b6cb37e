"""Optional packages, imported where they are used."""

import importlib
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from packaging.requirements import Requirement


def import_extra(module: str, extra: str) -> Any:
    """Import an optional module.

    Args:
        module: The dotted name.
        extra: The extra in setup.cfg that installs it.

    Raises:
        ImportError: If it is not installed. The message contains the install command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".", maxsplit=1)[0]
        needed = " ".join(f"'{each}'" for each in _requirements(extra)) or package
        raise ImportError(
            f"{package} is not installed; it comes with the extra {extra!r} of modeling-multitask: pip install {needed}"
        ) from error


def _requirements(extra: str) -> list[str]:
    """Return the requirements of an extra, such as `gradio>=6.31`. Empty if this package is not installed."""
    try:
        given = [Requirement(line) for line in requires("modeling-multitask") or []]
    except PackageNotFoundError:  # imported from a path, not installed
        return []
    chosen = [each for each in given if each.marker and each.marker.evaluate({"extra": extra})]
    return [f"{each.name}{each.specifier}" for each in chosen if each.name != "modeling-multitask"]
