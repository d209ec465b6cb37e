"""Multi-task models: one transformer encoder, one head for each task, one forward pass."""

from typing import TYPE_CHECKING

from .lazy import lazy_names
from .registration import register_when_imported
from .version import __version__

if TYPE_CHECKING:
    from .configuration_multitask import MultiTaskConfig
    from .modeling_multitask import MultiTaskModel, MultiTaskOutput
    from .pipeline_multitask import MultiTaskPipeline
    from .tasks_multitask import HeadConfig, TaskConfig
    from .training.arguments import MultiTaskTrainingArguments
    from .training.collator import MultiTaskCollator
    from .training.rates import LearningRates
    from .training.trainer import MultiTaskTrainer

__all__ = [
    "HeadConfig",
    "LearningRates",
    "MultiTaskCollator",
    "MultiTaskConfig",
    "MultiTaskModel",
    "MultiTaskOutput",
    "MultiTaskPipeline",
    "MultiTaskTrainer",
    "MultiTaskTrainingArguments",
    "TaskConfig",
    "__version__",
]

__getattr__ = lazy_names(
    __name__,
    {
        "configuration_multitask": ["MultiTaskConfig"],
        "modeling_multitask": ["MultiTaskModel", "MultiTaskOutput"],
        "pipeline_multitask": ["MultiTaskPipeline"],
        "tasks_multitask": ["HeadConfig", "TaskConfig"],
        "training.arguments": ["MultiTaskTrainingArguments"],
        "training.collator": ["MultiTaskCollator"],
        "training.rates": ["LearningRates"],
        "training.trainer": ["MultiTaskTrainer"],
    },
)
register_when_imported()
