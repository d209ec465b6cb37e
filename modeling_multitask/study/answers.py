"""The answers of a study's run to its evaluated rows, in a file next to its record."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.resampled import TaskAnswers
from ..files import whole_file
from ..runs.calibration import Answers
from ..tasks_multitask import TaskConfig
from ..training.metrics import decide_arrays

ANSWERS = "answers.npz"
_TASK = ("name", "problem_type", "labels", "metric")  # the words of a task that its metrics need


def answers_by_split(answers: Mapping[str, Answers], tasks: list[TaskConfig]) -> dict[str, list[TaskAnswers]]:
    """Return the answers of a model to the rows of each split.

    Args:
        answers: The logits and the labels by split.
        tasks: The model's tasks.
    """
    return {
        split: [
            TaskAnswers(task, labels[task.name], decision.chosen)
            for task, decision in zip(tasks, decide_arrays(logits, tasks).values(), strict=True)
        ]
        for split, (logits, labels) in answers.items()
    }


def write_answers(folder: Path, answers: Mapping[str, list[TaskAnswers]]) -> None:
    """Write the answers into the folder of a run."""
    tasks = {
        split: [{word: getattr(each.task, word) for word in _TASK} for each in given]
        for split, given in answers.items()
    }
    arrays: dict[str, Any] = {"tasks": np.array(json.dumps(tasks))}
    for split, given in answers.items():
        for each in given:
            arrays[f"{split}/{each.task.name}/labels"] = each.labels
            arrays[f"{split}/{each.task.name}/chosen"] = each.chosen
    with whole_file(folder / ANSWERS) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_answers(folder: Path) -> dict[str, list[TaskAnswers]]:
    """Return the answers in the folder of a run.

    Raises:
        FileNotFoundError: If the run has recorded no answers.
    """
    with np.load(folder / ANSWERS, allow_pickle=False) as arrays:
        return {
            split: [
                TaskAnswers(
                    TaskConfig(**words),
                    arrays[f"{split}/{words['name']}/labels"],
                    arrays[f"{split}/{words['name']}/chosen"],
                )
                for words in tasks
            ]
            for split, tasks in json.loads(str(arrays["tasks"])).items()
        }
