"""Phases of a training run: what trains, at which rates, until when, and on what condition."""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..configuration_multitask import nearest_hint
from ..modeling_multitask import MultiTaskModel
from .freezing import part_problem, train_only, trained_parameters
from .metrics import LESS_IS_BETTER
from .rates import LearningRates, parse_rates

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
    """`METRIC < 0.9`, seen at the last evaluation."""

    metric: str
    comparison: str
    value: float

    def holds(self, metrics: dict[str, float]) -> bool:
        """Whether these metrics, named as the Trainer logs them, fulfil it; an absent one fulfils nothing."""
        seen = metrics.get(f"eval_{self.metric}")
        return seen is not None and _COMPARISONS[self.comparison](seen, self.value)


@dataclass(frozen=True)
class Phase:
    """A stretch of training with parts, rates and task weights of its own.

    Args:
        train: The parts that train, such as `heads`, `layers.8-11`, `heads.sentiment`, `everything`.
        freeze: The parts that do not, though one of those holds them.
        until: `epoch 2`, `step 500` or `no improvement of sentiment_macro_f1 for 2 evaluations`; left out, to the
            end of training.
        only_if: Such as `sentiment_accuracy < 0.9`: where the last evaluation says otherwise the phase is left out.
        learning_rates: The phase's own; left out, those of the arguments.
        weights: By task name, in place of its weight; 0 leaves the task's loss out.

    Raises:
        ValueError: If `until`, `only_if` or a weight cannot be read.
    """

    train: tuple[str, ...] = ("everything",)
    freeze: tuple[str, ...] = ()
    until: str | None = None
    only_if: str | None = None
    learning_rates: LearningRates | None = None
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train is empty; name at least one part, such as heads")
        if self.until is not None and self.end is None:
            raise ValueError(
                f"until is {self.until!r}; write 'epoch 2', 'step 500' or 'no improvement of METRIC for 2 evaluations'"
            )
        if self.only_if is not None and self.condition is None:
            raise ValueError(f"only_if is {self.only_if!r}; write 'METRIC < 0.9', or with >, <=, >=")
        if negative := [name for name, weight in self.weights.items() if weight < 0]:
            raise ValueError(f"weights.{negative[0]} is {self.weights[negative[0]]}; it must not be negative")

    @property
    def end(self) -> Reached | Stalled | None:
        """`until`, read."""
        if reached := _REACHED.fullmatch(str(self.until)):
            return Reached(reached[1], int(reached[2]))
        if stalled := _STALLED.fullmatch(str(self.until)):
            return Stalled(stalled[1], int(stalled[2]))
        return None

    @property
    def condition(self) -> Condition | None:
        """`only_if`, read."""
        found = _CONDITION.fullmatch(str(self.only_if))
        return Condition(found[1], found[2], float(found[3])) if found else None

    @property
    def metrics(self) -> list[str]:
        """The metrics that it is decided by."""
        ends = [self.end.metric] if isinstance(self.end, Stalled) else []
        return ends + ([self.condition.metric] if self.condition else [])

    def describe(self) -> str:
        """`heads, layers.4-5`, and what is taken from them."""
        return ", ".join(self.train) + (f" without {', '.join(self.freeze)}" if self.freeze else "")


def parse_phase(given: Phase | dict[str, Any]) -> Phase:
    """A phase as it is, or from a dict of its fields.

    Raises:
        ValueError: If a field is unknown or cannot be.
    """
    if isinstance(given, Phase):
        return given
    allowed = list(Phase.__dataclass_fields__)
    if unknown := [name for name in given if name not in allowed]:
        raise ValueError(f"{unknown[0]!r} is no word of a phase{nearest_hint(unknown[0], allowed)}")
    settings = {name: value for name, value in given.items() if value is not None}
    for name in {"train", "freeze"} & set(settings):
        settings[name] = (settings[name],) if isinstance(settings[name], str) else tuple(settings[name])
    if "learning_rates" in settings:
        settings["learning_rates"] = parse_rates(settings["learning_rates"])
    return Phase(**settings)


