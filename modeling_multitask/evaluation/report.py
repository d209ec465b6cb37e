"""What a user wants to know of a model: where it fails, and how far its scores can be trusted.

Shapes: N rows, M labelled rows of one task.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..answers_multitask import Decision
from ..files import write_bytes, write_csv, write_json, write_text
from ..tasks_multitask import TaskConfig
from ..training.metrics import decide_arrays
from .calibration import Reliability, answer_confidences, reliability
from .errors import RESAMPLES as OF_SLICES
from .errors import Slice, TaskErrors, task_errors
from .figures import LEVEL, RESAMPLES, TaskFigures, task_figures
from .judged import Judged
from .report_page import Page, Picture, Section, render
from .report_plot import draw_confusion, draw_reliability, draw_scatter

_OF_TASKS = ("confusion_*.csv", "confusion_*.png", "reliability_*.png", "scatter_*.png")
# What is to be known of a report on validation rows.
CHOSEN_BY = (
    "these rows chose the checkpoint, and temperature, thresholds and abstention were fitted on them: the figures "
    "flatter the model"
)


class Calibration(NamedTuple):
    """Whether scores hold: of the plain model (no temperature, no thresholds), and as the model answers."""

    before: Reliability
    after: Reliability


class Abstention(NamedTuple):
    """What becomes of a task whose answers are withheld below a score, or an energy.

    Args:
        by: `score` or `energy`.
        below: Its least value that has an answer.
        answered: How many of the labelled rows have an answer.
        share: The same as a share of them.
        accuracy: The share of the answers that is right; NaN if there is none.
    """

    by: str
    below: float
    answered: int
    share: float
    accuracy: float


@dataclass(frozen=True)
class TaskReport:
    """What is said of one task; nothing but its figures, which are empty, if no row has a label for it.

    Args:
        figures: How good it is.
        errors: Where it fails.
        calibration: Whether its scores hold; `None` for a regression.
        abstention: `None` if it always answers.
        numbers: (2, M) of a regression the true numbers and the answers.
    """

    figures: TaskFigures
    errors: TaskErrors | None = None
    calibration: Calibration | None = None
    abstention: Abstention | None = None
    numbers: np.ndarray | None = None

    @property
    def task(self) -> TaskConfig:
        """The task."""
        return self.figures.task

    @property
    def coverage(self) -> float:
        """The share of all rows that have a label for it."""
        return self.figures.rows / max(self.figures.all_rows, 1)


@dataclass(frozen=True)
class Report:
    """What is said of a model on some rows.

    Args:
        name: Of the model.
        split: Of the rows.
        rows: N.
        tasks: In the model's order.
        resamples: That the intervals were found with.
        notes: What else there is to know of the rows.
    """

    name: str
    split: str
    rows: int
    tasks: list[TaskReport]
    resamples: int = RESAMPLES
    notes: list[str] = field(default_factory=list)


def make_report(
    judged: Judged,
    *,
    name: str,
    split: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
    notes: list[str] | None = None,
) -> Report:
    """All there is to say of a model on these rows.

    Args:
        judged: The rows, their labels and the model's logits.
        name: Of the model.
        split: Of the rows.
        seed: Of the resampling, and of the examples that are shown.
        resamples: How often rows are drawn anew for the interval of a figure.
        notes: What else there is to know of the rows.
    """
    if not judged.texts:
        raise ValueError("there are no rows to report on; give at least one")
    plain = decide_arrays(judged.logits, [replace(task, temperature=1.0, thresholds=None) for task in judged.tasks])
    tasks = [_task(judged, task, plain[task.name], seed, resamples) for task in judged.tasks]
    return Report(name, split, len(judged.texts), tasks, resamples, list(notes or []))


def report_as_json(report: Report) -> dict[str, Any]:
    """The report in plain types; what is not a number is null."""
    return _plain(
        {
            "model": report.name,
            "split": report.split,
            "rows": report.rows,
            "intervals": {"level": LEVEL, "resamples": report.resamples, "of_slices": min(report.resamples, OF_SLICES)},
            "notes": report.notes,
            "tasks": {each.task.name: _task_as_json(each) for each in report.tasks},
        }
    )


def write_report(report: Report, folder: Path) -> list[Path]:
    """Writes the page, the same as Markdown and as JSON, and its pictures and tables; each file whole or not at all.

    Without matplotlib there are no pictures, and a note that says so.

    Args:
        report: The report.
        folder: Where to; made if it is not there.

    Returns:
        What was written, the page first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in [each for pattern in _OF_TASKS for each in folder.glob(pattern)]:  # perhaps of tasks of another model
        old.unlink()
    notes = list(report.notes)
    try:
        pictures = {name: each for task in report.tasks for name, each in _pictures(task).items()}
    except ImportError as error:
        pictures = {}
        notes.append(f"There are no pictures: {error}")
    content = report_as_json(report)
    sections = [_section(name, each, pictures) for name, each in content["tasks"].items()]
    pages = render(Page(content, sections, notes))
    confusions = {
        f"confusion_{each.task.name}.csv": _confusion_table(each.task, each.figures.confusion)
        for each in report.tasks
        if each.figures.confusion is not None
    }
    for name, picture in pictures.items():
        write_bytes(folder / name, picture)
    for name, rows in confusions.items():
        write_csv(folder / name, rows)
    write_json(folder / "report.json", content)
    for name, page in pages.items():
        write_text(folder / name, page)
    return [folder / name for name in (*pages, "report.json", *pictures, *confusions)]


