"""What a task is: its name, its problem type, its labels, its loss, and how its logits are read."""

from dataclasses import dataclass, field, fields
from typing import Any

from huggingface_hub.dataclasses import strict

from .problem_types_multitask import PROBLEM_TYPES, ProblemTypeName
from .task_problems_multitask import task_labels_problem, task_loss_problem, task_name_problem
from .words_multitask import Activation, Normalization, Refusal, nearest_hint


@strict
@dataclass
class HeadConfig:
    """The layers between the sentence embedding and the logits of one task.

    Args:
        hidden_sizes: Width of each hidden block; an empty list is a linear head.
        normalization: What follows the linear layer of a hidden block.
        activation: What follows the normalisation of a hidden block.
        dropout: Probability, after each hidden block but the last.
    """

    hidden_sizes: list[int] = field(default_factory=lambda: [256, 64])
    normalization: Normalization = "layer"
    activation: Activation = "relu"
    dropout: float | int = 0.1

    def validate_sizes(self) -> None:
        """Refuses widths and probabilities that cannot be."""
        if any(size < 1 for size in self.hidden_sizes):
            raise ValueError(f"hidden_sizes are {self.hidden_sizes}; each must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1")


@strict
@dataclass
class GivenConfig:
    """On which answer to another task a task depends; a model's says either `labels` or `parents`.

    Args:
        task: Name of the other task, which has one label for each row and stands before this one.
        labels: After which of its answers the question is asked; after any other there is no answer.
        parents: For each label of this task the label of the other one that it belongs to, as an intent to its domain.
    """

    task: str
    labels: list[str] | None = None
    parents: dict[str, str] | None = None

    def validate_one_of_both(self) -> None:
        """Refuses a condition that says two things."""
        if self.labels is not None and self.parents is not None:
            raise ValueError(f"given the task {self.task!r}: say its labels, or the parents of each label, not both")


@strict
@dataclass
class TaskConfig:
    """One task: a question asked of every sentence.

    Args:
        name: Names the task in labels, logits, answers and metrics.
        problem_type: How the answer is read; decides the loss and the number of logits.
        labels: Names of the classes, in the order of their ids; `None` for regression.
        num_labels: Instead of `labels`: that many classes, named `LABEL_0`, `LABEL_1`, ...
        weight: What the task's loss is multiplied by in the sum over the tasks.
        loss: `cross_entropy` or `focal` for classes, `mse` or `huber` for a regression, `cumulative_logits` for an
            ordinal regression; `None` takes the first that its problem type has.
        label_smoothing: Share of each target that is spread evenly over all classes.
        class_weights: Weight of each class in the loss, in the order of `labels`.
        pos_weight: Weight of the positive entries in the loss: one number for a binary task, one for each label of
            a multi-label task.
        focal_gamma: Exponent of the focal loss; 0 makes it the cross-entropy.
        huber_delta: Error from which on the Huber loss grows linearly.
        head: The task's own head; `None` takes the model's.
        given: On which answer to another task this one depends; `None` if it is always asked.
        temperature: What logits are divided by before they become scores (Guo et al. 2017).
        thresholds: Above which score a label is part of the answer: one number for the second label of a binary task,
            one for each label of a multi-label task; `None` takes 0.5.
        abstain_below: Below which figure there is no answer to a task of one label, only a score; `None` always
            answers.
        abstain_by: That figure: the `score` of the answer, or the `energy`, which tells better what is unlike anything
            that was trained on (Liu et al. 2020), and is for single-label classification.

    Raises:
        ValueError: If the name cannot name a task, or labels and problem type do not fit together.
    """

    name: str
    problem_type: ProblemTypeName
    labels: list[str] | None = None
    num_labels: int | None = None
    weight: float | int = 1.0
    loss: str | None = None
    label_smoothing: float | int = 0.0
    class_weights: list[float | int] | None = None
    pos_weight: list[float | int] | None = None
    focal_gamma: float | int = 2.0
    huber_delta: float | int = 1.0
    head: HeadConfig | None = None
    given: GivenConfig | None = None
    temperature: float | int = 1.0
    thresholds: list[float | int] | None = None
    abstain_below: float | int | None = None
    abstain_by: Refusal = "score"

    def __post_init__(self) -> None:
        facts = PROBLEM_TYPES[self.problem_type]
        if self.loss is None:
            self.loss = facts.losses[0]
        if facts.is_number:
            self.num_labels = 1 if self.num_labels is None else self.num_labels
        elif self.labels is None and self.num_labels is not None:
            self.labels = [f"LABEL_{i}" for i in range(self.num_labels)]
        elif self.labels is not None and self.num_labels is None:
            self.num_labels = len(self.labels)

    @property
    def kind(self) -> Any:
        """The `Kind` of its problem type: what is computed of its logits and labels.

        Imported here, since a task can be described, and checked, without torch.
        """
        from .kinds_multitask import KINDS  # noqa: PLC0415

        return KINDS[self.problem_type]

    @property
    def num_logits(self) -> int:
        """Width of the head's output: 1 for a binary task or a regression, C - 1 for an ordinal one, else C."""
        num_logits: int = self.kind.num_logits(len(self.labels or ()))
        return num_logits

    def validate_name(self) -> None:
        """Refuses a name that cannot name a task."""
        if (problem := task_name_problem(self.name)) is not None:
            raise ValueError(problem)

    def validate_labels(self) -> None:
        """Refuses labels that do not fit the problem type."""
        if (problem := task_labels_problem(self.problem_type, self.labels, self.num_labels)) is not None:
            raise ValueError(f"task {self.name!r}: {problem}")

    def validate_loss(self) -> None:
        """Refuses weights and smoothing that cannot be."""
        if self.weight < 0:
            raise ValueError(f"task {self.name!r}: weight is {self.weight}; it must not be negative")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"task {self.name!r}: label_smoothing is {self.label_smoothing}; it must be at least 0 and below 1"
            )
        if self.focal_gamma < 0 or self.huber_delta <= 0:
            raise ValueError(
                f"task {self.name!r}: focal_gamma is {self.focal_gamma} and huber_delta {self.huber_delta}; "
                "the first must not be negative, the second must be above 0"
            )
        if (problem := task_loss_problem(vars(self))) is not None:
            raise ValueError(f"task {self.name!r}: {problem[0]} {problem[1]}")

    def validate_answers(self) -> None:
        """Refuses a temperature and thresholds that no score can be held against."""
        if self.temperature <= 0:
            raise ValueError(f"task {self.name!r}: temperature is {self.temperature}; it must be above 0")
        facts = PROBLEM_TYPES[self.problem_type]
        wanted = {"none": 0, "one": 1, "each label": self.num_labels}[facts.thresholds]
        if self.thresholds is not None and not (
            len(self.thresholds) == wanted and all(0 <= each <= 1 for each in self.thresholds)
        ):
            raise ValueError(
                f"task {self.name!r}: thresholds is {self.thresholds}; {self.problem_type} has {wanted}, from 0 to 1"
            )
        if self.abstain_below is None:
            return
        if not facts.one_label:
            raise ValueError(
                f"task {self.name!r}: abstain_below is for tasks of one label; this is {self.problem_type}"
            )
        if self.abstain_by == "energy":
            if not facts.has_energy:
                allowed = " and ".join(each.name for each in PROBLEM_TYPES.values() if each.has_energy)
                raise ValueError(f"task {self.name!r}: the energy is for {allowed}, not {self.problem_type}")
            return
        if not 0 <= self.abstain_below <= 1:
            raise ValueError(f"task {self.name!r}: abstain_below is {self.abstain_below}; it must be from 0 to 1")


