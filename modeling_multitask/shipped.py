"""Files that ship with the package and are not Python: the bundled recipes, the launch files, the card's template."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Where a file or folder lies, such as `configuration/recipes` or `model_card.md`.

    A wheel carries them inside the package (see setup.py); a checkout has them at its root.
    """
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