def _task(judged: Judged, task: TaskConfig, plain: Decision, seed: int, resamples: int) -> TaskReport:
    decision, labels = judged.decisions[task.name], judged.labels[task.name]
    figures = task_figures(task, decision, labels, seed=seed, resamples=resamples)
    if figures.rows == 0:
        return TaskReport(figures)
    errors = task_errors(judged, task, seed=seed, resamples=min(resamples, OF_SLICES))
    if task.kind.is_number:
        there = ~np.isnan(labels)
        return TaskReport(figures, errors, numbers=np.stack([labels[there], decision.chosen[there]]))
    plain_task = replace(task, temperature=1.0, thresholds=None)
    unasked = judged.unasked[task.name]
    calibration = Calibration(
        reliability(plain_task, plain, labels, unasked), reliability(task, decision, labels, unasked)
    )
    return TaskReport(figures, errors, calibration, _abstention(task, decision, labels, unasked))


def _abstention(task: TaskConfig, decision: Decision, labels: np.ndarray, unasked: np.ndarray) -> Abstention | None:
    if task.abstain_below is None:
        return None
    confidences, right = answer_confidences(task, decision, labels, unasked)
    answered = confidences >= task.abstain_below
    accuracy = float(right[answered].mean()) if answered.any() else math.nan
    share = float(answered.sum() / ((labels >= 0) | unasked).sum())
    return Abstention(task.abstain_by, float(task.abstain_below), int(answered.sum()), share, accuracy)


def _pictures(report: TaskReport) -> dict[str, bytes]:
    """By file name."""
    pictures, name = {}, report.task.name
    if report.figures.confusion is not None:
        pictures[f"confusion_{name}.png"] = draw_confusion(report.task.labels or [], report.figures.confusion)
    if report.numbers is not None:
        pictures[f"scatter_{name}.png"] = draw_scatter(*report.numbers)
    if report.calibration is not None:
        pictures[f"reliability_{name}.png"] = draw_reliability(*report.calibration)
    return pictures


def _section(name: str, content: dict[str, Any], pictures: dict[str, bytes]) -> Section:
    files = {kind: f"{kind}_{name}.png" for kind in ("confusion", "scatter", "reliability")}
    return Section(name, content, {kind: Picture(f, pictures[f]) for kind, f in files.items() if f in pictures})


def _confusion_table(task: TaskConfig, confusion: np.ndarray) -> list[list[Any]]:
    """True labels below each other, answers beside each other."""
    labels = task.labels or []
    lines = [[label, *line] for label, line in zip(labels, confusion.tolist(), strict=True)]
    return [["label", *labels, "(not asked)"], *lines]


def _task_as_json(report: TaskReport) -> dict[str, Any]:
    figures, task = report.figures, report.task
    content: dict[str, Any] = {
        "problem_type": task.problem_type,
        "labels": task.labels,
        "rows": figures.rows,
        "coverage": report.coverage,
        "main_figure": task.kind.main_metric,
        "figures": {name: each._asdict() for name, each in figures.figures.items()},
        "classes": {label: asdict(each) for label, each in figures.classes.items()},
        "confusion": None if figures.confusion is None else _confusion_as_json(figures.confusion),
        "calibration": None if report.calibration is None else _calibration_as_json(task, report.calibration),
        "abstention": None if report.abstention is None else report.abstention._asdict(),
    }
    if report.errors is not None:
        content["errors"] = _errors_as_json(report.errors)
    return content


def _confusion_as_json(confusion: np.ndarray) -> dict[str, Any]:
    return {"counts": confusion[:, :-1], "not_asked": confusion[:, -1]}


def _calibration_as_json(task: TaskConfig, calibration: Calibration) -> dict[str, Any]:
    scores = {name: _reliability_as_json(each) for name, each in calibration._asdict().items()}
    return {"temperature": task.temperature, "thresholds": task.thresholds, **scores}


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


def _reliability_as_json(given: Reliability) -> dict[str, Any]:
    count = max(given.counts.sum(), 1)
    return {
        "ece": given.error,
        "mean_score": np.nansum(given.scores * given.counts) / count,
        "right": np.nansum(given.accuracies * given.counts) / count,
        "bins": given._asdict(),
    }


def _plain(given: Any) -> Any:
    """The same in types that JSON has."""
    if isinstance(given, dict):
        return {str(name): _plain(each) for name, each in given.items()}
    given = given.tolist() if isinstance(given, np.ndarray | np.generic) else given
    if isinstance(given, list | tuple):
        return [_plain(each) for each in given]
    return None if isinstance(given, float) and not math.isfinite(given) else given
