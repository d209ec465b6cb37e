"""The defaults of a training run. `python -m benchmarks.defaults` compares them with simple baselines."""

import math
from collections.abc import Sequence
from typing import Any

from .phases import Phase, Reached
from .rates import LearningRates

# Heads are new and need a high rate. The decay and the warm-up keep deep encoders stable.
RATES = LearningRates(heads=1e-3, backbone=5e-5, layer_decay=0.9)
RATES_IN_WORDS = "{heads: 1e-3, backbone: 5e-5, layer_decay: 0.9}"
# Fields of TrainingArguments in the `training` of a recipe.
TRAINING: dict[str, Any] = {
    "per_device_train_batch_size": 16,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0.1,
}
# The default number of epochs is ROWS_READ divided by the number of labelled or taught rows, within these limits.
ROWS_READ = 9600
FEWEST_EPOCHS, MOST_EPOCHS = 3, 40
DEFAULTS_IN_WORDS = (
    f"Defaults: {', '.join(f'`{name}: {value}`' for name, value in TRAINING.items())}, and for `num_train_epochs` "
    f"{ROWS_READ:,} divided by the number of training rows with a label or the answer of a teacher, rounded up, at "
    f"least {FEWEST_EPOCHS} and at most {MOST_EPOCHS}."
)


def default_epochs(phases: Sequence[Phase], labelled: int, steps_per_epoch: int) -> int:
    """Return the default number of epochs of a run. Small tables get more epochs.

    A phase that ends at an epoch or a step ends there. Every other phase has a number of epochs that depends on the
    labelled rows only, so the batch size and the number of processes do not change it.

    Args:
        phases: The phases, in order.
        labelled: The number of training rows with a label or the answer of a teacher.
        steps_per_epoch: The optimizer steps per epoch.
    """
    of_phase = min(max(math.ceil(ROWS_READ / max(labelled, 1)), FEWEST_EPOCHS), MOST_EPOCHS)
    epochs = 0
    for phase in phases:
        if isinstance(phase.end, Reached):
            unit, number = phase.end
            epochs = max(epochs, number if unit == "epoch" else math.ceil(number / steps_per_epoch))
        else:
            epochs += of_phase
    return epochs
