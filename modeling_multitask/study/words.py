"""A study as a Markdown page, a CSV table and JSON."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from io import StringIO
from typing import Any

from ..hub.markdown import escape_markdown
from ..training.metric_names import LESS_IS_BETTER
from .summary import MARGIN, SCORE, Comparison, Estimate, Recommendation, Study, StudyRow

_SPLITS = ("validation", "test")
_COLUMNS = ["strategy", "title", "split", "task", "metric", "mean", "low", "high", "seeds", "failed"]
_COSTS = ["trained_parameters", "seconds", "cpu_seconds", "memory_mib"]


def study_as_markdown(study: Study, about: Iterable[str] = ()) -> str:
    """Return the study as a Markdown page.

    Args:
        study: The study.
        about: Sentences about the setup of the study.
    """
    parts = [
        "# Comparison of training strategies",
        "## Recommendation",
        *recommendation_in_words(study),
        "## All strategies",
        table(study),
        " ".join((_notes(study), *about)),
    ]
    if study.together:
        parts += ["## Training together or alone", _bullets(together_in_words(study))]
    if study.frozen_heads:
        parts += ["## Effect of a frozen head's loss", _bullets(frozen_heads_in_words(study))]
    if failures := _failures(study):
        parts += ["## Failed runs", _bullets(failures)]
    return "\n\n".join(parts) + "\n"


def recommendation_in_words(study: Study) -> list[str]:
    """Return the recommendation and its reasons, one paragraph each."""
    if study.recommendation is None:
        return ["No recommendation: no candidate strategy has a score on the validation rows for all its runs."]
    advice = study.recommendation
    chosen, best = study.row(advice.strategy), study.row(advice.best)
    score = best.figures["validation"][SCORE]
    first = f"Use **{chosen.strategy.title}**."
    if advice.difference is not None:
        why = _cheaper_in_words(chosen, best, advice)
    else:
        why = f"It has the highest mean score on the validation rows, {in_words(score)}." + _no_cheaper(study, best)
    paragraphs = [f"{first} {why}{_few_seeds(score)}"]
    if "test" in chosen.figures:
        other = f"; **{best.strategy.title}** has {in_words(best.figures['test'][SCORE])}" if chosen is not best else ""
        test = in_words(chosen.figures["test"][SCORE])
        paragraphs.append(f"On the test rows, which were not used for this choice, its score is {test}{other}.")
    if failed := [row.strategy.title for row in study.rows if row.strategy.candidate and row.errors]:
        paragraphs.append(f"Not considered, because a run failed: {', '.join(failed)}.")
    return paragraphs


def together_in_words(study: Study) -> list[str]:
    """Return one sentence per task on training it with the others or alone."""
    helped, hurt = "training with the others is better", "training alone is better"
    return [
        f"**{each.task}** {_two(study, each, 'with the others', 'alone')}; {_verdict(study, each, helped, hurt)}"
        for each in study.together
    ]


def frozen_heads_in_words(study: Study) -> list[str]:
    """Return one sentence per frozen head and task on the effect of keeping the head's loss."""
    sentences = []
    for frozen, comparisons in study.frozen_heads.items():
        for each in comparisons:
            helped = "keeping the loss is better"
            helped += ", because the encoder adapts to this head" if each.task == frozen else ""
            found = _two(study, each, "with its loss kept", "with its loss ignored")
            verdict = _verdict(study, each, helped, "ignoring the loss is better")
            sentences.append(f"Head of **{frozen}** frozen, {each.task} {found}; {verdict}")
    return sentences


def in_words(figure: Estimate, *, signed: bool = False) -> str:
    """Return `0.912 (0.901 to 0.923)`, or the number alone if there is no interval."""
    sign = "+" if signed else ""
    mean = f"{figure.mean:{sign}.3f}"
    return mean if figure.low is None else f"{mean} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


