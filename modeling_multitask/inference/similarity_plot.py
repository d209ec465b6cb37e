"""A picture of how alike texts are: the cosine of every two.

Shapes: N texts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets_builder.extras import import_extra
from datasets_builder.look import on_one_line

MOST_NUMBERS = 15  # texts up to which every cosine is written into its cell
MOST_LABELS = 50  # texts up to which each is named
_MAX_LABEL = 40  # letters of a text
_INCHES = 0.42  # of a cell
_LARGEST = 10.0  # inches, however many cells


def draw_matrix(matrix: np.ndarray, texts: Sequence[str], path: Path) -> None:
    """Draws the cosine of every two texts, in the order they were given; the darker, the more alike.

    Args:
        matrix: (N, N), from -1 to 1.
        texts: N of them; left out where they are more than `MOST_LABELS`.
        path: The file; its ending says the format.

    Raises:
        ImportError: If matplotlib is not installed; the message names the extra.
    """
    figure_class = import_extra("matplotlib.figure", extra="plots").Figure
    side = min(_INCHES * max(len(texts), 4), _LARGEST)
    beside = 3.2 if len(texts) <= MOST_LABELS else 0.6
    with import_extra("matplotlib", extra="plots").rc_context({"text.parse_math": False}):  # a $ is a $
        figure = figure_class(figsize=(side + beside + 0.9, side + 0.9), dpi=180, layout="constrained")
        axes = figure.add_subplot()
        # From 0 on, unless some are below: the colours of two pictures can be compared.
        image = axes.imshow(matrix, cmap="Blues", vmin=min(0, matrix.min()), vmax=1)
        figure.colorbar(image, ax=axes, label="cosine", shrink=0.8).outline.set_visible(False)
        _name(axes, texts)
        if len(texts) <= MOST_NUMBERS:
            _write_numbers(axes, matrix, image.norm)
        figure.savefig(path)


def _name(axes: Any, texts: Sequence[str]) -> None:
    """Numbers above, and beside the numbers the texts."""
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    if len(texts) > MOST_LABELS:
        axes.set_xlabel(f"{len(texts):,} texts, the first on the left and above")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    numbers = range(1, len(texts) + 1)
    names = [f"{on_one_line(text, _MAX_LABEL)}  {number}" for number, text in zip(numbers, texts, strict=True)]
    size = 8.5 if len(texts) <= MOST_NUMBERS else 6
    axes.set_xticks(range(len(texts)), numbers, fontsize=size)
    axes.set_yticks(range(len(texts)), names, fontsize=size)


def _write_numbers(axes: Any, matrix: np.ndarray, norm: Any) -> None:
    for (y, x), cosine in np.ndenumerate(matrix):
        colour = "white" if norm(cosine) > 0.55 else "black"
        axes.text(x, y, f"{cosine:z.2f}", ha="center", va="center", fontsize=8, color=colour)
