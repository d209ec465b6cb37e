"""Training a multi-task model on rows that lack labels."""

from .arguments import MultiTaskTrainingArguments
from .collator import MultiTaskCollator
from .phases import Phase
from .rates import LearningRates
from .sampling import Sampling
from .trainer import MultiTaskTrainer

__all__ = [
    "LearningRates",
    "MultiTaskCollator",
    "MultiTaskTrainer",
    "MultiTaskTrainingArguments",
    "Phase",
    "Sampling",
]
