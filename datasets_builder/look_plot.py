"""A plot of a data set: label coverage, class balance, tasks labelled together, and text lengths."""

from pathlib import Path
from typing import Any

import numpy as np

from datasets_builder.look import Look, TaskLook, in_percent
from modeling_multitask.pictures import new_figure, plain_text, save_figure
from modeling_multitask.wording import on_one_line

_BLUE, _ORANGE, _GREY, _PALE = "#0072B2", "#D55E00", "#555555", "#dddddd"
_ANSWERS = {"yes": _BLUE, "no": "#9cc7e2", "nothing": _PALE}  # rows of a label of a multi-label task
_MAX_PATTERNS = 12
_MAX_LABELS = 15  # of one task; with more labels, only their distribution is drawn
_MAX_NAME, _MAX_LABEL = 20, 28  # characters of a task's name, and of a label
_MAX_BARS = 50  # of the histogram of lengths


def draw_look(look: Look, path: Path) -> None:
    """Draw the overview of a data set into a file.

    Args:
        look: The overview to draw.
        path: The file. Its ending sets the format.

    Raises:
        ImportError: If matplotlib is not installed. The message names the extra to install.
    """
    with plain_text():
        figure = _draw(look)
        save_figure(figure, path)


def _draw(look: Look) -> Any:
    tasks = len(look.tasks)
    rows = 1 + (tasks + 2) // 3
    figure = new_figure(figsize=(13, 3.9 * rows), dpi=130, layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    _draw_patterns(axes[0, 0], look)
    _draw_together(axes[0, 1], look)
    _draw_lengths(axes[0, 2], look)
    for place in range(3 * (rows - 1)):
        axis = axes[1 + place // 3, place % 3]
        if place < tasks:
            _draw_task(axis, look.tasks[place])
        else:
            axis.set_axis_off()
    return figure


def _draw_patterns(axis: Any, look: Look) -> None:
    """Draw a row for each combination of labelled tasks and a column for each task, with a dot where it is labelled."""
    names = [each.task.name for each in look.tasks]
    ticks = [on_one_line(name, _MAX_NAME) for name in names]
    shown = list(look.patterns.items())[:_MAX_PATTERNS]
    total = sum(look.rows.values())
    for y, (pattern, count) in enumerate(shown):
        there = [name in pattern for name in names]
        axis.scatter(range(len(names)), [y] * len(names), s=70, color=[_BLUE if each else _PALE for each in there])
        axis.text(len(names) - 0.4, y, f"{count:,} rows, {count / total:.0%}", va="center", fontsize=8, color=_GREY)
    axis.set_xticks(range(len(names)), ticks, rotation=30, ha="right")
    axis.set_yticks([])
    axis.set_xlim(-0.6, len(names) + 1.2)
    axis.set_ylim(max(len(shown), 3) - 0.4, -0.6)
    axis.set_title("Which labels a row has", loc="left", fontsize=11)
    axis.spines[:].set_visible(False)


def _draw_together(axis: Any, look: Look) -> None:
    names = [on_one_line(each.task.name, _MAX_NAME) for each in look.tasks]
    axis.imshow(look.together, cmap="Blues", vmin=0, vmax=max(sum(look.rows.values()), 1), aspect="auto")
    for (y, x), count in np.ndenumerate(look.together):
        dark = count > 0.6 * sum(look.rows.values())
        axis.text(x, y, f"{count:,}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_yticks(range(len(names)), names)
    axis.set_title("Rows with a label for both tasks", loc="left", fontsize=11)


def _draw_lengths(axis: Any, look: Look) -> None:
    axis.set_title("Tokens of a text", loc="left", fontsize=11)
    if not look.lengths:
        axis.text(0.5, 0.5, "no tokenizer available", ha="center", color=_GREY, transform=axis.transAxes)
        axis.set_axis_off()
        return
    tokens = np.concatenate(list(look.lengths.values()))
    least, most = int(tokens.min()), int(tokens.max())
    width = (most - least) // _MAX_BARS + 1  # whole tokens, so that all bars cover the same number of lengths
    axis.hist(tokens, bins=np.arange(least, most + width + 1, width) - 0.5, color=_BLUE)
    if look.max_length is not None:
        axis.axvline(look.max_length, color=_ORANGE, linewidth=1.5)
        cut = f"{in_percent(look.cut_tokens)} of all tokens are cut" if look.cut_rows else "nothing is cut"
        axis.set_xlabel(f"max_length {look.max_length}: {cut}", color=_ORANGE, loc="right")
    axis.set_ylabel("texts")
    axis.spines[["top", "right"]].set_visible(False)


def _draw_task(axis: Any, look: TaskLook) -> None:
    axis.set_title(
        f"{on_one_line(look.task.name, _MAX_NAME)} ({sum(look.labelled.values()):,} labelled)", loc="left", fontsize=11
    )
    axis.spines[["top", "right"]].set_visible(False)
    if look.numbers:
        for y, (least, median, greatest) in enumerate(look.numbers.values()):
            axis.plot([least, greatest], [y, y], color=_BLUE, linewidth=3)
            axis.plot(median, y, "o", color=_ORANGE)
            axis.text(median, y - 0.12, f"{median:.3g}", ha="center", fontsize=8, color=_GREY)
        axis.set_yticks(range(len(look.numbers)), list(look.numbers))
        axis.set_ylim(len(look.numbers) - 0.4, -0.7)
        axis.set_xlabel("minimum, median and maximum")
        return
    totals = {label: _total(look, label, "yes") for label in look.task.labels or ()}
    if len(totals) > _MAX_LABELS:
        ordered = sorted(totals.values(), reverse=True)
        axis.fill_between(range(1, len(ordered) + 1), ordered, color=_BLUE, step="mid")
        axis.set_xlabel(f"{len(ordered)} labels, the most frequent first")
        axis.set_ylabel("rows")
        axis.set_ylim(bottom=0)
        return
    _draw_bars(axis, look, totals)


def _draw_bars(axis: Any, look: TaskLook, totals: dict[str, int]) -> None:
    """Draw a bar for each label; for several labels, its rows with yes, with no and with nothing."""
    places, several = range(len(totals)), look.task.kind.several_labels
    bars = {answer: [_total(look, label, answer) for label in totals] for answer in (_ANSWERS if several else ["yes"])}
    ends = np.zeros(len(totals), dtype=int)
    for answer, counts in bars.items():
        axis.barh(places, counts, left=ends, color=_ANSWERS[answer])
        ends = ends + counts
    for y, cells in enumerate(zip(*bars.values(), strict=True)):
        axis.text(ends[y], y, f" {' / '.join(f'{cell:,}' for cell in cells)}", va="center", fontsize=8, color=_GREY)
    axis.set_yticks(places, [on_one_line(label, _MAX_LABEL) for label in totals])
    axis.invert_yaxis()
    axis.set_xlabel(f"rows in all splits{': yes / no / nothing' if several else ''}")
    axis.margins(x=0.15)
    if several:
        axis.set_xlim(0, 1.25 * max(ends))  # margins do not apply to stacked bars


def _total(look: TaskLook, label: str, answer: str) -> int:
    return sum(getattr(counts[label], answer) for counts in look.answers.values())
