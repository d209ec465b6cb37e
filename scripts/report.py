"""Reports where a model fails, and how far its scores can be trusted.

python -m scripts.report runs/quickstart/model configuration/recipes/quickstart.yaml --output runs/quickstart/report
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from configuration import RecipeError
from configuration.report import check_data, check_label_issues, issues_of_labels, rows_to_judge
from datasets_builder import DataError
from datasets_builder.extras import import_extra
from modeling_multitask.evaluation.figures import RESAMPLES
from modeling_multitask.evaluation.judged import judge
from modeling_multitask.evaluation.label_issues import write_label_issues
from modeling_multitask.evaluation.report import Report, make_report, write_report
from modeling_multitask.evaluation.report_page import FILES
from modeling_multitask.inference.loading import load
from modeling_multitask.training.metrics import MAIN_METRIC
from scripts.arguments import positive

ISSUES = "label_issues.csv"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; 1 if there is something for the user to mend."""
    parser = argparse.ArgumentParser(prog="scripts.report", description="Where a model fails; how far to trust it.")
    parser.add_argument("model", help="a folder, a Hub id, or package:NAME/FOLDER")
    parser.add_argument("data", type=Path, help="a recipe (its test rows), or a table with columns named like tasks")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the recipe, such as seed=1")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--text", default="text", help="the table's column of the text (%(default)s)")
    parser.add_argument("--text_pair", help="the table's column of the second text, for a model of pairs")
    parser.add_argument("--separator", default=";", help="between several labels in a cell of the table (%(default)s)")
    parser.add_argument("--resamples", type=positive, default=RESAMPLES, help="behind each interval (%(default)s)")
    parser.add_argument("--label_issues", action="store_true", help="also list the recipe's labels that may be wrong")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    arguments = parser.parse_intermixed_args(argv)
    try:
        run(arguments)
    except (RecipeError, DataError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments: argparse.Namespace) -> None:
    """Judges and writes; everything that can be checked is checked before the model runs."""
    output = arguments.output
    written = [*FILES, *([ISSUES] if arguments.label_issues else [])]
    if not arguments.force and any((output / name).exists() for name in written):
        raise FileExistsError(f"{output} holds a report already; add --force to overwrite it")
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file; name a folder")
    check_data(arguments.data)
    recipe = check_label_issues(arguments.data, arguments.overrides) if arguments.label_issues else None
    model, tokenizer = load(arguments.model)
    texts = (arguments.text, *([arguments.text_pair] if arguments.text_pair else []))
    rows = rows_to_judge(
        model.config.tasks,
        arguments.data,
        overrides=arguments.overrides,
        model=arguments.model,
        texts=texts,
        separator=arguments.separator,
    )
    judged = judge(model, rows.rows, tokenizer, sources=rows.sources, show_progress=True)
    report = make_report(
        judged, name=arguments.model, split=rows.split, notes=rows.notes, resamples=arguments.resamples
    )
    write_report(report, output)
    import_extra("rich.console", extra="train").Console().print(figures(report))
    if recipe is not None:
        issues = issues_of_labels(recipe)
        write_label_issues(issues, output / ISSUES)
        print(f"{len(issues)} labels, the most suspicious of each task first, are in {(output / ISSUES).as_posix()}")
    print(f"The report is in {(output / 'report.html').as_posix()}")


def figures(report: Report) -> Any:
    """The main figure of each task, and how far its scores are off."""
    table = import_extra("rich.table", extra="train").Table(title=f"{report.split}: {report.rows:,} rows")
    for heading in ("task", "labelled", "main figure", "", "95 %", "ECE before", "ECE after"):
        table.add_column(heading, justify="left" if heading in ("task", "main figure") else "right")
    for each in report.tasks:
        name = MAIN_METRIC[each.task.problem_type]
        main, scores = each.figures.figures.get(name), each.calibration
        interval = [] if main is None else [name, f"{main.value:.4f}", f"{main.low:.4f} to {main.high:.4f}"]
        errors = [] if scores is None else [f"{scores.before.error:.4f}", f"{scores.after.error:.4f}"]
        table.add_row(each.task.name, f"{each.figures.rows:,}", *interval, *errors)
    return table


if __name__ == "__main__":
    sys.exit(main())
