"""When in training the cache of frozen layers is prepared: as each phase begins, if several epochs are to come."""

from typing import Any

from datasets import Dataset
from transformers import TrainerControl, TrainerState, TrainingArguments

from ..phase_callback import PhaseCallback
from ..phases import Reached
from ..resuming import ResumingCallback
from .cache import PrefixCache

WORTHWHILE = 1.5  # passes over the training rows; the cache itself takes one


class PrefixCallback(ResumingCallback):
    """Prepares a cache for the rows of a run whenever another part of the model is frozen.

    Whether it pays is decided as a phase begins, and kept with every checkpoint: a resumed run, which has fewer epochs
    to come, must not decide otherwise, for a sum in another order differs in its last digit.

    Args:
        cache: Is prepared.
        phases: Says what is frozen; must stand before this among the callbacks.
        tables: The rows that training and its evaluations pass over.
    """

    def __init__(self, cache: PrefixCache, phases: PhaseCallback, tables: list[Dataset]) -> None:
        self.cache, self.phases, self.tables = cache, phases, tables
        self._phase: int | None = None
        self._decided: dict[str, Any] = {}  # in which phase, and whether the cache is used

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
        self.cache.forget()  # the best checkpoint, which was loaded by now, may be of another phase

    def _prepare(self, args: TrainingArguments, state: TrainerState, batches: int) -> None:
        """Prepares it once for each phase.

        Args:
            args: Of the run.
            state: How far it has come.
            batches: Of an epoch.
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
        """The optimizer step that this phase ends with, at the latest."""
        end = self.phases.current.end
        if not isinstance(end, Reached):
            return state.max_steps
        return min(state.max_steps, end.number * (in_epoch if end.unit == "epoch" else 1))
