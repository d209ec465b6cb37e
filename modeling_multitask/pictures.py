"""Pictures by matplotlib, an optional dependency, drawn without a display."""

from pathlib import Path
from typing import Any

from .extras import import_extra
from .files import whole_file


def new_figure(**settings: Any) -> Any:
    """A matplotlib figure.

    Not one of pyplot's, which would choose a backend for the whole process and keep the figure in memory.

    Args:
        settings: As for `matplotlib.figure.Figure`: `figsize` in inches, `dpi`, `layout`.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return import_extra("matplotlib.figure", extra="plots").Figure(**settings)


def save_figure(figure: Any, path: Path, **settings: Any) -> None:
    """Save a figure, complete or not at all; the file's ending decides the format."""
    with whole_file(path) as partial:
        figure.savefig(partial, format=path.suffix.removeprefix("."), **settings)


def plain_text() -> Any:
    """A context in which a dollar sign in a text is a dollar sign, not the start of a formula."""
    return import_extra("matplotlib", extra="plots").rc_context({"text.parse_math": False})
