"""The phases of a training run: trained parts, learning rates, end and condition."""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from ..words_multitask import check_bounds, from_words, nearest_hint, word
from .parts import PARTS_OF_ENCODER, has_heads, part_problem
from .rates import LearningRates

Objective = Literal["labels", "contrastive"]

_REACHED = re.compile(r"(epoch|step) ([1-9]\d*)")
_STALLED = re.compile(r"no improvement of (\w+) for ([1-9]\d*) evaluations?")
_CONDITION = re.compile(r"(\w+) *(<=|>=|<|>) *(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Reached(NamedTuple):
    """`epoch 2` or `step 500`, counted from the start of training."""

    unit: str
    number: int


class Stalled(NamedTuple):
    """`no improvement of METRIC for N evaluations`."""

    metric: str
    evaluations: int


class Condition(NamedTuple):
    """`METRIC < 0.9`, at the last evaluation."""

    metric: str
    comparison: str
    value: float

    def holds(self, metrics: dict[str, float]) -> bool:
        """Return whether the metrics, named as in the Trainer's log, meet the condition. A missing one does not."""
        seen = metrics.get(f"eval_{self.metric}")
        return seen is not None and _COMPARISONS[self.comparison](seen, self.value)


@dataclass(frozen=True)
class Phase:
    """A phase of training with its own parts, learning rates and task weights.

    Raises:
        ValueError: If `until`, `only_if` or a weight cannot be read.
    """

    train: tuple[str, ...] = word(
        ("everything",),
        description="The parts that train: `everything`, `backbone`, `embeddings`, `layers.K`, `layers.A-B`, "
        "`last_layers.N`, `heads` or `heads.TASK`.",
        example=["heads", "layers.8-11"],
        one_or_list=True,
    )
    freeze: tuple[str, ...] = word(
        (),
        description="The parts that stay frozen, also inside a part of `train`.",
        example="heads.topic",
        one_or_list=True,
    )
    objective: Objective = word(
        "labels",
        description="`labels` trains the losses of the tasks. `contrastive` trains only the encoder: it makes the "
        "embeddings of texts with the same label similar, and those of texts with different labels dissimilar.",
        example="contrastive",
    )
    until: str | None = word(
        None,
        description="The end of the phase: `epoch 2`, `step 500` or `no improvement of METRIC for 2 evaluations`. "
        "Required for all phases but the last.",
        example="epoch 2",
    )
    only_if: str | None = word(
        None,
        description="A condition on the last evaluation. If it is not met, the phase is skipped.",
        example="sentiment_accuracy < 0.9",
    )
    fit_heads: bool = word(
        False,
        description="Whether the heads that train are first fitted to the embeddings of all training rows, until they "
        "no longer improve: a linear head is then a logistic regression, or a ridge regression for a number.",
        example=True,
    )
    learning_rates: LearningRates | None = word(
        None, description="The learning rates of the phase; by default those of the recipe.", example={"heads": 1e-3}
    )
    weights: dict[str, float] = word(
        default_factory=dict,
        description="Weights of the tasks in this phase; 0 leaves out the loss of a task.",
        example={"topic": 0.5},
        ge=0,
    )

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train is empty; name at least one part, such as heads")
        if self.until is not None and self.end is None:
            raise ValueError(
                f"until is {self.until!r}; write 'epoch 2', 'step 500' or 'no improvement of METRIC for 2 evaluations'"
            )
        if self.only_if is not None and self.condition is None:
            raise ValueError(f"only_if is {self.only_if!r}; write 'METRIC < 0.9', or with >, <=, >=")
        if self.objective not in get_args(Objective):
            hint = nearest_hint(self.objective, get_args(Objective))
            raise ValueError(f"objective is {self.objective!r}; it must be labels or contrastive{hint}")
        check_bounds(self)

    @property
    def is_contrastive(self) -> bool:
        """Whether the phase compares the embeddings of pairs of rows instead of training the heads."""
        return self.objective == "contrastive"

    @property
    def end(self) -> Reached | Stalled | None:
        """The parsed `until`."""
        if reached := _REACHED.fullmatch(str(self.until)):
            return Reached(reached[1], int(reached[2]))
        if stalled := _STALLED.fullmatch(str(self.until)):
            return Stalled(stalled[1], int(stalled[2]))
        return None

    @property
    def condition(self) -> Condition | None:
        """The parsed `only_if`."""
        found = _CONDITION.fullmatch(str(self.only_if))
        return Condition(found[1], found[2], float(found[3])) if found else None

    @property
    def trains_heads(self) -> bool:
        """Whether the phase trains a head."""
        return any(map(has_heads, self.train)) and "heads" not in self.freeze

    @property
    def metrics(self) -> list[str]:
        """The metrics that `until` and `only_if` use."""
        ends = [self.end.metric] if isinstance(self.end, Stalled) else []
        return ends + ([self.condition.metric] if self.condition else [])

    def describe(self) -> str:
        """Return `heads, layers.4-5 without heads.topic`: the trained parts without the frozen ones."""
        parts = ", ".join(self.train) + (f" without {', '.join(self.freeze)}" if self.freeze else "")
        return f"{parts} (contrastive)" if self.is_contrastive else parts


def parse_phase(given: Phase | dict[str, Any], place: str = "") -> Phase:
    """Return the phase itself, or build it from a dict of its fields.

    Args:
        given: The phase. `train` and `freeze` may be one part instead of a list.
        place: The prefix of the field's name in messages.

    Raises:
        ValueError: If a field is unknown or not allowed.
    """
    if isinstance(given, Phase):
        return given
    settings = {name: value for name, value in given.items() if value is not None}
    for name in {"train", "freeze"} & set(settings):
        settings[name] = (settings[name],) if isinstance(settings[name], str) else tuple(settings[name])
    if "learning_rates" in settings:
        settings["learning_rates"] = from_words(LearningRates, settings["learning_rates"], f"{place}learning_rates.")
    return from_words(Phase, settings, place)


def phase_problems(
    phases: Sequence[Phase], tasks: list[str], metrics: list[str], layers: int | None = None
) -> list[str]:
    """Return the problems of these phases for a model with these tasks, each with its place.

    Args:
        phases: The phases, in order.
        tasks: The names of the model's tasks.
        metrics: The metrics of an evaluation, without `eval_`; empty if nothing is evaluated.
        layers: The number of layers of the encoder, if it is known.
    """
    problems = []
    for i, phase in enumerate(phases):
        for where, parts in (("train", phase.train), ("freeze", phase.freeze)):
            found = [problem for part in parts if (problem := part_problem(part, tasks, layers)) is not None]
            problems += [f"phases[{i}].{where}: {problem}" for problem in found]
        unknown = [name for name in phase.weights if name not in tasks]
        problems += [f"phases[{i}].weights.{name}: no such task{nearest_hint(name, tasks)}" for name in unknown]
        problems += [f"phases[{i}]: {problem}" for problem in _metric_problems(phase, metrics)]
        if i == 0 and phase.only_if is not None:
            problems.append("phases[0].only_if: the first phase has no evaluation before it; leave it out")
        if i < len(phases) - 1 and phase.until is None:
            problems.append(f"phases[{i}].until: is missing; only the last phase may leave it out")
    contrastive = [i for i, phase in enumerate(phases) if phase.is_contrastive]
    return problems + [each for i in contrastive for each in _contrastive_problems(phases, i)] + _order_problems(phases)


def _contrastive_problems(phases: Sequence[Phase], i: int) -> list[str]:
    """Return where a contrastive phase needs heads: they do not train in it, and then no longer fit the encoder."""
    phase, following = phases[i], phases[i + 1 :]
    problems = [
        f"phases[{i}].train: {part!r} has heads, but a contrastive phase trains only the encoder; write "
        f"{', '.join(PARTS_OF_ENCODER)}"
        for part in phase.train
        if has_heads(part)
    ]
    if isinstance(phase.end, Stalled):
        problems.append(
            f"phases[{i}].until: is {phase.until!r}, but every metric is one of the heads, which do not train in a "
            "contrastive phase; write 'epoch 2' or 'step 500'"
        )
    if not any(each.only_if is None and each.trains_heads for each in following):
        problems.append(
            f"phases[{i}]: is contrastive, so its encoder no longer fits the heads; add a later phase without only_if "
            "that trains them, such as {train: [heads]}"
        )
    elif following[0].only_if is not None:
        problems.append(
            f"phases[{i + 1}].only_if: is {following[0].only_if!r}, but the heads do not fit the encoder after a "
            "contrastive phase; leave it out, or put a phase before it that trains the heads"
        )
    return problems


def _metric_problems(phase: Phase, metrics: list[str]) -> list[str]:
    if not metrics:
        return [f"no metric {metric!r}: nothing is evaluated during training" for metric in phase.metrics]
    unknown = [metric for metric in phase.metrics if metric not in metrics]
    return [f"there is no metric {metric!r}{nearest_hint(metric, metrics)}" for metric in unknown]


def _order_problems(phases: Sequence[Phase]) -> list[str]:
    """Return a problem for each phase that would be over before it begins."""
    problems = []
    for i, phase in enumerate(phases):
        for j, before in enumerate(phases[:i]):
            first, last = before.end, phase.end
            if not isinstance(first, Reached) or not isinstance(last, Reached) or before.only_if is not None:
                continue
            if first.unit == last.unit and last.number <= first.number:
                problems.append(
                    f"phases[{i}].until: is {phase.until!r}, but phases[{j}] ends at {before.until!r}; set a later end"
                )
    return problems
