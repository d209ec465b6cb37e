"""Fit heads to convergence on the embeddings of all training rows: linear probing, before fine-tuning.

A linear head then is a logistic regression, or a ridge regression for a number. Fine-tuning from there keeps more of
the encoder than from random heads (LP-FT, Kumar et al. 2022).

Shapes: N training rows, D width of the embedding, C labels of one task.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from ..losses_multitask import loss_divisor, masked_loss
from ..modeling_multitask import MultiTaskModel
from ..tasks_multitask import TaskConfig
from .freezing import trained_parameters

INVERSE_PENALTY = 10.0  # the C of scikit-learn; 1 is worse with few rows (benchmarks)
MOST_ITERATIONS = 200
_ROWS_AT_ONCE = 65_536  # so that the logits of many rows and labels fit into memory


def fit_heads(
    model: MultiTaskModel, embeddings: Tensor, labels: dict[str, Tensor], sample_weight: Tensor | None = None
) -> None:
    """Minimise the loss of each head that trains, in place, with a penalty on its weights.

    The objective is that of scikit-learn's `LogisticRegression(C=10)`, divided by a constant: the mean loss of the task
    plus |W|^2 / (2 C n), where n is the number of labelled entries, or the sum of their weights. Biases and cut points
    have no penalty. The method is L-BFGS (Liu & Nocedal 1989) on all rows. A task without labels is left as it is.

    Args:
        model: The model, with or without adapters of peft.
        embeddings: Those of the training rows, (N, D), on the device of the heads.
        labels: The labels by task name, as for `masked_loss`.
        sample_weight: (N,), the weight of each row.
    """
    model.eval()  # without the dropout of deeper heads; the Trainer sets the mode again before each step
    for task in model.config.tasks:
        names = trained_parameters(model, (f"heads.{task.name}",), ())
        trained = [each for name, each in model.named_parameters() if name in names and each.requires_grad]
        if trained and loss_divisor(labels[task.name], task, sample_weight) > 0:
            _fit(trained, lambda rows, name=task.name: model.heads(rows)[name], task, embeddings, labels, sample_weight)


def _fit(
    parameters: Sequence[nn.Parameter],
    head: Callable[..., Tensor],
    task: TaskConfig,
    embeddings: Tensor,
    labels: dict[str, Tensor],
    sample_weight: Tensor | None,
) -> None:
    """Minimise the loss of one head."""
    known, divisor = labels[task.name], loss_divisor(labels[task.name], task, sample_weight)
    weights = [each for each in parameters if each.ndim > 1]
    optimizer = LBFGS(parameters, max_iter=MOST_ITERATIONS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        total = sum((each.square().sum() for each in weights), torch.zeros(())) / (2 * INVERSE_PENALTY * divisor)
        total.backward()
        for start in range(0, len(embeddings), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            each = None if sample_weight is None else sample_weight[part]
            loss = masked_loss(head(embeddings[part]), known[part], task, divisor, each)
            loss.backward()
            total = total + loss
        return total.detach()

    optimizer.step(objective)
    optimizer.zero_grad()
