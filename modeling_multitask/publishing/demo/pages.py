"""Answers as HTML. Texts, labels and names come from unknown people: each is escaped where it is written."""

import html
import math
import re
from collections.abc import Sequence

from .attribution import WordScore
from .task_answers import Option, TaskAnswer

MOST_BARS = 10  # labels of a task that are seen at once
MOST_ROWS = 8  # of a table that are seen at once
_MOST_LETTERS = 280  # of a cell
_LONG_NUMBER = re.compile(r"\b\d+\.\d{4,}(e-\d+)?\b")


def answers_page(answers: Sequence[TaskAnswer], text: str, words: dict[str, list[WordScore]] | None) -> str:
    """A card for each task: its answer, a bar for each label, and the words that mattered.

    Args:
        answers: To all tasks.
        text: What was asked about.
        words: What `attribute` says of the tasks that have an answer; `None` where it is still at work.
    """
    cards = "".join(_card(each, text, words) for each in answers)
    return f'<div class="mt-cards" aria-live="polite">{cards}</div>'


def comparison_page(one: Sequence[TaskAnswer], other: Sequence[TaskAnswer], cosine: float) -> str:
    """How alike two texts are, and their answers side by side."""
    share = (1 + cosine) / 2
    lines = "".join(_side_by_side(*pair) for pair in zip(one, other, strict=True))
    return (
        f'<div class="mt-alike" aria-live="polite"><div class="mt-figure"><b>{share:.2f}</b><span>of 1</span></div>'
        f'<div class="mt-scale">{_track(share)}<div class="mt-ends"><span>opposite</span><span>unrelated</span>'
        f"<span>the same</span></div></div>"
        f'<p class="mt-soft">cosine {cosine:.4f}; (1 + cosine) / 2 = {share:.4f}</p></div>'
        f'<div class="mt-scroll"><table class="mt-table mt-side"><thead><tr><td></td><th scope="col">first</th>'
        f'<th scope="col">second</th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def table_page(columns: Sequence[str], rows: Sequence[Sequence[str]], total: int, added: int = 0) -> str:
    """The first rows of a table.

    Args:
        columns: Their names.
        rows: Some of the rows.
        total: How many rows there are.
        added: How many of the columns, the last ones, are answers.
    """
    marks = [' class="mt-added"' if i >= len(columns) - added else "" for i in range(len(columns))]
    head = "".join(f'<th scope="col"{mark}>{_name(name)}</th>' for name, mark in zip(columns, marks, strict=True))
    lines = [
        "".join(_cell(cell, mark) for cell, mark in zip(row, marks, strict=False))  # some are not answered yet
        for row in rows[:MOST_ROWS]
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    shown = f"The first {MOST_ROWS} of {total:,} rows" if total > MOST_ROWS else f"{_rows(total)}"
    return (
        f'<div class="mt-scroll"><table class="mt-table mt-preview"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        f'</table></div><p class="mt-soft">{shown}.</p>'
    )


def progress_page(done: int, total: int) -> str:
    """How many rows are answered."""
    said = f"{_rows(total)} answered" if done == total else f"{done:,} of {_rows(total)} answered"
    return f'<div class="mt-progress" role="status">{_track(done / total)}<span>{said}</span></div>'


def problem_page(problem: str) -> str:
    """What the user has to mend."""
    return f'<p class="mt-problem" role="alert">{_name(problem)}</p>'


def hint_page(hint: str) -> str:
    """A word on what to do."""
    return f'<p class="mt-hint">{_name(hint)}</p>'


def head_page(title: str, tasks: Sequence[str], model_id: str | None) -> str:
    """The title, what is answered, and where the model is described."""
    card = f" <a {_link(model_id)}>The model's card</a>" if model_id else ""
    named = ", ".join(_name(name) for name in tasks)
    return f'<header class="mt-head"><h1>{_name(title)}</h1><p>Answers {named}, from one pass.{card}</p></header>'


def foot_page(model_id: str | None, revision: str | None) -> str:
    """Which model answers, and which state of it."""
    model = f"<a {_link(model_id)}>{_name(model_id)}</a>" if model_id else "a model on this machine"
    state = f" at revision <code>{_name(revision)}</code>" if revision else ""
    return f'<footer class="mt-foot">{model}{state}</footer>'


def short_answer(answer: TaskAnswer) -> str:
    """The answer in words: a label, several, or a number."""
    if answer.note:
        return answer.note
    if answer.kind.is_number:
        return f"{answer.number:.4g}"
    return ", ".join(str(option.label) for option in answer.given) or "none of them"


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
    together = "" if answer.kind.several_labels else f", together {_sum(rest):.2f}"
    summary = f"{len(rest)} more{together}" if first else "all scores"
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
    """The text, each word coloured by what it adds: more strongly the more, blue for and orange against."""
    if words is None:
        return '<p class="mt-words mt-waiting">looking for the words that mattered …</p>' if answer.asked else ""
    found = words.get(answer.name)
    if not found:
        return ""
    most = max(abs(word.score) for word in found) or 1.0
    parts, at = [], 0
    for word in found:
        parts += [html.escape(text[at : word.start]), _word(text[word.start : word.end], word.score / most)]
        at = word.end
    rest = text[at:]
    if rest.strip():  # behind the model's longest text
        parts.append(f'<span class="mt-unread" title="not read: the text is too long">{html.escape(rest)}</span>')
    return f'<p class="mt-words" dir="auto">{"".join(parts)}</p><p class="mt-legend">{_legend(answer)}</p>'


def _word(word: str, share: float) -> str:
    """A word with its share of what the strongest one adds."""
    side = "for" if share >= 0 else "against"
    told = f"{side}: {abs(share):.0%} of the strongest word"
    return f'<span class="mt-{side}" style="--mt-strength:{abs(share):.2f}" title="{told}">{html.escape(word)}</span>'


def _legend(answer: TaskAnswer) -> str:
    label = explained(answer)
    plus, minus = ("raises it", "lowers it") if label is None else (f"speaks for {_name(label)}", "against it")
    return f'<span class="mt-for">{plus}</span> <span class="mt-against">{minus}</span>'


def explained(answer: TaskAnswer) -> str | None:
    """The label whose words are shown: the best of the answer, or where there is none, of all; `None` for an order."""
    if answer.kind.is_number or answer.kind.ordered:
        return None
    labels = [option.label for option in [*answer.given, *answer.options]]
    return next((label for label in labels if label is not None), None)


def to_explain(answers: Sequence[TaskAnswer]) -> dict[str, str | None]:
    """What `attribute` takes: of each task that is asked the label whose words are shown."""
    return {each.name: explained(each) for each in answers if each.asked and (each.options or each.number is not None)}


def _side_by_side(one: TaskAnswer, other: TaskAnswer) -> str:
    mark = ' class="mt-differs"' if _differ(one, other) else ""
    return (
        f'<tr{mark}><th scope="row">{_name(one.name)}</th><td>{_with_score(one)}</td><td>{_with_score(other)}</td></tr>'
    )


def _differ(one: TaskAnswer, other: TaskAnswer) -> bool:
    """Whether two answers are different labels; numbers always differ, which is not worth saying."""
    labels = [(each.asked, {option.label for option in each.given}) for each in (one, other)]
    return labels[0] != labels[1]


def _with_score(answer: TaskAnswer) -> str:
    score = f' <span class="mt-soft">{answer.given[0].score:.2f}</span>' if len(answer.given) == 1 else ""
    silent = ' class="mt-silent"' if answer.note else ""
    return f"<span{silent}>{_name(short_answer(answer))}</span>{score}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _cell(cell: str, mark: str) -> str:
    """A cell of a table, which a page cuts to one line; of the numbers that are added only a few digits."""
    cell = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.3g}", cell) if mark else cell
    cell = cell if len(cell) <= _MOST_LETTERS else f"{cell[: _MOST_LETTERS - 1]}…"
    return f'<td{mark} title="{html.escape(cell)}">{_name(cell)}</td>'


def _link(model_id: str) -> str:
    address = f"https://huggingface.co/{html.escape(model_id)}"
    return f'href="{address}" target="_blank" rel="noopener noreferrer"'


def _name(given: str) -> str:
    """Text that is not markup, and whose direction of writing changes nothing beside it."""
    return f"<bdi>{html.escape(given)}</bdi>"
