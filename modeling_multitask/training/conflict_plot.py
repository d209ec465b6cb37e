"""A picture of how far the tasks' gradients agree."""

from pathlib import Path
from typing import Any


def draw_conflicts(log_history: list[dict[str, Any]], path: Path) -> None:
    """Draws the cosines over steps."""
    raise NotImplementedError  # being written
