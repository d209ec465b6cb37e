"""The part of the Trainer that stops a run that diverged."""

from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput, TrainOutput

from ..errors import DivergedError
from ..files import strict
from .checkpoints import last_whole_checkpoint
from .divergence import READ_EVERY, Divergence, Fault, divergence_message


class DivergenceMixin(Trainer):
    """The part of a `MultiTaskTrainer` that stops a diverged run, before the Trainer logs, evaluates or saves it."""

    divergence: Divergence

    def train(self, *args: Any, **kwargs: Any) -> TrainOutput:
        """Train, and check the weights at the end. Raises a `DivergedError` if the run diverged."""
        self.divergence = Divergence(self.divergence.tasks, self.accelerator)
        output = super().train(*args, **kwargs)
        self.check_divergence(weights=True)
        return output

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """Evaluate, and check the losses if the model has trained for at least one step."""
        output = super().evaluation_loop(*args, **kwargs)
        if step := self.state.global_step:
            prefix, metrics = kwargs.get("metric_key_prefix", "eval"), output.metrics or {}
            names = {task: f"{prefix}_{task}_loss" for task in self.divergence.tasks}
            losses = {task: metrics[name] for task, name in names.items() if name in metrics}
            numbers = {task.name for task in self.model.config.tasks if task.kind.is_number}
            self._stop_at(self.divergence.evaluation_fault(losses, numbers, step), step)
        return output

    def check_divergence(self, *, weights: bool = False) -> None:
        """Raise a `DivergedError` if the run diverged. The host waits for the device."""
        step = self.state.global_step
        # The weights of the step before may be the cause of a wrong loss.
        if fault := self.divergence.fault():
            self._stop_at(fault, fault.step - 1)
        if weights:
            self._stop_at(self.divergence.weight_fault(self.model, step), step)

    def _maybe_log_save_evaluate(self, tr_loss: Tensor, grad_norm: Any, *args: Any, **kwargs: Any) -> None:
        control, step = self.control, self.state.global_step
        self.divergence.add_gradient(grad_norm, step, skipped=self.accelerator.optimizer_step_was_skipped)
        if control.should_evaluate or control.should_save or control.should_training_stop:
            self.check_divergence(weights=True)
        elif control.should_log or step % READ_EVERY == 0:
            self.check_divergence()
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, **kwargs)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        # The Trainer would write undefined figures as NaN, which JSON does not allow.
        self.state.log_history, self.state.best_metric = strict([self.state.log_history, self.state.best_metric])
        super()._save_checkpoint(*args, **kwargs)

    def _stop_at(self, fault: Fault | None, broken: int) -> None:
        """Raise a `DivergedError` if there is a fault.

        Args:
            fault: The fault, or `None`.
            broken: The first step whose weights may be wrong. Only checkpoints before it are called good.
        """
        if fault is not None:
            checkpoint, _ = last_whole_checkpoint(Path(self.args.output_dir), before=broken)
            groups = getattr(self.optimizer, "param_groups", [])
            raise DivergedError(divergence_message(fault, groups, self.args, checkpoint))
