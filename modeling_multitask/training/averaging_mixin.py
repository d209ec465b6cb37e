"""The part of the Trainer that evaluates and saves an average of the weights, and trains on with the weights."""

import json
import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import OPTIMIZER_NAME
from transformers.trainer_utils import EvalLoopOutput, TrainOutput
from transformers.utils import logging

from .arguments import MultiTaskTrainingArguments
from .averages import WeightAverage, WindowAverage, copy_weights, make_average, with_weights
from .averaging import Averaging
from .phase_callback import PhaseCallback

logger = logging.get_logger(__name__)

FILE = "average.safetensors"  # in a checkpoint: the average's state, and the weights of the step

_WEIGHTS, _KIND = "weights.", "average"


class AveragingCallback(TrainerCallback):
    """A callback that adds the weights of each step to an average, and begins a new one if other parts train.

    A phase ends with its average: it becomes the weights of the model before other parts begin to train. A part that is
    then frozen is therefore equal to its average. Its cached output is right for both.

    Args:
        average: The average.
        phases: The callback that freezes parts. It must come before this callback.
    """

    def __init__(self, average: WeightAverage, phases: PhaseCallback) -> None:
        self.average, self.phases = average, phases
        self.weights: dict[str, nn.Parameter] = {}  # those that train
        self._phase: int | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.global_step:  # also if `auto_find_batch_size` starts again
            self.average.begin({})
        self._phase = None
        if isinstance(self.average, WindowAverage) and window_steps(args, state) < 2:
            logger.warning(
                f"average.last is {self.average.last}, but this run has only one evaluation or checkpoint, so nothing "
                "is averaged; evaluate or save more often, or use average.ema"
            )

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._follow(kwargs["model"], state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._follow(kwargs["model"], state.global_step)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.average.add_step(self.weights)  # earlier than the next phase, which begins in `on_step_end`

    def finish(self, model: nn.Module, step: int) -> None:
        """Copy the average into the model, at the end of a phase or of training."""
        if self.weights:
            self.average.add_evaluation(self.weights, step)
        copy_weights(model, self.average.means())

    def _follow(self, model: nn.Module, step: int) -> None:
        """Begin a new average if other parts train than before. The first call after a resume keeps the old one."""
        if self._phase == self.phases.index:  # not looked up in every step: with a frozen encoder, a step is short
            return
        self._phase = self.phases.index
        trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
        if set(trained) != self.average.names:
            if self.average.names:
                self.finish(model, step)
            self.average.begin(trained)
        self.weights = trained


class AveragingMixin(Trainer):
    """The part of a `MultiTaskTrainer` that evaluates and saves an average of the weights.

    During training, the model has the weights of the last step. It has the average while it is evaluated or saved, so
    that a metric belongs to the weights of its checkpoint. A checkpoint also has the weights of the step, from which a
    resumed run continues. When training ends, the model has the average.
    """

    args: MultiTaskTrainingArguments
    phases: PhaseCallback
    _averaging: AveragingCallback | None = None  # while a run with an average trains

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train, and end with the average. After an error, the model has the weights of the last step."""
        try:
            return super().train(*args, **kwargs)
        finally:
            self._averaging = None

    def set_average(self) -> None:
        """Set the average of this run, after its arguments are set."""
        self.pop_callback(AveragingCallback)
        if (averaging := self.args.averaging()) is not None:
            self._averaging = AveragingCallback(make_average(averaging), self.phases)
            self.add_callback(self._averaging)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """Evaluate the average."""
        with self._averaged():
            return super().evaluation_loop(*args, **kwargs)

    def save_model(self, *args: Any, **kwargs: Any) -> None:
        """Save the average."""
        with self._averaged():
            super().save_model(*args, **kwargs)

    def _averaged(self) -> AbstractContextManager[None]:
        return with_weights(self.model, {} if self._averaging is None else self._averaging.average.means())

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        if self._averaging is not None and (self.control.should_evaluate or self.control.should_save):
            self._averaging.average.add_evaluation(self._averaging.weights, self.state.global_step)
        super()._maybe_log_save_evaluate(*args, **kwargs)

    def _finalize_training(self, *args: Any, **kwargs: Any) -> TrainOutput:
        # Before the best checkpoint, which holds an average too, is loaded over it.
        if self._averaging is not None:
            self._averaging.finish(self.model, self.state.global_step)
        return super()._finalize_training(*args, **kwargs)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        averaging = self.args.averaging()
        if self._averaging is not None and averaging is not None and self.args.should_save:
            weights = {f"{_WEIGHTS}{name}": each.detach() for name, each in self._averaging.weights.items()}
            tensors = weights | self._averaging.average.state()
            kind = {_KIND: json.dumps(averaging.given)}
            save_file({name: each.contiguous() for name, each in tensors.items()}, Path(output_dir) / FILE, kind)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        check_average(Path(checkpoint), self.args.averaging())
        if self._averaging is not None:
            state = load_file(Path(checkpoint) / FILE)
            weights = {n.removeprefix(_WEIGHTS): each for n, each in state.items() if n.startswith(_WEIGHTS)}
            copy_weights(self.model, weights)
            self._averaging.average.restore(state, self.args.device)


def window_steps(args: TrainingArguments, state: TrainerState) -> int:
    """Return the number of steps of a whole run whose weights `last` can average, without early stopping.

    The weights of the last step count, also if they are not evaluated.

    Args:
        args: The arguments of the run.
        state: The state at the beginning of training.
    """
    return max(
        {"epoch": state.num_train_epochs, "steps": math.ceil(state.max_steps / (every or state.max_steps))}.get(each, 0)
        for each, every in ((args.eval_strategy, state.eval_steps), (args.save_strategy, state.save_steps))
    )


def check_average(checkpoint: Path, averaging: Averaging | None) -> None:
    """Raise a `ValueError` if a checkpoint was written with another average than that of the run.

    Args:
        checkpoint: The folder of the checkpoint.
        averaging: The average of the run.
    """
    there = None
    if averaging is not None and not any((checkpoint / name).exists() for name in (FILE, OPTIMIZER_NAME)):
        raise ValueError(
            f"{checkpoint} cannot be resumed with average {averaging.given}: it has only the model, without the "
            "weights of the step and the state of the average (was save_only_model set?); start the run again"
        )
    if (checkpoint / FILE).exists():
        with safe_open(checkpoint / FILE, framework="pt") as file:
            there = Averaging(**json.loads(file.metadata()[_KIND]))
    if there != averaging:
        before, now = ("no average" if each is None else f"average {each.given}" for each in (there, averaging))
        raise ValueError(
            f"{checkpoint} cannot be resumed: it was written with {before}, but this run has {now}; use the average of "
            "the checkpoint, or start the run again"
        )
