"""A plot of text similarities: the cosine of every two texts.

Shapes: N texts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..pictures import new_figure, plain_text, save_figure
from ..wording import on_one_line

MOST_NUMBERS = 15  # the most texts for which every cosine is written into its cell
MOST_LABELS = 50  # the most texts for which each text is written next to its row
_MAX_LABEL = 40  # characters of a text
_LETTERS = 8.5  # font size in points
_INCHES = 0.42  # size of a cell
_LARGEST = 9.0  # inches of all cells together


def draw_matrix(matrix: np.ndarray, texts: Sequence[str], path: Path) -> None:
    """Draw the cosine of every two texts in their given order. A darker cell means more similar texts.

    Args:
        matrix: (N, N), from -1 to 1.
        texts: The N texts, which are not shown if there are more than `MOST_LABELS`.
        path: The file. Its ending sets the format.

    Raises:
        ImportError: If matplotlib is not installed. The message names the extra to install.
    """
    side = min(_INCHES * max(len(texts), 4), _LARGEST)
    with plain_text():
        figure = new_figure(figsize=(side, side), dpi=180)
        axes = figure.add_axes((0, 0, 1, 1))
        # The scale starts at 0 unless a cosine is negative, so that the colours of several plots are comparable.
        image = axes.imshow(matrix, cmap="Blues", vmin=min(0, matrix.min()), vmax=1)
        _add_scale(axes, image)
        _name(axes, texts)
        if len(texts) <= MOST_NUMBERS:
            _write_numbers(axes, matrix, image.norm)
        save_figure(figure, path, bbox_inches="tight", pad_inches=0.15)


def _add_scale(axes: Any, image: Any) -> None:
    scale = axes.figure.colorbar(image, ax=axes, cax=axes.inset_axes((1.04, 0, 0.03, 1)))
    scale.set_label("cosine", fontsize=_LETTERS)
    scale.ax.tick_params(labelsize=_LETTERS)
    scale.outline.set_visible(False)


def _name(axes: Any, texts: Sequence[str]) -> None:
    """Write numbers above the columns, and texts with numbers next to the rows."""
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    if len(texts) > MOST_LABELS:
        axes.set_xlabel(f"{len(texts):,} texts, the first on the left and at the top", fontsize=_LETTERS)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    numbers = range(1, len(texts) + 1)
    names = [f"{on_one_line(text, _MAX_LABEL)}  {number}" for number, text in zip(numbers, texts, strict=True)]
    size = _LETTERS if len(texts) <= MOST_NUMBERS else 6
    axes.set_xticks(range(len(texts)), numbers, fontsize=size)
    axes.set_yticks(range(len(texts)), names, fontsize=size)


def _write_numbers(axes: Any, matrix: np.ndarray, norm: Any) -> None:
    for (y, x), cosine in np.ndenumerate(matrix):
        colour = "white" if norm(cosine) > 0.6 else "black"
        axes.text(x, y, f"{cosine:z.2f}", ha="center", va="center", fontsize=8, color=colour)
