"""A callback that prepares the cache of frozen layers when a phase begins, if several epochs follow."""

from typing import Any

from datasets import Dataset
from transformers import TrainerControl, TrainerState, TrainingArguments

from ..phase_callback import PhaseCallback
from ..phases import Reached
from ..resuming import ResumingCallback
from .cache import PrefixCache

WORTHWHILE = 1.5  # passes over the training rows; filling the cache takes one


class PrefixCallback(ResumingCallback):
    """A callback that prepares a cache for the rows of a run when the frozen part of the model changes.

    The callback decides at the beginning of a phase whether to use the cache. The decision is saved with every
    checkpoint. A resumed run has fewer epochs left, but must keep the decision, because the results with and without
    the cache differ slightly by rounding.

    Args:
        cache: The cache to prepare.
        phases: The callback that freezes parts. It must come before this callback.
        tables: The rows of training and of its evaluations.
    """

    def __init__(self, cache: PrefixCache, phases: PhaseCallback, tables: list[Dataset]) -> None:
        self.cache, self.phases, self.tables = cache, phases, tables
        self._phase: int | None = None
        self._decided: dict[str, Any] = {}  # the phase, and whether it uses the cache

    def attributes(self) -> dict[str, Any]:
        return self._decided

    def restore(self, attributes: dict[str, Any]) -> None:
        self._phase, self._decided = None, attributes

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._prepare(args, state, len(kwargs["train_dataloader"]))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._prepare(args, state, len(kwargs["train_dataloader"]))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.cache.forget()  # the best checkpoint, which is loaded by now, may be from another phase

    def _prepare(self, args: TrainingArguments, state: TrainerState, batches: int) -> None:
        """Prepare the cache, once per phase.

        Args:
            args: The arguments of the run.
            state: The state of training.
            batches: The number of batches of an epoch.
        """
        if self._phase == self.phases.index:
            return
        self._phase = self.phases.index
        if self._decided.get("phase") != self._phase:
            steps = max(batches // args.gradient_accumulation_steps, 1)
            passes = (self._last_step(state, steps) - state.global_step) / steps
            self._decided = {"phase": self._phase, "used": passes >= WORTHWHILE}
        if self._decided["used"]:
            self.cache.prepare(self.tables, show_progress=state.is_world_process_zero and not args.disable_tqdm)
        else:
            self.cache.forget()

    def _last_step(self, state: TrainerState, in_epoch: int) -> int:
        """Return the last optimizer step that this phase can reach."""
        end = self.phases.current.end
        if not isinstance(end, Reached):
            return state.max_steps
        return min(state.max_steps, end.number * (in_epoch if end.unit == "epoch" else 1))
