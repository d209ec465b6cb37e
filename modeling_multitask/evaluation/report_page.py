"""The report as an HTML page and as Markdown.

Labels, texts and names are untrusted input. They are escaped in both formats.
"""

import base64
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..hub.markdown import escape_markdown
from ..problem_types_multitask import PROBLEM_TYPES
from ..training.metric_names import IN_WORDS as METRICS_IN_WORDS
from ..training.metric_names import LESS_IS_BETTER
from ..wording import first_few, on_one_line, shown_number, shown_numbers
from .judgement import BASELINES
from .label_table import MOST_ON_A_PAGE, label_tables
from .taught import TEACHER, agreement_in_words

FILES = ("report.html", "report.md", "report.json")
IN_WORDS = METRICS_IN_WORDS | {name: facts.in_words for name, facts in PROBLEM_TYPES.items()}
_GAP = 0.005  # smaller gaps between scores and accuracy are not reported
_MAX_TEXT = 280  # characters of a text on the page; the JSON has the whole text
_MAX_LABEL = 60  # characters of a label in the shares of the raters


class Picture(NamedTuple):
    """A picture, and the name of its file."""

    file: str
    png: bytes

    @property
    def width(self) -> int:
        """The displayed width: half its pixels, so that it is sharp on a high-resolution screen."""
        return int.from_bytes(self.png[16:20], "big") // 2


