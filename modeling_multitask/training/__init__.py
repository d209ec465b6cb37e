"""Training a multi-task model on rows that lack labels."""

from .arguments import LearningRates, MultiTaskTrainingArguments
from .collator import MultiTaskCollator
from .trainer import MultiTaskTrainer

__all__ = ["LearningRates", "MultiTaskCollator", "MultiTaskTrainer", "MultiTaskTrainingArguments"]
