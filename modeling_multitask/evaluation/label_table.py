"""The metrics of each label: all of them as a table, and those that a report shows if there are many labels."""

from typing import Any

from .confusions import confusion_pairs, confusion_table
from .figures import ClassFigures, LabelFigures, TaskFigures

MOST_ON_A_PAGE = 100  # of a task whose labels a report shows all
SHOWN_OF_EACH = 50  # labels with the lowest F1, and as many of the most frequent ones
_SHARES = ("precision", "recall", "f1")


def label_tables(classes: dict[str, dict[str, Any]]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Return the tables of a page on the metrics of labels, each with a heading and the labels with their figures.

    Args:
        classes: The figures by label, as in `report.json`.
    """
    if len(classes) <= MOST_ON_A_PAGE:
        return [("Metrics by label, lowest F1 first", weakest_first(classes))]
    frequent = sorted(classes.items(), key=lambda each: -each[1]["support"])  # labels with the same F1 in this order
    return [
        (f"The {SHOWN_OF_EACH} labels with the lowest F1", weakest_first(dict(frequent))[:SHOWN_OF_EACH]),
        (f"The {SHOWN_OF_EACH} most frequent labels", frequent[:SHOWN_OF_EACH]),
    ]


def weakest_first(classes: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return labels and their figures, sorted by F1, lowest first. Labels without rows are last."""
    return sorted(classes.items(), key=lambda each: (each[1]["support"] == 0, each[1]["f1"]["value"]))


def task_tables(figures: TaskFigures) -> dict[str, list[list[Any]]]:
    """Return the tables of a task by file name, each with a header: the confusion matrix, and the metrics of labels.

    With few labels, the pages show the metrics. With many, only the cells of the matrix with rows have a line.
    """
    name, labels = figures.task.name, figures.task.labels or []
    many, tables = len(labels) > MOST_ON_A_PAGE, {}
    if figures.confusion is not None:
        tables[f"confusion_{name}.csv"] = (confusion_pairs if many else confusion_table)(labels, figures.confusion)
    if many and figures.classes:
        tables[f"labels_{name}.csv"] = _label_table(figures)
    return tables


def _label_table(figures: TaskFigures) -> list[list[Any]]:
    thresholds, several = figures.task.thresholds or [], figures.task.kind.several_labels
    header = ["label", *(f"{share}{end}" for share in _SHARES for end in ("", "_low", "_high"))]
    header += [*(("yes", "no", "nothing") if several else ("rows",)), *(("threshold",) if thresholds else ())]
    lines = [[label, *_shares(each), *_counts(each)] for label, each in figures.classes.items()]
    return [header, *([*line, *thresholds[i : i + 1]] for i, line in enumerate(lines))]


def _shares(figures: ClassFigures) -> list[float | str]:
    return ["" if part is None else part for share in _SHARES for part in getattr(figures, share)]


def _counts(figures: ClassFigures) -> list[int]:
    return [figures.yes, figures.no, figures.nothing] if isinstance(figures, LabelFigures) else [figures.support]
