"""What a callback has learned or counted, kept with every checkpoint and taken up again."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState


class ResumingCallback(TrainerCallback, ExportableState):
    """A callback whose state lies in `trainer_state.json`; a run that is resumed goes on with it."""

    def attributes(self) -> dict[str, Any]:
        """What a checkpoint keeps, in plain JSON."""
        return {}

    def restore(self, attributes: dict[str, Any]) -> None:
        """Takes up what a checkpoint kept; of an empty dict, starts anew."""

    def state(self) -> dict[str, Any]:
        """What transformers writes into `trainer_state.json`."""
        return {"args": {}, "attributes": self.attributes()}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__) if state.global_step else None
        self.restore(saved["attributes"] if saved else {})
