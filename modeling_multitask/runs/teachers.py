"""The teachers of the tasks of a recipe: opened, matched with the tasks by the names of labels, and asked.

Shapes: N texts, C labels of a task, L labels of its teacher.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from datasets_builder.formats import names_table

from .. import TaskConfig
from ..files import is_folder
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..recipes.teacher import Teacher
from ..texts_multitask import Text
from ..wording import MOST_NAMED, first_few
from .cached_source import CachedSource
from .teacher_sources import ClassifierSource, TableSource, load_source

TeacherSource = CachedSource | TableSource


@dataclass(frozen=True)
class TaskTeacher:
    """The teacher of one task.

    Args:
        task: The task that learns.
        name: The name of the teacher for reports and cards, without folders of this machine.
        weight: The share of the teacher in the target of a row that has a label.
        source: The model or table.
        key: The key of the answers of the source.
        places: (L, C), which label of the task each label of the teacher is. `None` for a number.
        deciding: The task with the thresholds of the teacher, to decide its answers.
    """

    task: TaskConfig
    name: str
    weight: float
    source: TeacherSource
    key: str
    places: np.ndarray | None
    deciding: TaskConfig

    def targets(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """Return the probabilities of the task's labels, (N, C), or the numbers, (N, 1), from the source's answers."""
        given = found[self.key].astype(np.float64)
        return given if self.places is None else given @ self.places

    def decide(self, targets: np.ndarray) -> np.ndarray:
        """Return the teacher's answers in the form of `Decision.chosen` from the result of `targets`."""
        return self.deciding.kind.decide(torch.from_numpy(targets), self.deciding).numpy()


class Asked(NamedTuple):
    """A source, its name, and the keys of the answers that are needed."""

    source: TeacherSource
    name: str
    keys: list[str]


def open_teachers(
    recipe: Recipe, tasks: list[TaskConfig], *, device: torch.device, pairs: bool = False
) -> list[TaskTeacher]:
    """Return the teachers of the tasks that have one. A model that teaches several tasks is loaded once.

    Args:
        recipe: The recipe.
        tasks: The tasks with their labels, in the recipe's order.
        device: The device of teachers that are models.
        pairs: Whether the rows are pairs of texts.

    Raises:
        RecipeError: If a teacher cannot be loaded, or does not fit its task.
    """
    sources: dict[str, CachedSource] = {}
    teachers = []
    for i, (words, task) in enumerate(zip(recipe.tasks, tasks, strict=True)):
        if words.teacher is None:
            continue
        with as_recipe_error(recipe, f"tasks[{i}].teacher"):
            if names_table(words.teacher.model) and not is_folder(words.teacher.model):
                teachers.append(_opened_table(words.teacher, task, pairs=pairs))
                continue
            if words.teacher.model not in sources:
                sources[words.teacher.model] = CachedSource(load_source(words.teacher.model, device))
            teachers.append(_opened(words.teacher, task, sources[words.teacher.model]))
    return teachers


def ask(teachers: list[TaskTeacher], texts: Sequence[Text]) -> dict[str, np.ndarray]:
    """Return the result of `TaskTeacher.targets` by task name. Each source reads the texts once."""
    found = {id(source): source.answers(texts, keys) for source, _, keys in sources_of(teachers)}
    return {each.task.name: each.targets(found[id(each.source)]) for each in teachers}


def sources_of(teachers: list[TaskTeacher]) -> list[Asked]:
    """Return the different sources of the teachers. Tables come first, because their errors need no time."""
    found: dict[int, Asked] = {}
    for each in teachers:
        keys = found.setdefault(id(each.source), Asked(each.source, each.name, [])).keys
        keys += [each.key] if each.key not in keys else []
    return sorted(found.values(), key=lambda asked: isinstance(asked.source, CachedSource))


def shown_name(model: str) -> str:
    """Return the name of a model or table without the folders of this machine: `old/model` for `/runs/old/model`."""
    if not (names_table(model) or is_folder(model)):
        return model
    path = Path(model)
    return "/".join(path.parts[-2:]) if path.name == "model" else path.name


def _opened_table(words: Teacher, task: TaskConfig, *, pairs: bool) -> TaskTeacher:
    source, name = TableSource(words, task, pairs=pairs), shown_name(words.model)
    return TaskTeacher(task, name, words.weight, source, "", _places(source.labels, words, task), _deciding(task))


def _opened(words: Teacher, task: TaskConfig, cached: CachedSource) -> TaskTeacher:
    name, source = shown_name(words.model), cached.source
    if isinstance(source, ClassifierSource):
        if words.task is not None:
            raise ValueError("task: a classifier of transformers has only one task, without a name; leave task out")
        key, places = source.key_for(task), _places(source.classifier.labels, words, task)
        return TaskTeacher(task, name, words.weight, cached, key, places, _deciding(task))
    other = source.task(words.task or task.name, task)
    places = _places(other.labels or [], words, task)
    return TaskTeacher(task, name, words.weight, cached, other.name, places, _deciding(task, other, places))


def _places(labels: list[str], words: Teacher, task: TaskConfig) -> np.ndarray | None:
    """Return which label of the task each label of the teacher is, (L, C); `None` for a number.

    Raises:
        ValueError: If the labels do not match by name.
    """
    if task.kind.is_number:
        return None
    theirs = first_few(map(repr, labels))
    if strange := [label for label in words.labels if label not in labels]:
        raise ValueError(f"labels: the teacher has no label {strange[0]!r}; its labels are {theirs}")
    named = [words.labels.get(label, label) for label in labels]
    unknown = [label for label, each in zip(labels, named, strict=True) if each not in (task.labels or ())]
    missing = [label for label in task.labels or () if label not in named]
    if unknown or missing:
        raise ValueError(
            f"the labels of the teacher are {theirs}, and those of the task {task.name!r} are "
            f"{first_few(map(repr, task.labels or ()))}; {_advice(unknown, missing)}"
        )
    if task.kind.several_labels and len(set(named)) < len(named):
        raise ValueError("labels: several labels of the teacher become one, which needs a task with one label per row")
    return np.array([[float(each == label) for label in task.labels or ()] for each in named])


def _advice(unknown: list[str], missing: list[str]) -> str:
    """Return what to do about labels of a teacher that its task does not know, and labels that the teacher lacks."""
    lacks = f"the teacher lacks {first_few(map(repr, missing))}"
    if not unknown:
        return (
            f"{lacks}; if it has another name for it, write teacher: {{model: ..., labels: {{OLD: {missing[0]}}}}}, or "
            "else leave the label out of the task, or choose a teacher that knows it"
        )
    words = ", ".join(f"{label}: ..." for label in unknown[:MOST_NAMED])
    return (
        f"{lacks + '; ' if missing else ''}name the task's label for {first_few(map(repr, unknown))}: "
        f"teacher: {{model: ..., labels: {{{words}}}}}"
    )


def _deciding(task: TaskConfig, other: TaskConfig | None = None, places: np.ndarray | None = None) -> TaskConfig:
    """Return a task that decides as the teacher: with the thresholds of a model of this package."""
    plain = replace(task, temperature=1.0, thresholds=None, abstain_below=None, given=None)
    if other is not None and task.kind.ordered and other.kind.ordered:
        return replace(plain, decision=other.decision)
    if other is None or other.thresholds is None or places is None or other.problem_type != task.problem_type:
        return plain
    if task.kind.several_labels:
        return replace(plain, thresholds=(np.array(other.thresholds) @ places).tolist())
    swapped = places[0, 0] == 0
    return replace(plain, thresholds=[1 - other.thresholds[0] if swapped else other.thresholds[0]])
