"""The settings of a task: its name, problem type, labels and loss, and how its logits become answers."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from huggingface_hub.dataclasses import strict

from .problem_types_multitask import PROBLEM_TYPES, SECOND_NAMES, ProblemTypeName
from .task_problems_multitask import task_labels_problem, task_loss_problem, task_name_problem
from .words_multitask import (
    Activation,
    Normalization,
    OrdinalDecision,
    Refusal,
    Transform,
    check_bounds,
    from_words,
    nearest_hint,
    word,
)

_LOSSES = "; ".join(
    f"{name}: {', '.join(f'`{loss}`' for loss in facts.losses)}" for name, facts in PROBLEM_TYPES.items()
)
_METRICS = "; ".join(
    f"{name}: {', '.join(f'`{metric}`' for metric in facts.metrics)} (default `{facts.main_metric}`)"
    for name, facts in PROBLEM_TYPES.items()
)


@strict
@dataclass
class HeadConfig:
    """The layers between the sentence embedding and the logits of a task.

    Raises:
        ValueError: If a width or probability is out of bounds.

    Example:
        >>> from modeling_multitask import HeadConfig
        >>> HeadConfig(hidden_sizes=[128], activation="gelu").dropout
        0.1
    """

    hidden_sizes: list[int] = word(
        default_factory=lambda: [256, 64],
        description="The width of each hidden block. An empty list makes a linear head.",
        example=[128],
        ge=1,
    )
    normalization: Normalization = word("layer", description="The normalization after each hidden linear layer.")
    activation: Activation = word("relu", description="The activation after the normalization of each hidden block.")
    dropout: float | int = word(0.1, description="The dropout after each hidden block except the last.", ge=0, lt=1)

    def validate_bounds(self) -> None:
        """Raise a `ValueError` if a width or probability is out of bounds."""
        check_bounds(self)


@strict
@dataclass
class GivenConfig:
    """The condition of a task that depends on the answer to another one. A model has either `labels` or `parents`."""

    task: str = word(
        description="The other task. It must have one label for each row and come earlier in the list.",
        example="sentiment",
    )
    labels: list[str] | None = word(
        None,
        description="The answers to the other task for which this task is asked. Otherwise this task has no answer.",
        example=["negative"],
        labels=True,
    )
    parents: dict[str, str] | None = word(
        None,
        description="For each label of this task, the label of the other task that it belongs to, such as the domain "
        "of an intent. Without `labels` and `parents`, the parents are read from the training rows.",
        example={"book_flight": "travel"},
        labels=True,
    )

    def validate_one_of_both(self) -> None:
        """Raise a `ValueError` if both labels and parents are set, or one of them is empty."""
        if self.labels is not None and self.parents is not None:
            raise ValueError(f"given the task {self.task!r}: set labels or parents, not both")
        if self.labels == [] or self.parents == {}:
            raise ValueError(f"given the task {self.task!r}: labels and parents must not be empty")


@strict
@dataclass
class TargetStatistics:
    """The statistics of the training targets of a regression.

    Args:
        mean: The mean. With `transform: log1p`, the mean of the transformed targets.
        std: The standard deviation, also of the transformed targets; 1 if all targets are equal.
        minimum: The smallest target, in its own units. `None` in a model of version 0.1.
        median: The median.
        maximum: The largest target.

    Raises:
        ValueError: If `std` is not above 0.
    """

    mean: float | int = 0.0
    std: float | int = 1.0
    minimum: float | int | None = None
    median: float | int | None = None
    maximum: float | int | None = None

    def validate_std(self) -> None:
        """Raise a `ValueError` if the standard deviation is not above 0."""
        if not self.std > 0:
            raise ValueError(f"std is {self.std}; it must be above 0")


@dataclass
class TaskWords:
    """The settings of a task in a recipe and in the configuration of a model."""

    name: str = word(
        description="The name of the task in labels, logits, answers, metrics and columns.", example="topic"
    )
    problem_type: ProblemTypeName = word(
        description="The form of the answer. It decides the loss and the number of logits.",
        example="single_label_classification",
    )
    labels: list[str] | None = word(
        None,
        description="The labels in the order of their ids. A binary task has the negative label first, an ordinal task "
        "the lowest. The default is the sorted labels of the training rows.",
        example=["negative", "positive"],
        labels=True,
    )
    weight: float | int = word(1.0, description="The factor of the task's loss in the sum over the tasks.", ge=0)
    loss: str | None = word(
        None,
        description=f"For {_LOSSES}. The default is the first one.",
        example="focal",
    )
    label_smoothing: float | int = word(
        0.0, description="The share of each target that is distributed evenly over all classes.", ge=0, lt=1
    )
    class_weights: Literal["balanced"] | list[float | int] | dict[str, float | int] | None = word(
        None,
        description="The weight of each class in the loss of a single-label task: a list in the order of `labels`, a "
        "dict by label, where the default weight is 1, or `balanced`: the number of labelled rows divided by (the "
        "number of classes times the rows of the class).",
        example="balanced",
        ge=0,
    )
    pos_weight: Literal["balanced"] | list[float | int] | None = word(
        None,
        description="The weight of the positive entries in the loss: one number for a binary task, one for each label "
        "of a multi-label task, or `balanced`: the negative entries divided by the positive ones.",
        example="balanced",
        one_or_list=True,
        ge=0,
    )
    transform: Transform | None = word(
        None,
        description="The scale on which a regression learns: `none` (the default), or `log1p` for skewed targets from "
        "0, such as prices and durations. Answers are always in the units of the targets.",
        example="log1p",
    )
    decision: OrdinalDecision | None = word(
        None,
        description="The answer of an ordinal regression: the `median` of its distribution (the default), which has "
        "the smallest expected error in steps, or the `mode`, the most probable label. Labels that are chosen together "
        "with those of another task (`given`) use the mode.",
        example="mode",
    )
    metric: str | None = word(
        None,
        description="The main metric: the part of the task in the `score`, which selects the checkpoint. For "
        f"{_METRICS}. A metric where lower is better counts as 1 - its value / its value for a constant answer.",
        example="macro_f1",
    )
    focal_gamma: float | int = word(2.0, description="The exponent of the focal loss. 0 is the cross-entropy.", ge=0)
    huber_delta: float | int = word(
        1.0,
        description="The error above which the Huber loss is linear, in standard deviations of the training targets.",
        gt=0,
    )
    head: HeadConfig | None = word(
        None, description="The task's own head. The default is the head of the recipe.", example={"hidden_sizes": []}
    )
    given: GivenConfig | None = word(
        None,
        description="The condition of a task that depends on the answer to another one. By default it is always asked.",
        example={"task": "sentiment", "labels": ["negative"]},
    )

    @property
    def main_metric(self) -> str:
        """The metric that is its part of the `score`."""
        metric = self.metric or PROBLEM_TYPES[self.problem_type].main_metric
        return SECOND_NAMES.get(metric, metric)


@strict
@dataclass
class TaskConfig(TaskWords):
    """One task: a question that is answered for every text.

    Args:
        num_labels: The number of classes, instead of `labels`. The classes are named `LABEL_0`, `LABEL_1`, ...
        temperature: The divisor of the logits before they become scores (Guo et al. 2017).
        thresholds: A label with a score above its threshold is part of the answer. One number for the second label of
            a binary task, one for each label of a multi-label task. `None` is 0.5.
        abstain_below: For a task of one label: the answer is withheld if the value named by `abstain_by` is lower.
            `None` never withholds an answer.
        abstain_by: The `score` of the answer, or the `energy`, which detects out-of-distribution texts better (Liu et
            al. 2020). The energy is for single-label classification.
        targets: The statistics of the training targets of a regression. Training sets them.

    Raises:
        ValueError: If the name is not allowed, a number is out of bounds, or a setting does not fit the problem type.

    Example:
        >>> from modeling_multitask import TaskConfig
        >>> task = TaskConfig("topic", "single_label_classification", labels=["art", "sport"])
        >>> task.num_labels, task.loss
        (2, 'cross_entropy')
    """

    num_labels: int | None = None
    temperature: float | int = 1.0
    thresholds: list[float | int] | None = None
    abstain_below: float | int | None = None
    abstain_by: Refusal = "score"
    targets: TargetStatistics | None = None

    def __post_init__(self) -> None:
        facts = PROBLEM_TYPES[self.problem_type]
        if self.loss is None:
            self.loss = facts.losses[0]
        if self.transform is None and facts.is_number:
            self.transform = "none"
        if self.decision is None and facts.ordered:
            self.decision = "median"
        if facts.is_number:
            self.num_labels = 1 if self.num_labels is None else self.num_labels
        elif self.labels is None and self.num_labels is not None:
            self.labels = [f"LABEL_{i}" for i in range(self.num_labels)]
        elif self.labels is not None and self.num_labels is None:
            self.num_labels = len(self.labels)

    @property
    def kind(self) -> Any:
        """The `Kind` of its problem type, which computes losses, scores and decisions.

        It is imported here, so that a task can be described and checked without torch.
        """
        from .kinds_multitask import KINDS  # noqa: PLC0415

        return KINDS[self.problem_type]

    @property
    def num_logits(self) -> int:
        """The width of the head's output: 1 for a binary task or a regression, C - 1 for an ordinal one, else C."""
        num_logits: int = self.kind.num_logits(len(self.labels or ()))
        return num_logits

    @property
    def unit(self) -> float:
        """The unit of its loss and of differences between its logits: for a regression, the standard deviation."""
        return 1.0 if self.targets is None else self.targets.std

    def validate_name(self) -> None:
        """Raise a `ValueError` if the name cannot name a task."""
        if (problem := task_name_problem(self.name)) is not None:
            raise ValueError(problem)

    def validate_labels(self) -> None:
        """Raise a `ValueError` if the labels do not fit the problem type."""
        if (problem := task_labels_problem(self.problem_type, self.labels, self.num_labels)) is not None:
            raise ValueError(f"task {self.name!r}: {problem}")

    def validate_loss(self) -> None:
        """Raise a `ValueError` if the loss, its weights or the smoothing are invalid."""
        try:
            check_bounds(self)
        except ValueError as error:
            raise ValueError(f"task {self.name!r}: {error}") from None
        for name in ("class_weights", "pos_weight"):
            if isinstance(getattr(self, name), str | dict):
                raise ValueError(
                    f"task {self.name!r}: {name} is {getattr(self, name)!r}, which is only allowed in a recipe; "
                    "give a list of numbers"
                )
        if (problem := task_loss_problem(vars(self))) is not None:
            raise ValueError(f"task {self.name!r}: {problem[0]} {problem[1]}")

    def validate_answers(self) -> None:
        """Raise a `ValueError` if the temperature or the thresholds are invalid."""
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"task {self.name!r}: temperature is {self.temperature}; it must be a number above 0")
        facts = PROBLEM_TYPES[self.problem_type]
        count = {"none": 0, "one": 1, "each label": self.num_labels}[facts.thresholds]
        if self.thresholds is not None and not (
            len(self.thresholds) == count and all(0 <= each <= 1 for each in self.thresholds)
        ):
            raise ValueError(
                f"task {self.name!r}: thresholds is {self.thresholds}; {self.problem_type} has {count}, from 0 to 1"
            )

    def validate_abstention(self) -> None:
        """Raise a `ValueError` if `abstain_below` is invalid."""
        facts = PROBLEM_TYPES[self.problem_type]
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
            if not math.isfinite(self.abstain_below):
                raise ValueError(f"task {self.name!r}: abstain_below is {self.abstain_below}; it must be a number")
            return
        if not 0 <= self.abstain_below <= 1:
            raise ValueError(f"task {self.name!r}: abstain_below is {self.abstain_below}; it must be from 0 to 1")


