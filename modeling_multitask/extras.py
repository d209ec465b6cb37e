"""Packages that only some users need, imported where they are used."""

import importlib
from typing import Any


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
        raise ImportError(
            f"{package} is not installed; it comes with the extra {extra!r}: pip install 'modeling-multitask[{extra}]'"
        ) from error
