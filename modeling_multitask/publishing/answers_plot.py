"""A picture of the answers to one text, with bars like in the demo."""

import math
import textwrap
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..pictures import new_figure, plain_text, save_figure
from ..wording import on_one_line
from .demo.pages import short_answer
from .demo.task_answers import Option, TaskAnswer

MOST_BARS = 5  # of a task; the total of the other labels is shown as text
_MAX_LABEL = 26  # characters of a label
_MAX_TEXT = 200  # characters of the text
_MAX_LINE = 62  # characters in one line
_BLUE, _PALE, _TRACK, _GREY, _LINES = "#0072B2", "#b9d6e8", "#eef1f4", "#555555", "#dddddd"
_NO_ANSWER = "#A33B00"
# In inches from the upper left corner: left margin, start and end of the bars, width of the picture.
_LEFT, _BEGIN, _END, _WIDTH = 0.2, 2.2, 5.6, 6.4
_BAR, _STEP = 0.15, 0.24  # the height of a bar, and the distance from one bar to the next


def draw_answers(answers: Sequence[TaskAnswer], text: str, path: Path) -> None:
    """Draw the answer and the scores of each task, one task below the other.

    Args:
        answers: `answer_text(MultiTaskPipeline(model=model, tokenizer=tokenizer), text).tasks`.
        text: The text.
        path: Output file. Its suffix sets the format.

    Raises:
        ImportError: If matplotlib is not installed. The message names the extra.
    """
    said = textwrap.wrap(f"“{on_one_line(text, _MAX_TEXT)}”", _MAX_LINE)
    tops = list(accumulate((_height(each) for each in answers), initial=0.4 + 0.22 * len(said)))
    with plain_text():
        figure = new_figure(figsize=(_WIDTH, tops[-1]), dpi=180)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, _WIDTH), ylim=(tops[-1], 0))
        axes.axis("off")
        axes.text(_LEFT, 0.2, "\n".join(said), va="top", fontsize=11, linespacing=1.35)
        for top, answer in zip(tops, answers, strict=False):  # the last top is the end
            _draw(axes, top, answer)
        save_figure(figure, path)


def _height(answer: TaskAnswer) -> float:
    return 0.72 + _STEP * len(_lines(answer))


def _lines(answer: TaskAnswer) -> list[Option | str]:
    """Return the bars of a task, and a line of text for the labels without a bar."""
    if not answer.asked:
        return []
    if answer.kind.ordered or len(answer.options) <= MOST_BARS + 1:
        return list(answer.options)
    rest = answer.options[MOST_BARS:]
    several = answer.kind.several_labels
    together = "" if several else f", total {math.fsum(option.score for option in rest):.2f}"
    return [*answer.options[:MOST_BARS], f"{len(rest)} more labels{together}"]


def _draw(axes: Any, top: float, answer: TaskAnswer) -> None:
    axes.plot([_LEFT, _WIDTH - _LEFT], [top, top], color=_LINES, linewidth=0.8)
    axes.text(_LEFT, top + 0.2, answer.name, va="center", fontsize=8.5, color=_GREY)
    colour, weight = (_NO_ANSWER, "normal") if answer.note else ("black", "bold")
    said = on_one_line(short_answer(answer), _MAX_LINE)
    axes.text(_LEFT, top + 0.42, said, va="center", fontsize=11, color=colour, fontweight=weight)
    for place, line in enumerate(_lines(answer)):
        middle = top + 0.7 + _STEP * place
        if isinstance(line, Option):
            _draw_bar(axes, middle, line)
        else:
            axes.text(_BEGIN, middle, line, va="center", fontsize=8.5, color=_GREY)


def _draw_bar(axes: Any, middle: float, option: Option) -> None:
    look = {"va": "center", "fontsize": 8.5, "fontweight": "bold" if option.given else "normal"}
    label = "not asked" if option.label is None else on_one_line(option.label, _MAX_LABEL)
    axes.text(_LEFT, middle, label, **look)
    axes.text(_WIDTH - _LEFT, middle, f"{option.score:.2f}", ha="right", **look)
    axes.barh(middle, _END - _BEGIN, height=_BAR, left=_BEGIN, color=_TRACK)
    width = option.score * (_END - _BEGIN)
    axes.barh(middle, width, height=_BAR, left=_BEGIN, color=_BLUE if option.given else _PALE)
    if option.threshold is not None:
        place = _BEGIN + option.threshold * (_END - _BEGIN)
        axes.plot([place, place], [middle - 0.11, middle + 0.11], color="black", linewidth=1.2)
