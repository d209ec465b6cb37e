"""Texts of labels as training rows: the name of a label says what its texts are about, which counts if they are few."""

import re
from collections.abc import Mapping

from datasets import Dataset, IterableDataset, concatenate_datasets
from transformers.utils import logging

from datasets_builder.columns import SOURCE, TEXT, TEXT_PAIR, WEIGHT

from ..errors import RecipeError
from ..recipes.label_text_rules import PLACEHOLDER, unknown_label_problems
from ..recipes.recipe import Recipe
from ..tasks_multitask import TaskConfig

logger = logging.get_logger(__name__)

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def with_label_texts(
    recipe: Recipe, rows: Dataset | IterableDataset, tasks: list[TaskConfig]
) -> Dataset | IterableDataset:
    """Return the rows and one more for each text of a label. It has that label only, and the weight 1.

    Args:
        recipe: The recipe with `label_texts` of its tasks.
        rows: The training rows.
        tasks: The tasks with their labels.

    Raises:
        RecipeError: If a text is of an unknown label, or these rows cannot have texts of labels.
    """
    words = {i: task.label_texts for i, task in enumerate(recipe.tasks) if task.label_texts}
    if not words or not isinstance(rows, Dataset):
        return rows
    added, problems = [], []
    for i, given in words.items():
        task, known = tasks[i], tasks[i].labels or []
        found = _problems(given, known, rows)
        problems += [f"tasks[{i}].label_texts: {problem}" for problem in found]
        if not found:
            added += [{TEXT: text, task.name: known.index(label)} for label, text in label_texts(given, known).items()]
    if problems:
        raise RecipeError(recipe.path, problems)
    names = ", ".join(repr(tasks[i].name) for i in words)
    logger.info(f"train: {len(added):,} texts of labels are added ({names})")
    blank = {WEIGHT: 1.0}
    columns = {name: [row.get(name, blank.get(name)) for row in added] for name in rows.column_names}
    return concatenate_datasets([rows, Dataset.from_dict(columns, features=rows.features)])


def label_texts(given: str | Mapping[str, str], labels: list[str]) -> dict[str, str]:
    """Return the text by label.

    Args:
        given: The texts by label, or a template in which `{label}` stands for the words of the label.
        labels: The labels of the task.
    """
    if not isinstance(given, str):
        return dict(given)
    words = {label: _BETWEEN_WORDS.sub(" ", label).strip() for label in labels}
    return {label: given.replace(PLACEHOLDER, each) for label, each in words.items() if each}


def _problems(given: str | dict[str, str], labels: list[str], rows: Dataset) -> list[str]:
    problems = [] if isinstance(given, str) else unknown_label_problems(given, labels)
    if TEXT_PAIR in rows.column_names:
        problems.append("rows have two texts, and a label has one; leave label_texts out")
    if SOURCE in rows.column_names:
        problems.append("sampling.strategy draws from sources, and texts of labels come from none; leave one out")
    return problems