def phase_problems(
    phases: Sequence[Phase], tasks: list[str], metrics: list[str], layers: int | None = None
) -> list[str]:
    """What is wrong with these phases for a model with these tasks, each problem with its place.

    Args:
        phases: In order.
        tasks: The names of the model's tasks.
        metrics: The metrics that an evaluation gives, without `eval_`; empty if nothing is evaluated.
        layers: How many layers the encoder has, if that is known.
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
            problems.append("phases[0].only_if: nothing is evaluated before the first phase")
        if i < len(phases) - 1 and phase.until is None:
            problems.append(f"phases[{i}].until: is missing; only the last phase goes on to the end of training")
    return problems + _order_problems(phases)


def _metric_problems(phase: Phase, metrics: list[str]) -> list[str]:
    if not metrics:
        return [f"{metric} is asked for, but nothing is evaluated during training" for metric in phase.metrics]
    unknown = [metric for metric in phase.metrics if metric not in metrics]
    return [f"there is no metric {metric!r}{nearest_hint(metric, metrics)}" for metric in unknown]


def _order_problems(phases: Sequence[Phase]) -> list[str]:
    """Of each phase that would be over before it begins."""
    problems = []
    for i, phase in enumerate(phases):
        for j, before in enumerate(phases[:i]):
            first, last = before.end, phase.end
            if not isinstance(first, Reached) or not isinstance(last, Reached) or before.only_if is not None:
                continue
            if first.unit == last.unit and last.number <= first.number:
                problems.append(f"phases[{i}].until: is {phase.until!r}, but phases[{j}] lasts until {before.until!r}")
    return problems


class PhaseCallback(TrainerCallback, ExportableState):
    """Leads training through its phases.

    It freezes when training begins and not before: by then the optimizer holds every parameter. Frozen earlier, a
    parameter would be in no optimizer group and would never move once it is unfrozen. What it has seen
    is saved with every checkpoint, so that a resumed run goes on in the same phase.

    Args:
        phases: In order; where one ends, the next whose condition holds begins, and after the last training stops.
        trainable: Names of the parameters that may train at all.
    """

    def __init__(self, phases: Sequence[Phase], trainable: set[str]) -> None:
        self.phases = list(phases)
        self.trainable = trainable
        self.index = 0
        self.metrics: dict[str, float] = {}
        self.best: float | None = None
        self.waited = 0
        self._training = False

    @property
    def current(self) -> Phase:
        """The phase that training is in."""
        return self.phases[min(self.index, len(self.phases) - 1)]

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        names = ("index", "metrics", "best", "waited")
        return {"args": {}, "attributes": {name: getattr(self, name) for name in names}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__) if state.global_step else None
        fresh = {"index": 0, "metrics": {}, "best": None, "waited": 0}
        for name, value in (saved["attributes"] if saved else fresh).items():
            setattr(self, name, value)
        self._freeze(kwargs["model"])
        if self.index == len(self.phases) or state.global_step >= state.max_steps:
            control.should_training_stop = True  # resumed after its end

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._training = True  # not sooner: `eval_on_start` evaluates again when a run is resumed

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        end = self.current.end
        if isinstance(end, Reached) and end.unit == "step":
            self._evaluate_or_advance(args, state, control, **kwargs)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._evaluate_or_advance(args, state, control, **kwargs)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if not self._training:
            return
        self.metrics = {name: float(value) for name, value in kwargs["metrics"].items()}
        self._watch()
        self._advance(args, state, control, **kwargs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._training = False

    def _watch(self) -> None:
        """Counts the evaluations since the metric that the phase waits for was last improved."""
        end = self.current.end
        if not isinstance(end, Stalled) or f"eval_{end.metric}" not in self.metrics:
            return
        value = self.metrics[f"eval_{end.metric}"] * (-1 if end.metric.endswith(LESS_IS_BETTER) else 1)
        if self.best is None or value > self.best:
            self.best, self.waited = value, 0
        else:
            self.waited += 1

    def _evaluate_or_advance(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Goes on, unless an evaluation comes first, which then decides; one comes where a condition needs it."""
        following = self.phases[self.index + 1 : self.index + 2]
        if following and following[0].condition is not None and self._is_over(state):
            control.should_evaluate = True
            control.should_save |= args.load_best_model_at_end  # which may turn out to be this one
        if not control.should_evaluate:
            self._advance(args, state, control, **kwargs)

    def _advance(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Goes on to the next phase whose condition holds, if the present one is over."""
        before = self.index
        while self.index < len(self.phases) and (self._is_over(state) or not self._is_wanted(before)):
            self.index += 1
            self.best, self.waited = None, 0
        if self.index == len(self.phases):
            control.should_training_stop = True
        elif self.index != before:
            self._freeze(kwargs["model"])
            set_rates(kwargs["optimizer"], kwargs["lr_scheduler"], self.index)
            state.log_history.append({"phase": self.index + 1, "epoch": state.epoch, "step": state.global_step})
            if state.is_world_process_zero and not args.disable_tqdm:
                here = f"epoch {state.epoch:.4g}: phase {self.index + 1} of {len(self.phases)}"
                tqdm.write(f"{here} trains {self.current.describe()}")

    def _is_over(self, state: TrainerState) -> bool:
        end = self.phases[self.index].end
        if isinstance(end, Stalled):
            return self.waited >= end.evaluations
        if end is None:
            return False
        return (state.global_step if end.unit == "step" else state.epoch or 0.0) >= end.number

    def _is_wanted(self, present: int) -> bool:
        condition = self.phases[self.index].condition
        return self.index == present or condition is None or condition.holds(self.metrics)

    def _freeze(self, model: MultiTaskModel) -> None:
        names = trained_parameters(model, self.current.train, self.current.freeze) & self.trainable
        train_only(model, names)
        if not names:
            raise ValueError(f"training {self.current.describe()} leaves nothing to train; call evaluate() alone")


class EpochEndCallback(TrainerCallback):
    """Puts the checkpoint of an epoch's last step off until the epoch has ended.

    The Trainer writes it before the evaluation, the next phase and the new task weights that come at the end of an
    epoch, and a run that is resumed from it would go without them.
    """

    def __init__(self) -> None:
        self._put_off = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if control.should_save and float(state.epoch).is_integer():
            control.should_save, self._put_off = False, True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_save |= self._put_off
        self._put_off = False


def set_rates(optimizer: Optimizer, scheduler: LRScheduler | None, phase: int) -> None:
    """Gives every group its rate of a phase, times what the schedule has come to."""
    groups = optimizer.param_groups
    for group, factor in zip(groups, _schedule_factors(groups, scheduler), strict=True):
        group["initial_lr"] = group["rates"][phase]
        group["lr"] = group["rates"][phase] * factor
    if isinstance(scheduler, LambdaLR):
        scheduler.base_lrs = [group["initial_lr"] for group in groups]
        scheduler._last_lr = [group["lr"] for group in groups]  # else the next line of the log shows the old one


def _schedule_factors(groups: list[dict[str, Any]], scheduler: LRScheduler | None) -> list[float]:
    if isinstance(scheduler, LambdaLR):
        return [each(scheduler.last_epoch) for each in scheduler.lr_lambdas]
    # A schedule that follows a metric has one factor for all, and a group with the rate 0 does not show it.
    bases = [group.get("initial_lr", group["rates"][0]) for group in groups]
    seen = [group["lr"] / base for group, base in zip(groups, bases, strict=True) if base > 0]
    return [seen[0] if seen else 1.0] * len(groups)
