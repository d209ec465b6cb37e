"""The sources of a teacher's answers: a model of this package, a classifier of transformers, or a table.

Shapes: N texts, L labels of the teacher.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import MultiTaskConfig, TaskConfig
from ..configuration_multitask import DEFAULT_MAX_LENGTH
from ..hub_access import hub_access
from ..inference.classifiers import Classifier, load_classifier
from ..inference.loading import load, read_config
from ..inference.recorded_answers import RecordedAnswers
from ..inference.text_encoder import TextEncoder
from ..paths_multitask import resolve_model_path
from ..recipes.teacher import Teacher
from ..texts_multitask import TEXT, TEXT_PAIR, Text
from ..training.metrics import decide_arrays
from ..wording import first_few
from ..words_multitask import nearest_hint


def load_source(name: str, device: torch.device) -> Any:
    """Return the source that a model is. No code of its folder is run.

    Args:
        name: A Hub id, a folder, or `package:NAME/FOLDER`.
        device: The device of the model.

    Raises:
        OSError: If the model is not found, or its files are damaged.
        ValueError: If it is neither a model of this package nor a sequence classifier.
    """
    path = resolve_model_path(name)
    with hub_access(path):
        try:
            kind = MultiTaskConfig.get_config_dict(path)[0].get("model_type")
        except (OSError, ValueError):
            kind = None
    if kind in (None, MultiTaskConfig.model_type):
        read_config(name)  # its errors name the model in the folder of a run
        return ModelSource(*load(name, device))
    return ClassifierSource(load_classifier(name, device))


class ModelSource:
    """A model of this package."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._encoder = TextEncoder(model, tokenizer)
        self._tasks = {task.name: task for task in self._encoder.tasks}

    @property
    def cut(self) -> int:
        """The number of texts that were truncated so far."""
        return self._encoder.cut

    @property
    def max_length(self) -> int:
        """The number of tokens of the longest text that it reads."""
        return int(self._encoder.model.config.max_length or DEFAULT_MAX_LENGTH)

    def width(self, key: str) -> int:
        """Return the number of labels of a task, or 1 for a number."""
        return len(self._tasks[key].labels or [""])

    def task(self, name: str, student: TaskConfig) -> TaskConfig:
        """Return the task of this name.

        Raises:
            ValueError: If there is none, or it has another form of answer than that of the student.
        """
        if name not in self._tasks:
            raise ValueError(
                f"the teacher has no task {name!r}; its tasks are {first_few(map(repr, self._tasks))}"
                f"{nearest_hint(name, list(self._tasks))}; name one: teacher: {{model: ..., task: ...}}"
            )
        _check_form(self._tasks[name].kind.answer, student)
        return self._tasks[name]

    def digest(self) -> str:
        """Return a hash of everything that the answers depend on."""
        return self._encoder.digest()

    def answers(self, texts: Sequence[Text], keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the probabilities by task name, NaN where a task is not asked."""
        logits, tasks = self._encoder.run(texts).logits, [self._tasks[key] for key in keys]
        decisions = decide_arrays(logits, self._encoder.tasks) if any(task.given for task in tasks) else {}
        found = {}
        for task in tasks:
            own = task.kind.probabilities(torch.from_numpy(logits[task.name]), task).numpy()
            found[task.name] = own if task.given is None else np.where(decisions[task.name].asked[:, None], own, np.nan)
        return found


class ClassifierSource:
    """A sequence classifier of transformers. Its keys are the forms of its answers."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    @property
    def cut(self) -> int:
        """The number of texts that were truncated so far."""
        return self.classifier.cut

    @property
    def max_length(self) -> int:
        """The number of tokens of the longest text that it reads."""
        return self.classifier.max_length

    def width(self, key: str) -> int:
        """Return the number of labels, or 1 for a number."""
        return 1 if key == "number" else len(self.classifier.labels)

    def key_for(self, task: TaskConfig) -> str:
        """Return the form of the answers to a task.

        Raises:
            ValueError: If the classifier has another form.
        """
        outputs = len(self.classifier.labels)
        own = self.classifier.form or ("number" if outputs == 1 else task.kind.answer)
        _check_form(own, task)
        if own == "number" and outputs > 1:
            raise ValueError(f"the teacher has {outputs} outputs, and {task.problem_type} needs exactly one")
        return str(own)

    def digest(self) -> str:
        """Return a hash of everything that the answers depend on."""
        return self.classifier.digest()

    def answers(self, texts: Sequence[Text], keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the probabilities for one label or for several labels, or the number of the first output."""
        logits = torch.from_numpy(self.classifier.logits(texts))
        return {key: _FORMS[key](logits).numpy() for key in keys}


ModelTeacher = ModelSource | ClassifierSource


class TableSource:
    """A table of recorded answers to one task."""

    def __init__(self, words: Teacher, task: TaskConfig, *, pairs: bool) -> None:
        own = [label for label in task.labels or () if label not in words.labels.values()]
        self.labels = [*words.labels, *own]
        texts = tuple(words.text or ((TEXT, TEXT_PAIR) if pairs else (TEXT,)))
        self._recorded = RecordedAnswers(Path(words.model), texts, words.task or task.name, self.labels, task)
        self._name = words.model

    def answers(self, texts: Sequence[Text], keys: Sequence[str] = ("",)) -> dict[str, np.ndarray]:
        """Return the recorded answers."""
        return dict.fromkeys(keys, self._recorded.answers(texts))

    def check(self, texts: Sequence[Text]) -> None:
        """Raise a `ValueError` if no text is in the table."""
        if len(texts) and not self._recorded.knows_any(texts):
            raise ValueError(
                f"{self._name} has an answer to none of {len(texts):,} texts; is its text column another one?"
            )


# From the logits of a classifier, (N, L), to its answers, by their form.
_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "label": lambda logits: logits.softmax(dim=-1),
    "labels": torch.sigmoid,
    "number": lambda logits: logits[:, :1],
}


def _check_form(own: str, task: TaskConfig) -> None:
    words = {"label": "one label for each text", "labels": "any number of labels", "number": "a number"}
    if own != task.kind.answer:
        raise ValueError(
            f"the teacher answers with {words[own]}, and {task.problem_type} needs {words[task.kind.answer]}"
        )