@dataclass(frozen=True)
class Section:
    """The section of a page on one task.

    Args:
        name: The task's name.
        content: The task's part of `report_as_json`.
        pictures: The pictures by kind: `confusion`, `scatter`, `reliability`.
    """

    name: str
    content: dict[str, Any]
    pictures: dict[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """The content of a page.

    Args:
        content: The output of `report_as_json`.
        sections: One section for each task.
        notes: The notes at the top.
    """

    content: dict[str, Any]
    sections: list[Section]
    notes: list[str]


def render(page: Page) -> dict[str, str]:
    """Return the HTML page and the Markdown by file name."""
    return {
        "report.html": _HTML.get_template("report.html.jinja").render(page=page, report=page.content),
        "report.md": _MARKDOWN.get_template("report.md.jinja").render(page=page, report=page.content),
    }


def bars(slices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each slice with the positions of its bar (`zero`, `value`) and interval (`low`, `high`), in percent."""
    known = [each[name] for each in slices for name in ("value", "low", "high") if each[name] is not None]
    least = min([0.0, *known])
    width = (max([1.0, *known]) if max([0.0, *known]) <= 1 else 1.05 * max(known)) - least

    def place(value: float | None) -> float:
        return round(100 * ((value or 0.0) - least) / width, 2)

    return [
        {
            **each,
            "at": {"zero": place(0.0), **{name: place(each[name]) for name in ("value", "low", "high")}},
        }
        for each in slices
    ]


def centred_bars(slices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each slice with the positions of its bar and interval, in percent. 0 is in the centre."""
    known = [abs(each[name]) for each in slices for name in ("value", "low", "high") if each[name] is not None]
    limit = max(known, default=0.0) or 1.0

    def place(value: float | None) -> float:
        return round(50 + 50 * (value or 0.0) / limit, 2)

    return [{**each, "at": {"zero": 50.0, **{n: place(each[n]) for n in ("value", "low", "high")}}} for each in slices]


def reported_baselines(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the baselines of a task that the report has: a constant, a linear probe, and the task's teacher."""
    return [task[kind] for kind in (*BASELINES.values(), TEACHER) if kind in task]


def as_sentence(text: str) -> str:
    """Return a text that begins with a capital letter and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def row_counts(classes: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the headings of the columns that count the rows of a label, each with its figure."""
    several = all("nothing" in each for each in classes.values())
    return {name: name for name in ("yes", "no", "nothing")} if several else {"rows": "support"}


def row_place(row: dict[str, Any]) -> str:
    """Return the place that a row comes from, such as `tickets.csv:37`, or else its number among the evaluated rows."""
    return str(row["row"] + 1) if row["table"] is None else f"{row['table']}:{row['line']}"


def worst_heading(rows: list[dict[str, Any]]) -> str:
    """Return the heading of the worst rows, in which errors on which the raters disagreed come first."""
    by_loss = "rows with the largest loss"
    return f"Errors on which raters disagreed, then {by_loss}" if rows[0]["disputed"] else by_loss.capitalize()


def shown_raters(shares: dict[str, float]) -> str:
    """Return the shares of the raters for each label, such as `raters: toxic 0.6, fine 0.4`."""
    return f"raters: {first_few(f'{on_one_line(label, _MAX_LABEL)} {share:.3g}' for label, share in shares.items())}"


def number(value: float | None, digits: int = 3) -> Markup:
    """Return a number such as `0.912`, or a dash for `None`."""
    if value is None:
        return Markup("–")
    return Markup(shown_number(value) if digits == 3 else f"{value:,.{digits}f}")


def with_sign(figure: dict[str, float | None]) -> Markup:
    """Return the value of an improvement with its sign, such as `+0.027`, or a dash for `None`."""
    return Markup("–" if figure["value"] is None else _in_words(figure, signed=True)[0])


def interval(figure: dict[str, float | None]) -> Markup:
    """Return a figure with its interval if it has one, such as `0.912 (0.903 to 0.921)`."""
    if figure["value"] is None:
        return number(None)
    value, *_ = _in_words(figure)
    return Markup(value if figure["low"] is None else f"{value} ({spread(figure)})")


def spread(figure: dict[str, float | None]) -> Markup:
    """Return the interval of a figure, such as `0.903 to 0.921`, or `no interval` without one."""
    return Markup(" to ".join(_in_words(figure)[-2:]) if figure["low"] is not None else "no interval")


def _in_words(figure: dict[str, Any], *, signed: bool = False) -> list[str]:
    """Return the value and, if there is one, the interval of a figure."""
    return shown_numbers((figure.get(part) for part in ("value", "low", "high")), signed=signed)


def paired(figure: dict[str, float | None], task: dict[str, Any]) -> Markup:
    """Return the interval of an improvement, or that the answers of both models are equal."""
    equal = figure["low"] is None and not figure["value"] and task["different"]["rows"] == 0
    return Markup("equal answers") if equal else spread(figure)


def percent(share: float | None, digits: int = 1) -> Markup:
    """Return a percentage such as `91.2%`, or a dash for `None`."""
    return Markup("–") if share is None else Markup(f"{share:.{digits}%}")


def count(value: int) -> Markup:
    """Return a count such as `1,402`."""
    return Markup(f"{value:,}")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _thresholds(task: dict[str, Any]) -> list[tuple[str, float]]:
    """Return each threshold with its label; none of many, which are in the table of labels."""
    thresholds = task["calibration"]["thresholds"]
    if len(thresholds) > MOST_ON_A_PAGE:
        return []
    return list(zip(task["labels"][-len(thresholds) :], thresholds, strict=True))


def trust(scores: dict[str, float]) -> Markup:
    """Return a sentence that compares the mean score with the accuracy of the answers."""
    gap = scores["mean_score"] - scores["right"]
    too = "well calibrated on average" if abs(gap) < _GAP else f"too {'high' if gap > 0 else 'low'} by {abs(gap):.3f}"
    return Markup(
        f"The mean score of the answers is {number(scores['mean_score'])}, and {percent(scores['right'])} of the "
        f"answers are right: scores are {too}."
    )


def calibration_effect(task: dict[str, Any]) -> Markup:
    """Return a sentence on the effect of calibration on the rows: better, worse or the same.

    It is empty for a report of version 0.1, which did not measure the effect.
    """
    if task["calibration"]["temperature"] == 1 and not task["calibration"]["thresholds"]:
        return Markup("The scores are not calibrated.")
    effects = [task[name] for name in ("calibration_effect", "thresholds_effect") if task.get(name)]
    return Markup(f"On the evaluated rows, {' and '.join(map(_effect, effects))}." if effects else "")


def _effect(effect: dict[str, Any]) -> str:
    of_loss = effect["metric"] == "loss"
    what, name = ("the temperature", "loss") if of_loss else ("the thresholds", IN_WORDS[effect["metric"]])
    if effect["verdict"] is None:
        return f"{what} changed the {name} by {shown_number(effect['value'], signed=True)} (no interval)"
    same = effect["verdict"] == "same"
    if effect["low"] is None:  # no answer changed
        return f"{what} left the {name} the same"
    value, low, high = _in_words(effect, signed=True)
    change = f"{value} ({low} to {high})"
    made = "left the {} the same" if same else f"made the {{}} {effect['verdict']}"
    return f"{what} {made.format(name)}: {change}"


def withheld(task: dict[str, Any]) -> Markup:
    """Return sentences on the withheld answers: how many rows have an answer, and how many of these are right."""
    given = task["abstention"]
    right = f", and {percent(given['accuracy'])} of these answers are right" if given["answered"] else ""
    return Markup(
        f"Answers with {given['by']} below {number(given['below'])} are withheld. {count(given['answered'])} of "
        f"{count(task['rows'])} labelled rows ({percent(given['share'])}) have an answer{right}. All other metrics "
        "include the withheld answers."
    )


def different(task: dict[str, Any]) -> Markup:
    """Return a sentence on the rows that two models answer differently."""
    counts = {name: count(rows) for name, rows in task["different"].items()}
    if task["different"]["rows"] == 0:
        return Markup(f"The answers are equal in all {count(task['rows'])} rows.")
    return Markup(
        f"The answers differ in {counts['rows']} of {count(task['rows'])} rows. The answer of this model is better in "
        f"{counts['model']} of these, that of the other model in {counts['other']}, and neither in {counts['neither']}."
    )


def _data_uri(picture: Picture) -> Markup:
    return Markup(f"data:image/png;base64,{base64.b64encode(picture.png).decode()}")


def _environment(**settings: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("modeling_multitask.evaluation"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **settings,
    )
    environment.filters |= {
        "place": row_place,
        "worst_heading": worst_heading,
        "raters": shown_raters,
        "number": number,
        "interval": interval,
        "spread": spread,
        "percent": percent,
        "count": count,
        "cut": _cut,
        "are_many": lambda labels: len(labels) > MOST_ON_A_PAGE,
        "bars": bars,
        "centred_bars": centred_bars,
        "signed": with_sign,
        "paired": paired,
        "different": different,
        "score": lambda value: Markup("" if value is None else f"({number(value)})"),
        "label_tables": label_tables,
        "row_counts": row_counts,
        "baselines": reported_baselines,
        "sentence": as_sentence,
        "agreement": agreement_in_words,
        "data_uri": _data_uri,
        "file": Markup,  # the file name of a picture is safe: task names have only letters, digits and _
        "thresholds": _thresholds,
        "trust": trust,
        "calibration_effect": calibration_effect,
        "withheld": withheld,
        "in_words": lambda name: Markup(IN_WORDS[name]),
        "less_is_better": lambda name: name in LESS_IS_BETTER,
    }
    return environment


_HTML = _environment(autoescape=True)
_MARKDOWN = _environment(autoescape=False, finalize=escape_markdown)
