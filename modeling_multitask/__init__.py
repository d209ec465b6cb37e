"""One transformer encoder, many task heads, one forward pass."""

from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY

from .configuration_multitask import MultiTaskConfig
from .modeling_multitask import MultiTaskModel, MultiTaskOutput
from .pipeline_multitask import PIPELINE_TASK, MultiTaskPipeline
from .tasks_multitask import HeadConfig, TaskConfig
from .training import LearningRates, MultiTaskCollator, MultiTaskTrainer, MultiTaskTrainingArguments
from .version import __version__

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

AutoConfig.register(MultiTaskConfig.model_type, MultiTaskConfig)
AutoModel.register(MultiTaskConfig, MultiTaskModel)
PIPELINE_REGISTRY.register_pipeline(PIPELINE_TASK, pipeline_class=MultiTaskPipeline, pt_model=AutoModel, type="text")
