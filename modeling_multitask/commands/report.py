"""Evaluate a model: metrics with intervals, errors and calibration.

multitask report runs/quickstart/model quickstart --output runs/report
multitask report runs/new/model rows.csv --compare runs/old/model --output runs/comparison
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builder.addresses import is_address

from ..files import holds_any
from ..locks import locked
from ..recipes.bundled import recipe_path
from ..recipes.loading import load_recipe
from ..recipes.yaml_file import RECIPE_ENDINGS
from ..wording import shown_number, shown_numbers
from .arguments import Parser, at_least
from .command import command

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation.comparison import ModelComparison, TaskComparison
    from ..evaluation.intervals import Figure
    from ..evaluation.report import Report

ISSUES = "label_issues.csv"


def build_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        "report",
        "MODEL DATA [key=value ...] --output DIR [--text COLUMN] [--text_pair COLUMN] [--separator TEXT] "
        "[--resamples N] [--compare OTHER] [--label_issues] [--force]",
        "Evaluate a model and write a report: metrics with intervals, errors and calibration.",
    )
    parser.add_positional("model", help="the model: a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_positional("data", help="a recipe (its test rows), or a table with a label column named after each task")
    parser.add_overrides(help="override a setting of the recipe, such as seed=1")
    parser.add_argument("--output", type=Path, metavar="DIR", required=True, help="the folder for the report")
    parser.add_argument(
        "--text", metavar="COLUMN", default="text", help="the text column of the table (default: %(default)s)"
    )
    parser.add_argument(
        "--text_pair", metavar="COLUMN", help="the column of the second text, for a model of text pairs"
    )
    parser.add_argument(
        "--separator",
        metavar="TEXT",
        default=";",
        help="the separator of several labels in one cell of the table (default: %(default)s)",
    )
    parser.add_argument(
        "--resamples",
        metavar="N",
        type=at_least(100),
        default=1000,
        help="bootstrap resamples for each interval (default: %(default)s)",
    )
    parser.add_argument(
        "--compare", metavar="OTHER", help="another model to compare with on the same rows, such as the previous one"
    )
    parser.add_argument(
        "--label_issues",
        action="store_true",
        help="also list training labels that may be wrong; DATA must be a recipe (needs the extra errors)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing report")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, evaluate the model, and write the report."""
    from datasets_builder.remote import path_to

    data = path_to(arguments.data) if is_address(arguments.data) else recipe_path(arguments.data)
    if data.suffix.lower() in RECIPE_ENDINGS:
        load_recipe(data, arguments.overrides)  # before the imports that take seconds

    from ..evaluation.report_page import FILES

    with locked(arguments.output, inside=True):
        written = [*FILES, *([ISSUES] if arguments.label_issues else [])]
        if not arguments.force and holds_any(arguments.output, written):
            raise FileExistsError(f"{arguments.output} already contains a report; add --force to overwrite it")
        _report(arguments, data, arguments.output)


def _report(arguments: argparse.Namespace, data: Path, output: Path) -> None:
    from rich.console import Console

    from ..evaluation.judged import judge
    from ..evaluation.label_issues import write_label_issues
    from ..evaluation.report import make_report, write_report
    from ..inference.loading import load
    from ..runs.compared import check_shared_labels, compare_on, load_other
    from ..runs.judged_rows import check_data, check_label_issues, issues_of_labels, rows_to_judge

    check_data(data)
    recipe = check_label_issues(data, arguments.overrides) if arguments.label_issues else None
    model, tokenizer = load(arguments.model)
    tasks = model.config.tasks
    other = None if arguments.compare is None else load_other(arguments.compare, tasks, data, arguments.overrides)
    texts = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
    rows = rows_to_judge(
        tasks,
        data,
        overrides=arguments.overrides,
        model=arguments.model,
        texts=texts,
        separator=arguments.separator,
        more_labels=None if other is None else other.more_labels,
    )
    if other is not None:
        check_shared_labels(other, rows)
    judged = judge(model, rows.rows, tokenizer, sources=rows.sources, show_progress=True)
    report = make_report(
        judged, name=arguments.model, split=rows.split, notes=rows.notes, resamples=arguments.resamples
    )
    if other is not None:
        comparison = compare_on(rows, judged, other, resamples=arguments.resamples, show_progress=True)
        report = replace(report, comparison=comparison)
    issues = None if recipe is None else issues_of_labels(recipe)
    also = None if issues is None else lambda folder: write_label_issues(issues, folder / ISSUES)
    write_report(report, output, also=also)
    Console().print(figures_table(report))
    if report.comparison is not None:
        print("\n".join(comparison_lines(report.comparison)))
    if issues is not None:
        print(f"{len(issues)} labels, sorted by suspicion within each task: {(output / ISSUES).as_posix()}")
    print(f"The report is in {(output / 'report.html').as_posix()}")


def figures_table(report: Report) -> Table:
    """Return a table of the main metric and the calibration error of each task."""
    from rich.table import Table

    table = Table(title=f"{report.split}: {report.rows:,} rows")
    for heading in ("task", "labelled rows", "main metric", "", "95 % interval", "ECE before", "ECE after"):
        table.add_column(heading, justify="left" if heading in ("task", "main metric") else "right")
    for each in report.tasks:
        name = each.task.main_metric
        main, scores = each.figures.figures.get(name), each.calibration
        interval = [] if main is None else [name, shown_number(main.value), _spread(main)]
        errors = [] if scores is None else [f"{scores.before.error:.4f}", f"{scores.after.error:.4f}"]
        table.add_row(each.task.name, f"{each.figures.rows:,}", *interval, *errors)
    return table


def comparison_lines(comparison: ModelComparison) -> list[str]:
    """Return a line on the main metric of each task that two models share, after the notes."""
    lines = [f"Compared with {comparison.other} (an improvement is positive if this model is better):"]
    return [*comparison.notes, *lines, *(_compared(each) for each in comparison.tasks)]


def _compared(task: TaskComparison) -> str:
    if task.main is None:
        return f"{task.task.name}: no rows to compare"
    model, other, improvement = task.main
    gain, *_ = shown_numbers(improvement, signed=True)
    interval = f" ({_spread(improvement)})" if improvement.low is not None or task.differences else ""
    return (
        f"{task.task.name}: {task.task.main_metric} {shown_number(model.value)}, other model "
        f"{shown_number(other.value)}, improvement {gain}{interval}: {task.verdict}"
    )


def _spread(figure: Figure) -> str:
    return " to ".join(shown_numbers(figure)[1:]) or "no interval"


main = command(build_parser, run)
