"""The plot of text similarities."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from modeling_multitask.inference.similarity_plot import MOST_LABELS, MOST_NUMBERS, draw_matrix

MATRIX = np.array([[1.0, 0.25, -0.35], [0.25, 1.0, 0.001], [-0.35, 0.001, 1.0]])
TEXTS = ["Great soup.", "I like\nsoup for $5 \\or $6.", "x" * 60]


def drawn(matrix: np.ndarray, texts: list[str], folder: Path) -> list[str]:
    """Return the texts in the plot. In SVG, matplotlib writes each text as a comment before its outlines."""
    draw_matrix(matrix, texts, folder / "matrix.svg")
    return re.findall("<!-- (.*) -->", (folder / "matrix.svg").read_text(encoding="utf-8"))


def test_a_png_is_written(tmp_path: Path) -> None:
    draw_matrix(MATRIX, TEXTS, tmp_path / "matrix.png")

    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")


def test_every_text_is_named_with_its_number(tmp_path: Path) -> None:
    words = drawn(MATRIX, TEXTS, tmp_path)

    assert {"Great soup.  1", "I like soup for $5 \\or $6.  2", "x" * 39 + "…  3"} <= set(words)


def test_every_cosine_stands_in_its_cell(tmp_path: Path) -> None:
    words = drawn(MATRIX, TEXTS, tmp_path)

    assert [each for each in words if re.fullmatch(r"-?\d\.\d\d", each)] == [
        *("1.00", "0.25", "-0.35"),
        *("0.25", "1.00", "0.00"),
        *("-0.35", "0.00", "1.00"),
    ]


def test_of_many_texts_no_cosine_is_written(tmp_path: Path) -> None:
    count = MOST_NUMBERS + 1

    words = drawn(np.full((count, count), 0.123), [f"text {i}" for i in range(count)], tmp_path)

    assert f"text {count - 1}  {count}" in words
    assert "0.12" not in words


def test_of_very_many_texts_only_their_number_is_written(tmp_path: Path) -> None:
    count = MOST_LABELS + 1

    words = drawn(np.full((count, count), 0.123), [f"text {i}" for i in range(count)], tmp_path)

    assert f"{count} texts, the first on the left and at the top" in words
    assert not [each for each in words if each.startswith("text ")]


@pytest.mark.parametrize(("matrix", "lowest"), [(np.array([[1, 0.5], [0.5, 1]]), "0.0"), (MATRIX, "−0.2")])
def test_colours_begin_at_0_or_the_lowest_cosine_below(tmp_path: Path, matrix: np.ndarray, lowest: str) -> None:
    words = drawn(matrix, TEXTS[: len(matrix)], tmp_path)

    scale = [each for each in words if re.fullmatch(r"−?\d\.\d", each)]
    assert (scale[0], scale[-1]) == (lowest, "1.0")


def test_the_picture_needs_the_extra_that_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match=r"matplotlib is not installed; .*extra 'plots'"):
        draw_matrix(MATRIX, TEXTS, tmp_path / "matrix.png")
