"""A callback that fits the heads when a phase with `fit_heads` begins."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from .phase_callback import PhaseCallback
from .resuming import ResumingCallback


class HeadFittingCallback(ResumingCallback):
    """A callback that fits the heads when a phase with `fit_heads` begins, once, also in a resumed run.

    Args:
        phases: The callback that freezes parts. It must come before this callback.
        fit: Fits the heads that train.
    """

    def __init__(self, phases: PhaseCallback, fit: Callable[[], None]) -> None:
        self.phases, self.fit = phases, fit
        self.fitted = -1  # the number of the last phase whose heads were fitted

    def attributes(self) -> dict[str, Any]:
        return {"fitted": self.fitted}

    def restore(self, attributes: dict[str, Any]) -> None:
        self.fitted = attributes.get("fitted", -1)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._fit_once()  # before an average of the weights begins

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._fit_once()  # a phase may begin in the middle of an epoch

    def _fit_once(self) -> None:
        if self.phases.current.fit_heads and self.fitted < self.phases.index:
            self.fit()
            self.fitted = self.phases.index
