"""Draw the picture of the front page: `python docs/one_pass.py` writes docs/one_pass.png (extra: plots)."""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

mpl.use("Agg")

TEXT = "“The battery died\nwithin a day.”"
HEADS = {
    "domain": ("product", "#0072b2"),
    "sentiment": ("negative", "#d55e00"),
    "tags": ("battery, defect", "#007a5a"),
    "stars": ("1.4", "#a0457e"),
}
INK, PAPER, SOFT = "#1f2933", "#ffffff", "#eef2f6"


def draw(path: Path) -> None:
    """Draw text, encoder, heads, answers and embedding from left to right, and write the picture."""
    figure, axes = plt.subplots(figsize=(10, 3.6), dpi=160)
    axes.set(xlim=(0, 100), ylim=(0, 33))
    axes.axis("off")
    _box(axes, 1, 14, 18, 8, TEXT, style="italic")
    for layer in range(3):
        _box(axes, 25 + layer, 11 + layer, 16, 12, "", fill=SOFT)
    _box(axes, 28, 14, 16, 12, "encoder:\nany transformer", fill=SOFT)
    _box(axes, 51, 14, 12, 8, "embedding", fill=SOFT)
    _arrow(axes, (19, 18), (25, 18))
    _arrow(axes, (44, 18), (51, 18))
    for row, (task, (answer, colour)) in enumerate(HEADS.items()):
        middle = 29 - 7 * row
        _box(axes, 69, middle - 2.3, 12, 4.6, task, edge=colour)
        _arrow(axes, (63, 18), (69, middle), colour)
        _arrow(axes, (81, middle), (86, middle), colour)
        axes.text(87, middle, answer, va="center", fontsize=10.5, color=colour, weight="bold")
    _arrow(axes, (57, 14), (57, 4.8))
    axes.text(57, 2.4, "for search\nand clustering", ha="center", va="center", fontsize=9, color=INK)
    axes.text(34, 8.3, "one forward pass", ha="center", va="center", fontsize=9, color=INK)
    axes.text(81, 3.2, "one head for each task", ha="center", va="center", fontsize=9, color=INK)
    figure.savefig(path, bbox_inches="tight", facecolor=PAPER, metadata={"Software": None})


def _box(axes: Axes, x: float, y: float, width: float, height: float, text: str, **look: str) -> None:
    """Draw a rounded box with a text in its middle; `look` has its fill, edge and style of text."""
    edge = look.get("edge", INK)
    box = FancyBboxPatch(
        (x, y),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=1.2",
        facecolor=look.get("fill", PAPER),
        edgecolor=edge,
        linewidth=1.4,
    )
    axes.add_patch(box)
    style = look.get("style", "normal")
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=10, color=edge, style=style)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.4})


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
