"""Texts of labels as training rows: the name of a label says what its texts are about, which counts if they are few."""

import re
from collections.abc import Mapping

from datasets import Dataset

from datasets_builder.columns import SOURCE, TEXT, TEXT_PAIR, WEIGHT

from ..errors import RecipeError
from ..recipes.label_text_rules import PLACEHOLDER
from ..recipes.problems import unknown_label_problems
from ..recipes.recipe import Recipe
from ..tasks_multitask import TaskConfig
from .rows import RowsBySplit

_BETWEEN_WORDS = re.compile(r"(?<=\S)[-_./:]+(?=[^\W\d_])")  # not that of -1, 1.5 and C++


def rows_of_label_texts(recipe: Recipe, rows: RowsBySplit, tasks: list[TaskConfig]) -> Dataset | None:
    """Return a training row for each text of a label, or `None` if there are none.

    Such a row has that label only, and the weight 1. A text that is already in the rows of a split is left out: it may
    have another label there, and training must not see validation and test rows.

    Args:
        recipe: The recipe with `label_texts` of its tasks.
        rows: The rows of each split from the dataset builder.
        tasks: The tasks with their labels.

    Raises:
        RecipeError: If a text is of an unknown label, two labels have the same text, or these rows cannot have texts of
            labels.
    """
    words = {i: task.label_texts for i, task in enumerate(recipe.tasks) if task.label_texts}
    train = rows["train"]
    if not words or not isinstance(train, Dataset):
        return None
    found = {i: label_texts(given, tasks[i].labels or []) for i, given in words.items()}
    problems = [
        f"tasks[{i}].label_texts: {problem}"
        for i in words
        for problem in _problems(words[i], found[i], tasks[i], train)
    ]
    if problems:
        raise RecipeError(recipe.path, problems)
    known = {text for each in rows.values() for text in each[TEXT]}
    added = [
        {TEXT: text, tasks[i].name: (tasks[i].labels or []).index(label), WEIGHT: 1.0}
        for i, texts in found.items()
        for label, text in texts.items()
        if text not in known
    ]
    columns = {name: [row.get(name) for row in added] for name in train.column_names}
    return Dataset.from_dict(columns, features=train.features) if added else None


def label_texts(given: str | Mapping[str, str], labels: list[str]) -> dict[str, str]:
    """Return the text by label.

    Args:
        given: The texts by label, or a template in which `{label}` is the label, with spaces between its words.
        labels: The labels of the task.
    """
    if not isinstance(given, str):
        return dict(given)
    words = {label: _BETWEEN_WORDS.sub(" ", label).strip() for label in labels}
    return {label: given.replace(PLACEHOLDER, each) for label, each in words.items()}


def _problems(given: str | dict[str, str], texts: dict[str, str], task: TaskConfig, rows: Dataset) -> list[str]:
    problems = [] if isinstance(given, str) else unknown_label_problems(given, task.labels or [])
    labels: dict[str, list[str]] = {}
    for label, text in texts.items():
        labels.setdefault(text, []).append(label)
    problems += [
        f"the labels {' and '.join(map(repr, each))} have the same text {text!r}; give other texts"
        for text, each in labels.items()
        if len(each) > 1
    ]
    if TEXT_PAIR in rows.column_names:
        problems.append("rows have two texts, and a label has one; leave label_texts out")
    if SOURCE in rows.column_names:
        problems.append("sampling.strategy draws from sources, and texts of labels come from none; leave one out")
    return problems
