"""The plots of a report are readable for 2 to 151 classes, with unchanged names and nothing outside the frame."""

import sys
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from modeling_multitask.evaluation.calibration import BINS, Reliability
from modeling_multitask.evaluation.report_plot import (
    MOST_CLASSES,
    SHOWN_OF_MANY,
    draw_confusion,
    draw_reliability,
    draw_scatter,
    shown_matrix,
)

STRANGE = ["costs $5 or $6", r"$\frac{1}{0", "under_score", "two\nlines", "x" * 200]


def confusion_of(classes: int, *, not_asked: int = 0) -> np.ndarray:
    """Nine of ten rows right, the others answered by the next class."""
    confusion = np.zeros((classes, classes + 1), dtype=int)
    np.fill_diagonal(confusion, 9)
    confusion[np.arange(classes), (np.arange(classes) + 1) % classes] += 1
    confusion[0, -1] = not_asked
    return confusion


def reliability_of(accuracy: float) -> Reliability:
    scores = (np.arange(BINS) + 0.5) / BINS
    scores[:5] = np.nan
    return Reliability(scores, np.where(np.isnan(scores), np.nan, accuracy), np.where(np.isnan(scores), 0, 10))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they are saved, laid out."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **settings: Any) -> None:
        save(figure, *arguments, **settings)
        figures.append(figure)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def words(texts: Any) -> list[str]:
    return [each.get_text() for each in texts]


@pytest.mark.parametrize("classes", [2, MOST_CLASSES])
def test_few_classes_are_all_shown_with_their_counts(classes: int, drawn: list[Figure]) -> None:
    labels = [f"label {i}" for i in range(classes)]

    png = draw_confusion(labels, confusion_of(classes))

    axes = drawn[0].axes[0]
    assert png.startswith(b"\x89PNG")
    assert words(axes.get_yticklabels()) == words(axes.get_xticklabels()) == labels
    assert sorted(words(axes.texts)) == ["1"] * classes + ["9"] * classes


def test_rows_that_were_not_asked_have_a_column_where_there_are_any(drawn: list[Figure]) -> None:
    draw_confusion(["a", "b"], confusion_of(2, not_asked=4))

    axes = drawn[0].axes[0]
    assert words(axes.get_xticklabels()) == ["a", "b", "not asked"]
    assert "4" in words(axes.texts)


def test_of_many_classes_those_in_most_errors_are_shown_and_the_others_together() -> None:
    confusion = confusion_of(151)
    confusion[7, 140] = 50

    matrix = shown_matrix([f"intent {i}" for i in range(151)], confusion)

    assert matrix.lines == matrix.columns
    assert (len(matrix.lines), matrix.lines[-1]) == (SHOWN_OF_MANY + 1, "all others")
    assert matrix.lines[:2] == ["intent 7", "intent 140"]  # the most frequently confused labels are neighbours
    assert matrix.counts[0, 1] == 50
    assert matrix.counts.sum() == confusion.sum()
    assert matrix.title.endswith(f"the {SHOWN_OF_MANY} of 151 labels with the most errors")


def test_of_all_others_together_it_is_not_said_what_is_right(drawn: list[Figure]) -> None:
    draw_confusion([f"intent {i}" for i in range(151)], confusion_of(151))

    axes = drawn[0].axes[0]
    last = [each.get_text() for each in axes.texts if each.get_position() == (SHOWN_OF_MANY, SHOWN_OF_MANY)]
    assert last == ["·"]


def test_many_classes_and_rows_that_were_not_asked_have_both_columns() -> None:
    matrix = shown_matrix([f"intent {i}" for i in range(30)], confusion_of(30, not_asked=3))

    assert matrix.columns[-2:] == ["all others", "not asked"]
    assert matrix.counts[:, -1].sum() == 3


def test_names_are_drawn_as_they_are_written_but_cut(drawn: list[Figure]) -> None:
    draw_confusion(STRANGE, confusion_of(5))

    labels = drawn[0].axes[0].get_yticklabels()
    assert words(labels) == ["costs $5 or $6", r"$\frac{1}{0", "under_score", "two lines", "x" * 25 + "…"]
    assert not any(label.get_parse_math() for label in labels)


@pytest.mark.compat
@pytest.mark.parametrize("classes", [2, 5, 30])
def test_nothing_lies_outside_the_picture(classes: int, drawn: list[Figure]) -> None:
    draw_confusion([f"{'long ' * 8}{i}" for i in range(classes)], confusion_of(classes))

    box = drawn[0].axes[0].get_tightbbox()
    assert all(drawn[0].bbox.contains(*corner) for corner in (box.min, box.max))


def test_scores_before_and_after_have_a_line_each_with_its_error(drawn: list[Figure]) -> None:
    before, after = reliability_of(0.5), reliability_of(0.6)

    draw_reliability(before, after)

    lines = words(drawn[0].axes[0].get_legend().get_texts())[1:]
    assert lines == [f"uncalibrated: ECE {before.error:.3f}", f"as the model answers: ECE {after.error:.3f}"]
    assert drawn[0].axes[0].lines[1].get_xdata().tolist() == before.scores[5:].tolist()  # empty bins have no dot


def test_scores_that_are_the_same_have_one_line(drawn: list[Figure]) -> None:
    draw_reliability(reliability_of(0.5), reliability_of(0.5))

    assert len(drawn[0].axes[0].get_legend().get_texts()) == 2  # it, and the diagonal


def test_the_histogram_below_is_of_shares(drawn: list[Figure]) -> None:
    draw_reliability(reliability_of(0.5), reliability_of(0.6))

    assert drawn[0].axes[1].patches[1].get_data().values.tolist() == [0] * 5 + [0.1] * 10


@pytest.mark.parametrize("count", [1, 2, 5_000])
def test_numbers_stand_in_a_square_whose_diagonal_is_right(count: int, drawn: list[Figure]) -> None:
    truth = np.arange(count, dtype=float)

    draw_scatter(truth, truth + 1)

    axes = drawn[0].axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > count
    assert len(axes.collections[0].get_offsets()) == count


def test_numbers_that_are_all_the_same_can_be_drawn(drawn: list[Figure]) -> None:
    draw_scatter(np.ones(3), np.ones(3))

    assert drawn[0].axes[0].get_xlim() == pytest.approx((0.96, 1.04))


def test_pictures_need_the_extra_that_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match=r"matplotlib is not installed; .*extra 'plots'"):
        draw_scatter(np.ones(2), np.ones(2))
