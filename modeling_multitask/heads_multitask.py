"""The heads of a multi-task model: one for each task, all on the same embedding.

Shapes: B rows, D width of the embedding, C classes of one task.
"""

from torch import Tensor, nn
from transformers.activations import ACT2FN

from .configuration_multitask import MultiTaskConfig
from .tasks_multitask import HeadConfig, TaskConfig


class TaskHeads(nn.Module):
    """One head for each task. All heads take the same embedding.

    This is a plain module with a `forward`, because peft cannot wrap a `ModuleDict`.
    """

    def __init__(self, config: MultiTaskConfig) -> None:
        super().__init__()
        width = config.embedding_size or config.hidden_size
        for task in config.tasks:
            self.add_module(task.name, _build_head(task.head or config.head, width, task))

    def forward(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Return logits, (B, C) by task name, from embeddings, (B, D)."""
        return {name: head(embeddings) for name, head in self.named_children()}


def _build_head(config: HeadConfig, width: int, task: TaskConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, size in enumerate(config.hidden_sizes):
        if i > 0:
            layers.append(nn.Dropout(config.dropout))
        layers.append(nn.Linear(width, size))
        if config.normalization == "layer":
            layers.append(nn.LayerNorm(size))
        layers.append(ACT2FN[config.activation])
        width = size
    return nn.Sequential(*layers, task.kind.output_layer(width, task))
