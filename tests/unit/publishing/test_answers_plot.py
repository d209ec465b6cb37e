"""The plot of a model's answers to a text."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from modeling_multitask.kinds_multitask import KINDS
from modeling_multitask.publishing.answers_plot import MOST_BARS, draw_answers
from modeling_multitask.publishing.demo.task_answers import Option, TaskAnswer
from tests.unit.evaluation.test_report_plot import drawn, words

__all__ = ["drawn"]  # a fixture

TOPIC = TaskAnswer("topic", KINDS["single_label_classification"], [Option("film", 0.9, True), Option("food", 0.1)])
MANY = TaskAnswer("intent", KINDS["single_label_classification"], [Option(f"i{n}", 0.01, n == 0) for n in range(100)])
STRANGE = replace(TOPIC, options=[Option(r"$\frac{1}{0", 0.6, True), Option("x" * 200, 0.3), Option("a\nb", 0.1)])
SILENT = replace(TOPIC, options=[Option("film", 0.6), Option("food", 0.4)], note="no answer: because")


def axes_of(drawn: list[Figure]) -> Axes:
    return drawn[0].axes[0]


def test_each_task_has_its_answer_and_its_scores(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([TOPIC, TaskAnswer("rating", KINDS["regression"], number=1.5)], "a film", tmp_path / "answers.png")

    assert (tmp_path / "answers.png").read_bytes().startswith(b"\x89PNG")
    said = ["“a film”", "topic", "film", "film", "0.90", "food", "0.10", "rating", "1.5"]
    assert words(axes_of(drawn).texts) == said


def test_a_bar_is_as_long_as_its_score(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([TOPIC], "a film", tmp_path / "answers.png")

    whole, film, _, food = (bar.get_width() for bar in axes_of(drawn).patches)
    assert (film / whole, food / whole) == pytest.approx((0.9, 0.1))


def test_of_many_labels_the_rest_is_said_with_its_sum(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([MANY], "a film", tmp_path / "answers.png")

    assert len(axes_of(drawn).patches) == 2 * MOST_BARS
    assert words(axes_of(drawn).texts)[-1] == "95 more labels, total 0.95"


def test_the_rest_of_several_labels_has_no_sum(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([replace(MANY, kind=KINDS["multi_label_classification"])], "a film", tmp_path / "answers.png")

    assert words(axes_of(drawn).texts)[-1] == "95 more labels"


def test_why_there_is_no_answer_is_drawn(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([SILENT], "a film", tmp_path / "answers.png")

    assert "no answer: because" in words(axes_of(drawn).texts)


def test_a_question_that_is_not_asked_has_no_bars(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([replace(SILENT, asked=False)], "a film", tmp_path / "answers.png")

    assert len(axes_of(drawn).patches) == 0


def test_a_threshold_is_a_line_across_its_bar(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([replace(TOPIC, options=[Option("film", 0.9, True, 0.5)])], "a film", tmp_path / "answers.png")

    bar, line = axes_of(drawn).patches[0], axes_of(drawn).lines[-1]
    assert line.get_xdata()[0] == pytest.approx(bar.get_x() + bar.get_width() / 2)


def test_names_are_drawn_as_they_are_written_but_cut(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([STRANGE], "it costs $5 or $6", tmp_path / "answers.png")

    texts = axes_of(drawn).texts
    assert words(texts)[2:] == [*[r"$\frac{1}{0"] * 2, "0.60", "x" * 25 + "…", "0.30", "a b", "0.10"]
    assert not any(text.get_parse_math() for text in texts)


@pytest.mark.parametrize("text", ["", "word " * 300, "x" * 1_000])
def test_nothing_lies_outside_the_picture(text: str, tmp_path: Path, drawn: list[Figure]) -> None:
    draw_answers([STRANGE, MANY, SILENT], text, tmp_path / "answers.png")

    boxes = [each.get_window_extent() for each in axes_of(drawn).texts]
    assert all(drawn[0].bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_the_picture_needs_the_extra_that_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ImportError, match=r"matplotlib is not installed; .*extra 'plots'"):
        draw_answers([TOPIC], "a film", tmp_path / "answers.png")
