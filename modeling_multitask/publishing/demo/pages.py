"""HTML of the demo. Texts, labels and names are not trusted: each is escaped where it is written."""

import html
import math
import re
from collections.abc import Sequence

from .attribution import WordScore
from .task_answers import Option, TaskAnswer

MOST_BARS = 10  # labels of a task that are visible before unfolding
MOST_ROWS = 8  # of a table preview
_MOST_LETTERS = 280  # characters of a cell
_LONG_NUMBER = re.compile(r"\b\d+\.\d{4,}(e-\d+)?\b")


def answers_page(answers: Sequence[TaskAnswer], text: str, words: dict[str, list[WordScore]] | None) -> str:
    """Return a card for each task: its answer, a bar for each label, and the important words.

    Args:
        answers: Answers to all tasks.
        text: The text.
        words: Result of `attribute` for the tasks with an answer. `None` while it is being computed.
    """
    cards = "".join(_card(each, text, words) for each in answers)
    return f'<div class="mt-cards" aria-live="polite">{cards}</div>'


def comparison_page(one: Sequence[TaskAnswer], other: Sequence[TaskAnswer], cosine: float) -> str:
    """Return the similarity of two texts, and a table of both answers."""
    share = (1 + cosine) / 2
    lines = "".join(_side_by_side(*pair) for pair in zip(one, other, strict=True))
    return (
        f'<div class="mt-alike" aria-live="polite"><div class="mt-figure"><b>{share:.2f}</b><span>of 1</span></div>'
        f'<div class="mt-scale">{_track(share)}<div class="mt-ends"><span>opposite</span><span>unrelated</span>'
        f"<span>identical</span></div></div>"
        f'<p class="mt-soft">cosine {cosine:.4f}; (1 + cosine) / 2 = {share:.4f}</p></div>'
        f'<div class="mt-scroll"><table class="mt-table mt-side"><thead><tr><td></td><th scope="col">first</th>'
        f'<th scope="col">second</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def table_page(columns: Sequence[str], rows: Sequence[Sequence[str]], total: int, added: int = 0) -> str:
    """Return a preview of a table.

    Args:
        columns: Column names.
        rows: The rows of the table, or the first of them.
        total: Number of all rows.
        added: Number of answer columns. They are the last columns.
    """
    marks = [' class="mt-added"' if i >= len(columns) - added else "" for i in range(len(columns))]
    head = "".join(f'<th scope="col"{mark}>{_name(name)}</th>' for name, mark in zip(columns, marks, strict=True))
    lines = [
        "".join(_cell(cell, mark) for cell, mark in zip(row, marks, strict=False))  # some rows are not answered yet
        for row in rows[:MOST_ROWS]
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    shown = f"The first {MOST_ROWS} of {total:,} rows" if total > MOST_ROWS else f"{_rows(total)}"
    return (
        f'<div class="mt-scroll"><table class="mt-table mt-preview"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        f'</table></div><p class="mt-soft">{shown}.</p>'
    )


def progress_page(done: int, total: int) -> str:
    """Return a progress bar with the number of answered rows."""
    said = f"{_rows(total)} answered" if done == total else f"{done:,} of {_rows(total)} answered"
    return f'<div class="mt-progress" role="status">{_track(done / total)}<span>{said}</span></div>'


def problem_page(problem: str) -> str:
    """Return a message about a problem that the user has to fix."""
    return f'<p class="mt-problem" role="alert">{_name(problem)}</p>'


def hint_page(hint: str) -> str:
    """Return a hint for the user."""
    return f'<p class="mt-hint">{_name(hint)}</p>'


def head_page(title: str, tasks: Sequence[str], model_id: str | None) -> str:
    """Return the header: title, tasks and link to the model card."""
    card = f" <a {_link(model_id)}>Model card</a>" if model_id else ""
    named = ", ".join(_name(name) for name in tasks)
    return f'<header class="mt-head"><h1>{_name(title)}</h1><p>Tasks, answered in one pass: {named}.{card}</p></header>'


def foot_page(model_id: str | None, revision: str | None) -> str:
    """Return the footer: the model and its revision."""
    model = f"<a {_link(model_id)}>{_name(model_id)}</a>" if model_id else "local model"
    state = f" at revision <code>{_name(revision)}</code>" if revision else ""
    return f'<footer class="mt-foot">{model}{state}</footer>'


def short_answer(answer: TaskAnswer) -> str:
    """Return the answer as text: one label, several labels, or a number."""
    if answer.note:
        return answer.note
    if answer.kind.is_number:
        return f"{answer.number:.4g}"
    return ", ".join(str(option.label) for option in answer.given) or "none"


def _card(answer: TaskAnswer, text: str, words: dict[str, list[WordScore]] | None) -> str:
    silent = ' class="mt-silent"' if answer.note else ""
    return (
        f'<article class="mt-card" data-task="{html.escape(answer.name)}"><h3>{_name(answer.name)} '
        f"<small>{answer.kind.in_words}</small></h3>"
        f'<p class="mt-answer"><strong{silent}>{_name(short_answer(answer))}</strong></p>'
        f"{_bars(answer)}{_words(answer, text, words)}</article>"
    )


def _bars(answer: TaskAnswer) -> str:
    if not answer.options:
        return ""
    ordered = answer.kind.ordered
    most = len(answer.options) if ordered or len(answer.options) <= MOST_BARS + 2 else MOST_BARS
    if not answer.asked:
        most = 0
    first, rest = answer.options[:most], answer.options[most:]
    shown = f'<ul class="mt-bars">{"".join(map(_bar, first))}</ul>' if first else ""
    if not rest:
        return shown
    together = "" if answer.kind.several_labels else f", total {_sum(rest):.2f}"
    summary = f"{len(rest)} more labels{together}" if first else "all scores"
    return f'{shown}<details><summary>{summary}</summary><ul class="mt-bars">{"".join(map(_bar, rest))}</ul></details>'


def _sum(options: Sequence[Option]) -> float:
    return math.fsum(option.score for option in options)


def _bar(option: Option) -> str:
    label = "<em>not asked</em>" if option.label is None else _name(option.label)
    title = "" if option.label is None else f' title="{html.escape(option.label)}"'
    given = ' class="mt-given"' if option.given else ""
    return (
        f'<li{given}><span class="mt-label"{title}>{label}</span>{_track(option.score, option.threshold)}'
        f'<span class="mt-score">{option.score:.2f}</span></li>'
    )


def _track(share: float, threshold: float | None = None) -> str:
    mark = "" if threshold is None else f'<u style="left:{threshold:.2%}" title="threshold {threshold:.2f}"></u>'
    return f'<span class="mt-track"><i style="width:{min(max(share, 0), 1):.2%}"></i>{mark}</span>'


def _words(answer: TaskAnswer, text: str, words: dict[str, list[WordScore]] | None) -> str:
    """Return the text with coloured words. Blue words support the label, orange words oppose it."""
    if words is None:
        return '<p class="mt-words mt-waiting">finding the important words …</p>' if answer.asked else ""
    found = words.get(answer.name)
    if not found:
        return ""
    most = max(abs(word.score) for word in found) or 1.0
    parts, at = [], 0
    for word in found:
        parts += [html.escape(text[at : word.start]), _word(text[word.start : word.end], word.score / most)]
        at = word.end
    rest = text[at:]
    if rest.strip():  # after the model's maximum length
        parts.append(f'<span class="mt-unread" title="not read: the text is too long">{html.escape(rest)}</span>')
    return f'<p class="mt-words" dir="auto">{"".join(parts)}</p><p class="mt-legend">{_legend(answer)}</p>'


def _word(word: str, share: float) -> str:
    """Return a word with its score as a share of the strongest word."""
    side = "for" if share >= 0 else "against"
    told = f"{'supports' if share >= 0 else 'opposes'}: {abs(share):.0%} of the strongest word"
    return f'<span class="mt-{side}" style="--mt-strength:{abs(share):.2f}" title="{told}">{html.escape(word)}</span>'


def _legend(answer: TaskAnswer) -> str:
    label = explained(answer)
    plus, minus = ("raises it", "lowers it") if label is None else (f"supports {_name(label)}", "opposes it")
    return f'<span class="mt-for">{plus}</span> <span class="mt-against">{minus}</span>'


def explained(answer: TaskAnswer) -> str | None:
    """Return the label whose words are shown: the best of the answer, or of all. `None` for numbers and orders."""
    if answer.kind.is_number or answer.kind.ordered:
        return None
    labels = [option.label for option in [*answer.given, *answer.options]]
    return next((label for label in labels if label is not None), None)


def to_explain(answers: Sequence[TaskAnswer]) -> dict[str, str | None]:
    """Return the labels that `attribute` explains, for each task that is asked."""
    return {each.name: explained(each) for each in answers if each.asked and (each.options or each.number is not None)}


def _side_by_side(one: TaskAnswer, other: TaskAnswer) -> str:
    mark = ' class="mt-differs"' if _differ(one, other) else ""
    return (
        f'<tr{mark}><th scope="row">{_name(one.name)}</th><td>{_with_score(one)}</td><td>{_with_score(other)}</td></tr>'
    )


def _differ(one: TaskAnswer, other: TaskAnswer) -> bool:
    """Return whether two answers have different labels. Numbers never count as different."""
    labels = [(each.asked, {option.label for option in each.given}) for each in (one, other)]
    return labels[0] != labels[1]


def _with_score(answer: TaskAnswer) -> str:
    score = f' <span class="mt-soft">{answer.given[0].score:.2f}</span>' if len(answer.given) == 1 else ""
    silent = ' class="mt-silent"' if answer.note else ""
    return f"<span{silent}>{_name(short_answer(answer))}</span>{score}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _cell(cell: str, mark: str) -> str:
    """Return a table cell, shortened to one line. Long numbers in answer columns are rounded."""
    cell = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.3g}", cell) if mark else cell
    cell = cell if len(cell) <= _MOST_LETTERS else f"{cell[: _MOST_LETTERS - 1]}…"
    return f'<td{mark} title="{html.escape(cell)}">{_name(cell)}</td>'


def _link(model_id: str) -> str:
    address = f"https://huggingface.co/{html.escape(model_id)}"
    return f'href="{address}" target="_blank" rel="noopener noreferrer"'


def _name(given: str) -> str:
    """Return escaped text, isolated from the writing direction of the text around it."""
    return f"<bdi>{html.escape(given)}</bdi>"
