"""Callbacks whose state is saved with every checkpoint and restored when a run is resumed."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from ..files import strict


class ResumingCallback(TrainerCallback, ExportableState):
    """A callback whose state is saved in `trainer_state.json` and restored when a run is resumed."""

    def attributes(self) -> dict[str, Any]:
        """Return the state for a checkpoint, in plain JSON."""
        return {}

    def restore(self, attributes: dict[str, Any]) -> None:
        """Restore the state of a checkpoint, or reset it with an empty dict."""

    def state(self) -> dict[str, Any]:
        """Return the entry of this callback in `trainer_state.json`."""
        return {"args": {}, "attributes": strict(self.attributes())}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__) if state.global_step else None
        self.restore(saved["attributes"] if saved else {})
