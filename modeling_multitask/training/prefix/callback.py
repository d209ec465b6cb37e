"""When in training the cache of frozen layers is prepared: as each phase begins, if several epochs are to come."""

from typing import Any

from datasets import Dataset
from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

from ..collator import MultiTaskCollator
from ..phase_callback import PhaseCallback
from ..phases import Reached
from ..resuming import ResumingCallback
from .cache import PrefixCache
from .caching import PrefixCaching

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


def make_prefix_cache(trainer: Trainer, caching: PrefixCaching | None) -> tuple[PrefixCache | None, list[Dataset]]:
    """A cache for a run, and the tables that it passes over; `None` where it is not wanted or cannot be.

    It cannot be where the model is spread over processes or compiled, where rows are streamed, or where somebody else's
    collator makes batches.
    """
    judged = trainer.eval_dataset if trainer.args.eval_strategy != "no" else None
    judged = list(judged.values()) if isinstance(judged, dict) else [judged]
    tables = [rows for rows in (trainer.train_dataset, *judged) if isinstance(rows, Dataset)]
    spread = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled or trainer.args.n_gpu > 1
    collator = trainer.data_collator
    usable = isinstance(collator, MultiTaskCollator) and isinstance(trainer.train_dataset, Dataset)
    if caching is None or spread or trainer.args.torch_compile or not usable:
        return None, []
    return PrefixCache(caching, trainer.model, collator.tokenizer, trainer.accelerator), tables
