"""A callback that freezes parts and sets the learning rates when a phase of training begins."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..modeling_multitask import MultiTaskModel
from .freezing import frozen_modules, train_only, trained_parameters
from .metric_names import LESS_IS_BETTER
from .phases import Phase, Reached, Stalled
from .resuming import ResumingCallback


class PhaseCallback(ResumingCallback):
    """A callback that runs the phases of training.

    Parts are frozen when training begins, not before: by then, the optimizer holds every parameter. A parameter that
    is frozen earlier would be in no optimizer group and would not train later. The state of the phases is saved with
    every checkpoint, so a resumed run continues in the same phase.

    Args:
        phases: The phases, in order. When one ends, the next one whose condition holds begins. Training stops after
            the last.
        trainable: The names of the parameters that may train.
    """

    def __init__(self, phases: Sequence[Phase], trainable: set[str]) -> None:
        self.phases = list(phases)
        self.trainable = trainable
        self.index = 0
        self.metrics: dict[str, float] = {}
        self.best: float | None = None
        self.waited = 0
        self.frozen_encoder: list[nn.Module] = []  # the modules that run in eval mode
        self.frozen_heads: list[nn.Module] = []
        self.at_epoch_begin = 0
        self._training = False

    @property
    def current(self) -> Phase:
        """The current phase."""
        return self.phases[min(self.index, len(self.phases) - 1)]

    @property
    def of_epoch(self) -> Phase:
        """The phase in which the order of the rows of this epoch was drawn."""
        return self.phases[min(self.at_epoch_begin, len(self.phases) - 1)]

    def attributes(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "metrics": self.metrics,
            "best": self.best,
            "waited": self.waited,
            "at_epoch_begin": self.at_epoch_begin,
        }

    def restore(self, attributes: dict[str, Any]) -> None:
        self.index = attributes.get("index", 0)
        self.metrics = attributes.get("metrics", {})
        self.best = attributes.get("best")
        self.waited = attributes.get("waited", 0)
        self.at_epoch_begin = attributes.get("at_epoch_begin", 0)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        super().on_train_begin(args, state, control, **kwargs)
        self._freeze(kwargs["model"])
        if self.index == len(self.phases) or state.global_step >= state.max_steps:
            control.should_training_stop = True  # a finished run was resumed

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if float(state.epoch or 0).is_integer():  # a resumed run may begin in the middle of an epoch
            self.at_epoch_begin = self.index
        self._training = True  # not earlier: `eval_on_start` evaluates again when a run is resumed

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._skip_evaluation(control)
        end = self.current.end
        if isinstance(end, Reached) and end.unit == "step":
            self._evaluate_or_advance(args, state, control, **kwargs)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._skip_evaluation(control)
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

    def _skip_evaluation(self, control: TrainerControl) -> None:
        """Evaluate nothing in a contrastive phase: its heads do not fit its encoder, which is no best model."""
        control.should_evaluate &= not self.current.is_contrastive

    def _watch(self) -> None:
        """Count the evaluations since the metric of the phase last improved."""
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
        """Go on to the next phase, or evaluate first if the condition of a phase needs an evaluation."""
        following = self.phases[self.index + 1 : self.index + 2]
        if following and following[0].condition is not None and self._is_over(state):
            control.should_evaluate = True
            control.should_save |= args.load_best_model_at_end  # this one may be the best
        if not control.should_evaluate:
            self._advance(args, state, control, **kwargs)

    def _advance(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Go on to the next phase whose condition holds, if the current one is over."""
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
        # Computed once per phase, not per step: with a frozen encoder, a step is short.
        self.frozen_encoder, self.frozen_heads = frozen_modules(model.backbone), frozen_modules(model.heads)
        if not names:
            raise ValueError(f"no parameter is left to train in {self.current.describe()!r}; call evaluate() instead")


class EpochEndCallback(TrainerCallback):
    """A callback that delays the checkpoint of an epoch's last step until the epoch has ended.

    The Trainer writes it before the evaluation, the next phase and the new task weights at the end of the epoch. A run
    that is resumed from such a checkpoint would miss them.
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
    """Set the rate of every group to its rate in a phase, times the current factor of the schedule."""
    groups = optimizer.param_groups
    for group, factor in zip(groups, _schedule_factors(groups, scheduler), strict=True):
        group["initial_lr"] = group["rates"][phase]
        group["lr"] = group["rates"][phase] * factor
    if isinstance(scheduler, LambdaLR):
        scheduler.base_lrs = [group["initial_lr"] for group in groups]
        scheduler._last_lr = [group["lr"] for group in groups]  # otherwise the next line of the log shows the old rate


def _schedule_factors(groups: list[dict[str, Any]], scheduler: LRScheduler | None) -> list[float]:
    if isinstance(scheduler, LambdaLR):
        return [each(scheduler.last_epoch) for each in scheduler.lr_lambdas]
    # A schedule that follows a metric has one factor for all groups. A group with the rate 0 does not show it.
    bases = [group.get("initial_lr", group["rates"][0]) for group in groups]
    seen = [group["lr"] / base for group, base in zip(groups, bases, strict=True) if base > 0]
    return [seen[0] if seen else 1.0] * len(groups)
