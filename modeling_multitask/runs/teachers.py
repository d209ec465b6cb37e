"""The teachers of the tasks of a recipe: opened, matched with the tasks by the names of labels, and asked.

Shapes: N texts, C labels of a task, L labels of its teacher.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets_builder.formats import names_table

from .. import TaskConfig
from ..files import is_folder
from ..recipes.loading import as_recipe_error
from ..recipes.recipe import Recipe
from ..recipes.teacher import Teacher
from ..texts_multitask import Text
from ..wording import first_few
from .teacher_sources import ClassifierSource, TableSource, TeacherSource, load_source


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


def open_teachers(recipe: Recipe, tasks: list[TaskConfig], *, pairs: bool = False) -> list[TaskTeacher]:
    """Return the teachers of the tasks that have one. A model that teaches several tasks is loaded once.

    Args:
        recipe: The recipe.
        tasks: The tasks with their labels, in the recipe's order.
        pairs: Whether the rows are pairs of texts.

    Raises:
        RecipeError: If a teacher cannot be loaded, or does not fit its task.
    """
    sources: dict[str, Any] = {}
    teachers = []
    for i, (words, task) in enumerate(zip(recipe.tasks, tasks, strict=True)):
        if words.teacher is None:
            continue
        with as_recipe_error(recipe, f"tasks[{i}].teacher"):
            teachers.append(_opened(words.teacher, task, sources, pairs=pairs))
    return teachers


def ask(teachers: list[TaskTeacher], texts: Sequence[Text]) -> dict[str, np.ndarray]:
    """Return the result of `TaskTeacher.targets` by task name. Each source reads the texts once."""
    return targets_of(teachers, lambda source: source.answers(texts))


def targets_of(
    teachers: list[TaskTeacher], answers: Callable[[TeacherSource], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return the result of `TaskTeacher.targets` by task name, from a function that returns the answers of a source."""
    found = {id(each): answers(each) for each in sources_of(teachers)}
    return {each.task.name: each.targets(found[id(each.source)]) for each in teachers}


def sources_of(teachers: list[TaskTeacher]) -> list[TeacherSource]:
    """Return the different sources of the teachers."""
    return list({id(each.source): each.source for each in teachers}.values())


def shown_name(model: str) -> str:
    """Return the name of a model or table without the folders of this machine: `old/model` for `/runs/old/model`."""
    if not (names_table(model) or is_folder(model)):
        return model
    path = Path(model)
    return "/".join(path.parts[-2:]) if path.name == "model" else path.name


def _opened(words: Teacher, task: TaskConfig, sources: dict[str, Any], *, pairs: bool) -> TaskTeacher:
    name = shown_name(words.model)
    if names_table(words.model) and not is_folder(words.model):
        source = TableSource(words, task, pairs=pairs)
        return TaskTeacher(task, name, words.weight, source, "", _places(source.labels, words, task), _deciding(task))
    if words.model not in sources:
        sources[words.model] = load_source(words.model)
    found = sources[words.model]
    if isinstance(found, ClassifierSource):
        key, places = found.key_for(task), _places(found.classifier.labels, words, task)
        return TaskTeacher(task, name, words.weight, found, key, places, _deciding(task))
    other = found.task(words.task or task.name, task)
    places = _places(other.labels or [], words, task)
    return TaskTeacher(task, name, words.weight, found, other.name, places, _deciding(task, other, places))


def _places(labels: list[str], words: Teacher, task: TaskConfig) -> np.ndarray | None:
    """Return which label of the task each label of the teacher is, (L, C); `None` for a number.

    Raises:
        ValueError: If the labels do not match by name.
    """
    if task.kind.is_number:
        return None
    own, theirs = first_few(map(repr, task.labels or ())), first_few(map(repr, labels))
    if strange := [label for label in words.labels if label not in labels]:
        raise ValueError(f"labels: the teacher has no label {strange[0]!r}; its labels are {theirs}")
    named = [words.labels.get(label, label) for label in labels]
    if set(named) != set(task.labels or ()):
        raise ValueError(
            f"the labels of the teacher are {theirs}, and those of the task {task.name!r} are {own}; name the task's "
            "label for each of them: teacher: {model: ..., labels: {OLD: NEW}}"
        )
    if task.kind.several_labels and len(set(named)) < len(named):
        raise ValueError("labels: several labels of the teacher become one, which needs a task with one label per row")
    return np.array([[float(each == label) for label in task.labels or ()] for each in named])


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
