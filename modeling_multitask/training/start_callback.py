"""A callback that checks that a resumed run keeps the embedding near that of the same start encoder."""

from typing import Any

import numpy as np
from transformers import TrainerControl, TrainerState, TrainingArguments

from .resuming import ResumingCallback

SAME = 0.999  # the least cosine between two computations of one embedding; bfloat16 gives 0.9999


class StartCallback(ResumingCallback):
    """A callback that saves the start embedding of the first training row with every checkpoint.

    A model that was loaded from the checkpoint itself would give other start embeddings than the run that is resumed.

    Args:
        first: The start embedding of the first training row, (D,).
    """

    def __init__(self, first: list[float]) -> None:
        self.first = first

    def attributes(self) -> dict[str, Any]:
        """Return the embedding, rounded."""
        return {"first": [round(number, 5) for number in self.first]}

    def restore(self, attributes: dict[str, Any]) -> None:
        """Compare the start embedding with that of the run that is resumed.

        Raises:
            ValueError: If the two differ.
        """
        if (there := attributes.get("first")) is not None and not _are_same(self.first, there):
            raise ValueError(
                "keep_embedding: the model gives another embedding to the first training row than the model that the "
                "run started with; build the model as before the run, not from its checkpoint, and pass the same rows"
            )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Compare, if the run is resumed."""
        super().on_train_begin(args, state, control, **kwargs)
        # The Trainer requires the state of a callback that the run to resume did not have.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())


def _are_same(one: list[float], other: list[float]) -> bool:
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return len(one) == len(other) and bool(np.dot(one, other) >= SAME * lengths)