def table(study: Study) -> str:
    """Return a Markdown table of the strategies with their metrics and costs."""
    columns = [(split, name) for split in _SPLITS for name in (SCORE, *study.metrics) if _has(study, split, name)]
    headings = ["strategy", *(_heading(study, *column) for column in columns)]
    headings += ["trained parameters", "seconds", "CPU seconds", "memory, MiB"]
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)]]
    for row in study.rows:
        cells = [in_words(row.figures[split][name]) if _given(row, split, name) else "–" for split, name in columns]
        cost = [f"{each:,.0f}" for each in (row.parameters, row.seconds, row.cpu_seconds, row.memory)]
        cost = cost if row.seeds else ["–"] * len(cost)
        lines.append([_title(study, row), *cells, *cost])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def study_as_csv(study: Study) -> str:
    """Return a CSV table with one row for each strategy, split and metric."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_COSTS])
    for row in study.rows:
        ends = [len(row.seeds), len(row.errors), row.parameters, f"{row.seconds:.1f}", f"{row.cpu_seconds:.1f}"]
        ends += [f"{row.memory:.0f}"]
        begins = [row.strategy.name, row.strategy.title]
        figures = [(split, name, each) for split, found in row.figures.items() for name, each in found.items()]
        for split, name, each in figures:
            metric = study.metrics.get(name, "mean over tasks")
            writer.writerow([*begins, split, name, metric, each.mean, each.low, each.high, *ends])
        if not figures:
            writer.writerow([*begins, *[""] * 6, *ends])
    return text.getvalue()


def study_as_json(study: Study) -> dict[str, Any]:
    """Return the study as plain JSON. A missing interval is null."""
    return {
        "metrics": study.metrics,
        "recommendation": study.recommendation and _fields_of(study.recommendation),
        "strategies": [_row_as_json(row) for row in study.rows],
        "together": [_fields_of(each) for each in study.together],
        "frozen_heads": {task: [_fields_of(each) for each in found] for task, found in study.frozen_heads.items()},
        "words": {
            "recommendation": recommendation_in_words(study),
            "together": together_in_words(study),
            "frozen_heads": frozen_heads_in_words(study),
        },
    }


def _verdict(study: Study, comparison: Comparison, helped: str, hurt: str) -> str:
    difference = comparison.difference
    found = f"a paired difference of {in_words(difference, signed=True)}"
    if difference.low is None:
        return f"{found}, from too few rows for an interval."
    better = -1 if study.metrics[comparison.task] in LESS_IS_BETTER else 1
    said = {1: helped, -1: hurt, 0: "not significant"}[difference.sign * better]
    return f"{found}{_of_seeds(difference)}: {said}."


def _two(study: Study, comparison: Comparison, one: str, other: str) -> str:
    """Return `macro_f1 on the test rows: 0.912 with the others, 0.901 alone`."""
    first, second = (
        study.row(name).figures[comparison.split][comparison.task].mean
        for name in (comparison.first, comparison.second)
    )
    metric = study.metrics[comparison.task]
    return f"{metric} on the {comparison.split} rows: {first:.3f} {one}, {second:.3f} {other}"


def _cheaper_in_words(chosen: StudyRow, best: StudyRow, advice: Recommendation) -> str:
    high, low = best.figures["validation"][SCORE], chosen.figures["validation"][SCORE]
    assert advice.difference is not None
    return (
        f"The highest mean score on the validation rows is that of **{best.strategy.title}**, {in_words(high)}. "
        f"**{chosen.strategy.title}** has {in_words(low)}. The paired difference is not significant "
        f"({in_words(advice.difference, signed=True)}). The recommended strategy trains "
        f"{chosen.parameters:,} parameters instead of {best.parameters:,}, and its training took "
        f"{chosen.seconds:.0f} s instead of {best.seconds:.0f} s."
    )


def _no_cheaper(study: Study, best: StudyRow) -> str:
    cheaper = [row for row in study.rows if row.considered and row.parameters < best.parameters]
    if not cheaper:
        return ""
    if best.figures["validation"][SCORE].low is None:
        return " There are too few validation rows to compare it with strategies that train fewer parameters."
    every = "All other strategies" if len(cheaper) > 1 else "The other strategy"
    return (
        f" {every} with fewer trained parameters and no failed run {'are' if len(cheaper) > 1 else 'is'} significantly "
        f"worse, or {'have' if len(cheaper) > 1 else 'has'} a mean score that is lower by more than {MARGIN:g}."
    )


def _few_seeds(score: Estimate) -> str:
    if score.over_seeds:
        return ""
    count = {1: "One seed does", 2: "Two seeds do"}[score.seeds]
    return f" {count} not show the variation between seeds; use at least three, such as --seeds 0 1 2."


def _of_seeds(difference: Estimate) -> str:
    if difference.over_seeds:
        return ""
    return f" for the models of {'this seed' if difference.seeds == 1 else 'these two seeds'}"


def _notes(study: Study) -> str:
    score = "The score is the mean of the tasks' main metrics. " if len(study.metrics) > 1 else ""
    figures = [each for row in study.rows for found in row.figures.values() for each in found.values()]
    shown = [each for each in figures if each.low is not None]
    interval = ""
    if shown:
        interval = f"The brackets show the 95 % interval over the rows{_seeds_in_words(shown)} "
    if len(shown) < len(figures):
        interval += "A figure without brackets has too few rows for an interval. "
    return (
        f"{score}{interval}The strategy and the checkpoint of each run were selected on the validation rows. "
        "The test rows were evaluated once, at the end of each run. "
        "Seconds (wall-clock time) and CPU seconds (over all cores) are means over seeds and include evaluations. "
        "Other processes on the machine increase the seconds, but hardly the CPU seconds. "
        "Memory is the peak memory of a run's process."
    )


def _seeds_in_words(shown: list[Estimate]) -> str:
    several = [each.over_seeds for each in shown]
    these = "It is about these trained models and leaves out the variation between seeds"
    if all(several):
        return " and the seeds."
    if not any(several):
        return f". {these}, which needs at least three seeds."
    return f" and the seeds. With fewer than three seeds, it is over the rows only. {these}."


def _failures(study: Study) -> list[str]:
    failed = [(row.strategy.title, *each) for row in study.rows for each in row.errors.items()]
    return [f"{title}, seed {seed}: {escape_markdown(error)}" for title, seed, error in failed]


def _bullets(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _title(study: Study, row: StudyRow) -> str:
    """Return the title of a strategy, in bold if it is recommended, and with the last error if a run failed."""
    chosen = study.recommendation is not None and study.recommendation.strategy == row.strategy.name
    title = f"**{row.strategy.title}**" if chosen else row.strategy.title
    if not row.errors:
        return title
    error = [*row.errors.values()][-1].replace("|", "\\|")
    some = f"{len(row.errors)} of {len(row.errors) + len(row.seeds)} runs " if row.seeds else ""
    return f"{title} ({some}failed: {error})"


def _heading(study: Study, split: str, name: str) -> str:
    return f"{split} {name}" if name == SCORE else f"{split} {name} {study.metrics[name]}"


def _has(study: Study, split: str, name: str) -> bool:
    only = name == SCORE and len(study.metrics) == 1  # with one task, the score is its main metric
    return not only and any(_given(row, split, name) for row in study.rows)


def _given(row: StudyRow, split: str, name: str) -> bool:
    return name in row.figures.get(split, {})


def _row_as_json(row: StudyRow) -> dict[str, Any]:
    figures = {split: {name: each._asdict() for name, each in found.items()} for split, found in row.figures.items()}
    return _fields_of(row) | {"strategy": _fields_of(row.strategy), "figures": figures}


def _fields_of(given: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as plain JSON, with `Estimate` as a dict."""
    fields = {name: getattr(given, name) for name in given.__dataclass_fields__}
    named = {name: each._asdict() if isinstance(each, Estimate) else each for name, each in fields.items()}
    plain: dict[str, Any] = json.loads(json.dumps(named, default=asdict))
    return plain
