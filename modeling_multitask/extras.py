"""Packages that only some users need, imported where they are used."""

import importlib
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from packaging.requirements import Requirement


def import_extra(module: str, extra: str) -> Any:
    """The module, or an error that says how to install it.

    Args:
        module: Dotted name.
        extra: The extra of setup.cfg that brings it.

    Raises:
        ImportError: If it is not installed.
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
    """What the extra brings, such as `gradio>=6.31`; empty if this package is not installed."""
    try:
        given = [Requirement(line) for line in requires("modeling-multitask") or []]
    except PackageNotFoundError:  # found by its path
        return []
    chosen = [each for each in given if each.marker and each.marker.evaluate({"extra": extra})]
    return [f"{each.name}{each.specifier}" for each in chosen if each.name != "modeling-multitask"]
