"""An overview of a data set before training: labels, class balance, and truncated texts.

Shapes: N rows, K tasks.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from datasets_builder.label_rows import MAX_LABEL, LabelRows, label_rows, without_labels
from modeling_multitask.tasks_multitask import TaskConfig
from modeling_multitask.wording import on_one_line

MAX_SHOWN = 12  # labels of one task, and combinations of tasks, listed in the text


@dataclass(frozen=True)
class TaskLook:
    """The labels of one task.

    Args:
        task: The task.
        labelled: By split, the number of rows with a label for it.
        answers: By split, the number of rows of each label with yes, with no, and with nothing.
        numbers: For a regression, by split: the minimum, median and maximum.
        ties: By split, the number of rows with soft labels of which none is the most probable one. They count as
            labelled, because training uses their soft labels, and have no place in `answers`.
    """

    task: TaskConfig
    labelled: dict[str, int]
    answers: dict[str, dict[str, LabelRows]] = field(default_factory=dict)
    numbers: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    ties: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By split, the number of rows that have each label."""
        return {name: {label: each.yes for label, each in counts.items()} for name, counts in self.answers.items()}


@dataclass(frozen=True)
class Look:
    """The overview of a data set.

    Args:
        rows: By split, the number of rows.
        tasks: The labels of each task, in order.
        patterns: By combination of labelled tasks, the number of rows in all splits, the most frequent first.
        together: (K, K) the number of rows in all splits with a label for both tasks.
        notes: Messages about rows that were repaired or merged while the data set was built.
        lengths: By split (N,), the tokens of each text before truncation. Empty without a tokenizer.
        max_length: The length in tokens at which texts are truncated, if known.
    """

    rows: dict[str, int]
    tasks: list[TaskLook]
    patterns: dict[tuple[str, ...], int]
    together: np.ndarray
    notes: list[str]
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    max_length: int | None = None

    @property
    def cut_rows(self) -> int:
        """The number of texts that are truncated."""
        return sum(int((each > (self.max_length or np.inf)).sum()) for each in self.lengths.values())

    @property
    def cut_tokens(self) -> float:
        """The share of all tokens that is cut off, between 0 and 1."""
        tokens = np.concatenate(list(self.lengths.values()))
        return float(np.maximum(tokens - (self.max_length or np.inf), 0).sum() / max(tokens.sum(), 1))


def look_at(
    dataset: dict[str, Dataset],
    tasks: list[TaskConfig],
    *,
    notes: list[str] | None = None,
    lengths: dict[str, np.ndarray] | None = None,
    max_length: int | None = None,
) -> Look:
    """Return the overview of a data set.

    Args:
        dataset: By split, the multi-task table.
        tasks: Its tasks.
        notes: The notes of its builder.
        lengths: By split, the tokens of each text.
        max_length: The length in tokens at which texts are truncated.
    """
    columns = {name: rows.with_format("arrow")[:] for name, rows in dataset.items()}
    labelled = np.concatenate([_labelled(table, tasks) for table in columns.values()])  # (N, K)
    names = [task.name for task in tasks]
    patterns = Counter(
        tuple(name for name, there in zip(names, row, strict=True) if there) for row in labelled.tolist()
    )
    return Look(
        rows={name: len(table) for name, table in columns.items()},
        tasks=[_look_at_task(task, columns) for task in tasks],
        patterns=dict(patterns.most_common()),
        together=labelled.T.astype(int) @ labelled.astype(int),
        notes=notes or [],
        lengths=lengths or {},
        max_length=max_length,
    )


def describe(look: Look) -> str:
    """Return the overview as text, for a terminal or a file."""
    lines = ["rows: " + ", ".join(f"{name} {count:,}" for name, count in look.rows.items())]
    lines += [f"note: {note}" for note in look.notes]
    lines += ["", "which labels occur together (rows in all splits)", *_pattern_lines(look)]
    for each in look.tasks:
        lines += ["", *_task_lines(each, look.rows)]
    return "\n".join([*lines, *_length_lines(look)])


def _labelled(table: pa.Table, tasks: list[TaskConfig]) -> np.ndarray:
    return np.stack([~without_labels(table, [task.name]) for task in tasks], axis=1)


def _look_at_task(task: TaskConfig, tables: dict[str, pa.Table]) -> TaskLook:
    cells = {name: table[task.name].combine_chunks() for name, table in tables.items()}
    labelled = {name: int((~without_labels(table, [task.name])).sum()) for name, table in tables.items()}
    if task.kind.is_number:
        quantiles = {name: pc.quantile(column, [0, 0.5, 1]).to_pylist() for name, column in cells.items()}
        return TaskLook(
            task, labelled, numbers={name: tuple(each) for name, each in quantiles.items() if each[0] is not None}
        )
    answers = {name: label_rows(column, task) for name, column in cells.items()}
    ties = {name: labelled[name] - (len(column) - column.null_count) for name, column in cells.items()}
    return TaskLook(task, labelled, answers, ties=ties)