def parent_task(task: TaskConfig, tasks: list[TaskConfig]) -> TaskConfig:
    """The task that one with a condition depends on."""
    given: Any = task.given
    return next(each for each in tasks if each.name == given.task)


def decided_together(tasks: list[TaskConfig]) -> set[str]:
    """The names of the tasks of one label whose answers depend on each other."""
    pairs = [
        (task.name, task.given.task) for task in tasks if task.given and PROBLEM_TYPES[task.problem_type].one_label
    ]
    return {name for pair in pairs for name in pair}


def parse_task(given: TaskConfig | dict[str, Any]) -> TaskConfig:
    """A task as it is, or from a dict of its settings.

    Raises:
        ValueError: If a setting is unknown or wrong.
    """
    if isinstance(given, TaskConfig):
        return given
    if not isinstance(given, dict):
        raise ValueError(f"a task must be a dict of its settings; given: {given!r}")
    settings = {**given, "head": as_head(given.get("head"))}
    if isinstance(settings.get("given"), dict):
        settings["given"] = _as_dataclass(GivenConfig, settings["given"], f"task {given.get('name')!r}: given")
    if isinstance(settings.get("pos_weight"), int | float):
        settings["pos_weight"] = [float(settings["pos_weight"])]
    return _as_dataclass(TaskConfig, settings, f"task {given.get('name')!r}")


def as_head(given: Any) -> HeadConfig | None:
    """A head as it is, or from a dict of its settings."""
    return _as_dataclass(HeadConfig, given, "head") if isinstance(given, dict) else given


def _as_dataclass(cls: type, given: dict[str, Any], where: str) -> Any:
    allowed = [each.name for each in fields(cls)]
    if unknown := [name for name in given if name not in allowed]:
        raise ValueError(f"{where}: no such setting: {unknown[0]!r}{nearest_hint(unknown[0], allowed)}")
    return cls(**given)
