"""The report on a model: its metrics, its errors and the calibration of its scores.

Shapes: N rows, M labelled rows of one task.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..answers_multitask import Decision
from ..files import whole_files, write_bytes, write_csv, write_json, write_text
from ..tasks_multitask import TaskConfig
from ..training.metrics import decide_arrays
from .abstention import Abstention, abstention
from .comparison import ModelComparison, comparison_as_json, difference_table
from .errors import RESAMPLES as OF_SLICES
from .errors import Slice, TaskErrors, task_errors
from .figures import TaskFigures, task_figures
from .intervals import LEVEL, RESAMPLES
from .json_types import json_types
from .judged import Judged
from .judgement import Judgement, judged_by_a_constant
from .label_table import MOST_ON_A_PAGE, task_tables
from .report_calibration import Calibration, calibration_as_json, task_calibration
from .report_page import Page, Picture, Section, render
from .report_plot import draw_confusion, draw_reliability, draw_scatter

_OF_TASK = ("confusion_{}.csv", "labels_{}.csv", "confusion_{}.png", "reliability_{}.png", "scatter_{}.png")
_DIFFERENCES = "differences.csv"
# The note of a report on validation rows.
CHOSEN_BY = (
    "The checkpoint was selected on these rows, and any temperature, threshold and abstention was fitted on them, so "
    "the metrics are optimistic"
)


@dataclass(frozen=True)
class TaskReport:
    """The report on one task. If no row has a label for it, only `figures` is set, and it is empty.

    Args:
        figures: The metrics.
        errors: The errors.
        judgement: The baselines and the verdict.
        calibration: The calibration of the scores. `None` for a regression.
        abstention: The withheld answers. `None` if no answer is withheld.
        numbers: (2, M), the true numbers and the answers of a regression.
    """

    figures: TaskFigures
    errors: TaskErrors | None = None
    judgement: Judgement | None = None
    calibration: Calibration | None = None
    abstention: Abstention | None = None
    numbers: np.ndarray | None = None

    @property
    def task(self) -> TaskConfig:
        """The task."""
        return self.figures.task

    @property
    def coverage(self) -> float:
        """The share of all rows that have a label for the task."""
        return self.figures.rows / max(self.figures.all_rows, 1)


@dataclass(frozen=True)
class Report:
    """The report on a model.

    Args:
        name: The model's name.
        split: The split that the rows are from.
        rows: N.
        tasks: The reports on the tasks, in the model's order.
        resamples: The number of resamples of each interval.
        notes: Notes on the rows, shown at the top.
        comparison: The comparison with another model. `None` if there is none.
    """

    name: str
    split: str
    rows: int
    tasks: list[TaskReport]
    resamples: int = RESAMPLES
    notes: list[str] = field(default_factory=list)
    comparison: ModelComparison | None = None


def make_report(
    judged: Judged,
    *,
    name: str,
    split: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
    notes: list[str] | None = None,
    judgements: Mapping[str, Judgement] | None = None,
) -> Report:
    """Return the report on a model for these rows.

    Args:
        judged: The rows, their labels and the model's logits.
        name: The model's name.
        split: The split that the rows are from.
        seed: The seed of the resampling.
        resamples: The number of resamples for the interval of a figure.
        notes: Notes on the rows, shown at the top.
        judgements: The judgement on each task. By default, each task is compared with the best constant on these rows.

    Raises:
        ValueError: If there are no rows.
    """
    if not judged.texts:
        raise ValueError("the report has no rows; give at least one")
    tasks = [_task(judged, task, seed, resamples) for task in judged.tasks]
    # Only now, because the decisions on thousands of labels are large.
    plain = decide_arrays(judged.logits, [replace(task, temperature=1.0, thresholds=None) for task in judged.tasks])
    tasks = [
        replace(
            each,
            calibration=_calibration(each, judged, plain[each.task.name], seed, resamples),
            judgement=(judgements or {}).get(each.task.name) or _judged(judged, each.task, resamples),
        )
        for each in tasks
    ]
    return Report(name, split, len(judged.texts), tasks, resamples, list(notes or []))


def report_as_json(report: Report) -> dict[str, Any]:
    """Return the report in JSON types. NaN and infinite numbers become `None`."""
    return json_types(
        {
            "model": report.name,
            "split": report.split,
            "rows": report.rows,
            "intervals": {"level": LEVEL, "resamples": report.resamples, "of_slices": min(report.resamples, OF_SLICES)},
            "notes": report.notes,
            "tasks": {each.task.name: _task_as_json(each) for each in report.tasks},
            "comparison": comparison_as_json(report.comparison),
        }
    )


def write_report(report: Report, folder: Path, *, also: Callable[[Path], None] | None = None) -> list[Path]:
    """Write the report as HTML, Markdown and JSON, with its pictures and tables, or nothing if one of them fails.

    Without matplotlib the report has no pictures, and a note explains why.

    Args:
        report: The report.
        folder: The folder. It is created if needed.
        also: Writes further files, which appear together with the report, into the temporary folder that it is given.

    Returns:
        The paths of the files, the HTML page first.
    """
    notes = list(report.notes)
    try:
        pictures = {name: each for task in report.tasks for name, each in _pictures(task).items()}
    except ImportError as error:
        pictures = {}
        notes.append(f"The report has no pictures: {error}")
    content = report_as_json(report)
    sections = [_section(name, each, pictures) for name, each in content["tasks"].items()]
    pages = render(Page(content, sections, notes))
    tables = {name: each for task in report.tasks for name, each in task_tables(task.figures).items()}
    if report.comparison is not None:
        tables[_DIFFERENCES] = difference_table(report.comparison)
    with whole_files(folder, stale=_files_of_before(folder)) as partial:
        for name, picture in pictures.items():
            write_bytes(partial / name, picture)
        for name, rows in tables.items():
            write_csv(partial / name, rows)
        write_json(partial / "report.json", content)
        for name, page in pages.items():
            write_text(partial / name, page)
        if also is not None:
            also(partial)
    return [folder / name for name in (*pages, "report.json", *pictures, *tables)]


def _files_of_before(folder: Path) -> list[str]:
    """Return the names that the pictures and tables of the report in a folder may have; none without a report."""
    try:
        tasks = json.loads((folder / "report.json").read_text(encoding="utf-8"))["tasks"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [*(each.format(task) for task in tasks for each in _OF_TASK if "/" not in task), _DIFFERENCES]


def _task(judged: Judged, task: TaskConfig, seed: int, resamples: int) -> TaskReport:
    decision, labels = judged.decisions[task.name], judged.labels[task.name]
    figures = task_figures(task, decision, labels, seed=seed, resamples=resamples)
    if figures.rows == 0:
        return TaskReport(figures)
    errors = task_errors(judged, task, seed=seed, resamples=min(resamples, OF_SLICES))
    if task.kind.is_number:
        there = ~np.isnan(labels)
        return TaskReport(figures, errors, numbers=np.stack([labels[there], decision.chosen[there]]))
    return TaskReport(figures, errors, abstention=abstention(task, decision, labels, judged.unasked[task.name]))


def _calibration(report: TaskReport, judged: Judged, plain: Decision, seed: int, resamples: int) -> Calibration | None:
    if report.errors is None or report.task.kind.is_number:
        return None
    return task_calibration(judged, report.task, plain, seed=seed, resamples=resamples)


def _judged(judged: Judged, task: TaskConfig, resamples: int) -> Judgement:
    return judged_by_a_constant(task, judged.decisions[task.name], judged.labels[task.name], resamples=resamples)


def _pictures(report: TaskReport) -> dict[str, bytes]:
    """Return the pictures of a task by file name."""
    pictures, name = {}, report.task.name
    if report.figures.confusion is not None:
        pictures[f"confusion_{name}.png"] = draw_confusion(report.task.labels or [], report.figures.confusion)
    if report.numbers is not None:
        pictures[f"scatter_{name}.png"] = draw_scatter(*report.numbers)
    if report.calibration is not None:
        pictures[f"reliability_{name}.png"] = draw_reliability(report.calibration.before, report.calibration.after)
    return pictures


def _section(name: str, content: dict[str, Any], pictures: dict[str, bytes]) -> Section:
    files = {kind: f"{kind}_{name}.png" for kind in ("confusion", "scatter", "reliability")}
    return Section(name, content, {kind: Picture(f, pictures[f]) for kind, f in files.items() if f in pictures})


def _task_as_json(report: TaskReport) -> dict[str, Any]:
    figures, task = report.figures, report.task
    content: dict[str, Any] = {
        "problem_type": task.problem_type,
        "labels": task.labels,
        "rows": figures.rows,
        "coverage": report.coverage,
        "main_figure": task.main_metric,
        "figures": figures.figures,
        "verdict": None,
        **({} if report.judgement is None else report.judgement.as_json()),
        "classes": {label: vars(each) for label, each in figures.classes.items()},
        "confusion": _confusion_as_json(figures.confusion),
        **calibration_as_json(task, report.calibration),
        "abstention": None if report.abstention is None else report.abstention._asdict(),
    }
    if report.errors is not None:
        content["errors"] = _errors_as_json(report.errors)
    return content


def _confusion_as_json(confusion: np.ndarray | None) -> dict[str, Any] | None:
    # With thousands of labels, nearly all of its millions of cells are 0. The CSV has the others.
    if confusion is None or len(confusion) > MOST_ON_A_PAGE:
        return None
    return {"counts": confusion[:, :-1], "not_asked": confusion[:, -1]}


def _errors_as_json(errors: TaskErrors) -> dict[str, Any]:
    def lines(slices: list[Slice]) -> list[dict[str, Any]]:
        return [{"name": each.name, "rows": each.rows, **each.figure._asdict()} for each in slices]

    return {
        "confusions": [each._asdict() for each in errors.confusions],
        "worst": [each._asdict() for each in errors.worst],
        "main_figure": errors.main_figure,
        "by_length": lines(errors.by_length),
        "by_source": lines(errors.by_source),
        "by_pattern": lines(errors.by_pattern),
    }