def _pattern_lines(look: Look) -> list[str]:
    total = sum(look.rows.values())
    shown = list(look.patterns.items())[:MAX_SHOWN]
    lines = [f"  {count:>9,}  {count / total:>6.1%}  {', '.join(names) or 'no label at all'}" for names, count in shown]
    rest = len(look.patterns) - len(shown)
    return [*lines, f"  and {rest} rarer combinations"] if rest else lines


def _task_lines(look: TaskLook, rows: dict[str, int]) -> list[str]:
    shares = ", ".join(f"{name} {count:,} ({count / max(rows[name], 1):.0%})" for name, count in look.labelled.items())
    lines = [f"{look.task.name}, {look.task.problem_type}: labelled in {shares}"]
    for name, (least, median, greatest) in look.numbers.items():
        lines.append(f"  {name}: from {least:g} to {greatest:g}, median {median:g}")
    if any(look.ties.values()):
        ties = ", ".join(f"{name} {count:,}" for name, count in look.ties.items())
        lines.append(f"  soft labels without a most probable one (trained, but not evaluated): {ties}")
    if not look.answers:
        return lines
    splits = list(look.answers)
    train = look.counts[splits[0]]
    ordered = sorted(train, key=lambda label: -train[label]) if len(train) > MAX_SHOWN else list(train)
    shown = ordered if len(ordered) <= MAX_SHOWN else [*ordered[: MAX_SHOWN // 2], *ordered[-MAX_SHOWN // 2 :]]
    words = [on_one_line(label, MAX_LABEL) for label in shown]
    width = max(map(len, words))
    several = look.task.kind.several_labels
    answers = LabelRows._fields if several else ("yes",)
    lines.append("  " + " " * width + "".join(f"{name:>{12 * len(answers)}}" for name in splits))
    if several:
        lines.append("  " + " " * width + "".join(f"{answer:>12}" for _ in splits for answer in answers))
    for i, label in enumerate(shown):
        if len(shown) < len(ordered) and i == MAX_SHOWN // 2:
            lines.append(f"  ... {len(ordered) - len(shown)} labels in between ...")
        cells = [getattr(look.answers[name][label], answer) for name in splits for answer in answers]
        lines.append(f"  {words[i]:<{width}}" + "".join(f"{cell:>12,}" for cell in cells))
    return lines


def _length_lines(look: Look) -> list[str]:
    if not look.lengths:
        return []
    tokens = np.concatenate(list(look.lengths.values()))
    middle, most, longest = (int(each) for each in np.quantile(tokens, [0.5, 0.95, 1]))
    lines = ["", f"tokens of a text: median {middle}, 95 % have at most {most}, longest {longest}"]
    if look.max_length is not None:
        share = in_percent(look.cut_rows / len(tokens))
        cut = f"{look.cut_rows:,} texts ({share}) lose {in_percent(look.cut_tokens)} of all tokens"
        lines.append(f"max_length is {look.max_length}: {cut if look.cut_rows else 'nothing is cut'}")
    return lines


def in_percent(share: float) -> str:
    """Return a share as `12.3%`, and a share above 0 that rounds to 0 as `under 0.1%`."""
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def look_as_json(look: Look) -> dict[str, Any]:
    """Return the overview as plain values for JSON."""
    return {
        "rows": look.rows,
        "notes": look.notes,
        "patterns": [{"tasks": list(names), "rows": count} for names, count in look.patterns.items()],
        "tasks": {each.task.name: _task_as_json(each) for each in look.tasks},
        "together": look.together.tolist(),
        "lengths": _lengths_as_json(look),
    }


def _task_as_json(look: TaskLook) -> dict[str, Any]:
    answers = look.answers if look.task.kind.several_labels else {}
    return {
        "labelled": look.labelled,
        "counts": look.counts,
        "answers": {
            name: {label: each._asdict() for label, each in counts.items()} for name, counts in answers.items()
        },
        "numbers": look.numbers,
        "ties": look.ties,
    }


def _lengths_as_json(look: Look) -> dict[str, Any] | None:
    if not look.lengths:
        return None
    by_split = {
        name: dict(zip(("median", "longest"), np.quantile(tokens, [0.5, 1]).tolist(), strict=True))
        for name, tokens in look.lengths.items()
    }
    cut = {"cut_rows": look.cut_rows, "cut_tokens": look.cut_tokens}
    return {"splits": by_split, "max_length": look.max_length, **cut}
