"""Pictures with matplotlib, an optional dependency, drawn without a display."""

from pathlib import Path
from typing import Any

from .extras import import_extra
from .files import whole_file


def new_figure(**settings: Any) -> Any:
    """Return a matplotlib figure.

    It does not use pyplot, which would choose a backend for the whole process and keep the figure in memory.

    Args:
        settings: Arguments of `matplotlib.figure.Figure`, such as `figsize` in inches, `dpi` and `layout`.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    return import_extra("matplotlib.figure", extra="plots").Figure(**settings)


def save_figure(figure: Any, path: Path, **settings: Any) -> None:
    """Save a figure atomically. The file extension decides the format."""
    with whole_file(path) as partial:
        figure.savefig(partial, format=path.suffix.removeprefix("."), **settings)


def plain_text() -> Any:
    """Return a context in which a dollar sign in a text does not start a formula."""
    return import_extra("matplotlib", extra="plots").rc_context({"text.parse_math": False})
