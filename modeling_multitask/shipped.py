"""Data files that ship with the package: the bundled recipes, the launch files and the template of the card."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Return the path of a shipped file or folder, such as `configuration/recipes` or `model_card.md`.

    A wheel has them inside the package (see setup.py). A checkout has them in its root folder.
    """
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