def parent_task(task: TaskConfig, tasks: list[TaskConfig]) -> TaskConfig:
    """Return the task that a task with a condition depends on."""
    given: Any = task.given
    return next(each for each in tasks if each.name == given.task)


def chosen_tasks(tasks: list[TaskConfig], names: Sequence[str] | None) -> list[TaskConfig]:
    """Return the tasks with these names, in the order of the model. `None` returns all tasks.

    Raises:
        ValueError: If a name is not one of the tasks', or the names are not a list.
    """
    if names is None:
        return tasks
    if isinstance(names, str) or not isinstance(names, Collection):
        raise ValueError(f"tasks is {names!r}; it must be a list of names, such as [{tasks[0].name!r}]")
    known = [task.name for task in tasks]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"tasks has {unknown[0]!r}, which is not a task of this model; its tasks are "
            f"{', '.join(map(repr, known))}{nearest_hint(unknown[0], known)}"
        )
    return [task for task in tasks if task.name in names]


def decided_together(tasks: list[TaskConfig]) -> set[str]:
    """Return the names of the tasks of one label whose answers depend on each other."""
    pairs = [
        (task.name, task.given.task) for task in tasks if task.given and PROBLEM_TYPES[task.problem_type].one_label
    ]
    return {name for pair in pairs for name in pair}


def parse_task(given: TaskConfig | dict[str, Any]) -> TaskConfig:
    """Return a task, built from a dict of its settings if needed.

    Raises:
        ValueError: If a setting is unknown or invalid.
    """
    if isinstance(given, TaskConfig):
        return given
    if not isinstance(given, dict):
        raise ValueError(f"a task is {given!r}; it must be a dict of its settings")
    place = f"task {given.get('name')!r}: "
    settings = {**given, "head": as_head(given.get("head"))}
    if isinstance(settings.get("given"), dict):
        settings["given"] = from_words(GivenConfig, settings["given"], f"{place}given.")
    if isinstance(settings.get("targets"), dict):
        settings["targets"] = from_words(TargetStatistics, settings["targets"], f"{place}targets.")
    if isinstance(settings.get("pos_weight"), int | float):
        settings["pos_weight"] = [float(settings["pos_weight"])]
    return from_words(TaskConfig, settings, place)


def as_head(given: Any) -> HeadConfig | None:
    """Return a head, built from a dict of its settings if needed."""
    return from_words(HeadConfig, given, "head.") if isinstance(given, dict) else given
