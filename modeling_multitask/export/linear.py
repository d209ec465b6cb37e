"""The heads of a model as linear layers: exact ones of linear heads, and distilled ones of heads with hidden layers.

Shapes: N texts, D width of the embedding, C logits of one task.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from transformers import PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..evaluation.judged import judge
from ..inference.text_encoder import TextEncoder
from ..modeling_multitask import MultiTaskModel
from ..texts_multitask import Text
from ..training.metrics import decide_arrays
from .folder import HeldOut, compare_forms

LINEAR = "linear heads"
MOST_TEXTS = 20_000  # to learn from; more change a linear layer hardly, and take long to encode
FEWEST_TEXTS = 10
_PENALTIES = tuple(10.0**power for power in range(-4, 3))  # of a ridge regression; cross-validation chooses one


class Affine(NamedTuple):
    """A linear layer, in float64.

    Args:
        weight: (C, D).
        bias: (C,).
    """

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Return logits, (N, C) float32, from embeddings, (N, D)."""
        return (embeddings @ self.weight.T + self.bias).astype(np.float32)


@dataclass(frozen=True)
class Distilled:
    """Linear heads that have learned the logits of heads with hidden layers.

    Args:
        heads: The heads by task name.
        facts: The number of `texts`, and on held-out `rows` the `figures` of both forms of the model, and their
            `agreement`.
    """

    heads: dict[str, Affine]
    facts: dict[str, Any]


def deep_tasks(config: MultiTaskConfig) -> list[str]:
    """Return the names of the tasks whose heads have hidden layers."""
    return [task.name for task in config.tasks if (task.head or config.head).hidden_sizes]


@torch.no_grad()
def linear_heads(model: MultiTaskModel) -> dict[str, Affine]:
    """Return the heads without hidden layers by task name.

    The scale and shift of a regression and the cut points of an ordinal regression are part of the layer.
    """
    deep, width = deep_tasks(model.config), int(model.config.embedding_size or 0)
    heads = deepcopy(model.heads).cpu().double().eval()
    points = torch.cat([torch.zeros(1, width), torch.eye(width)]).double()  # for the bias, then for each weight column
    at = {name: each.numpy() for name, each in heads(points).items() if name not in deep}
    return {name: Affine((each[1:] - each[0]).T, each[0]) for name, each in at.items()}


def distil(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text], held_out: HeldOut
) -> Distilled:
    """Return linear heads with nearly the logits of the heads with hidden layers: a ridge regression for each task.

    The regression learns logits, not answers. Therefore the temperature, the thresholds and the energy of a task still
    apply, and the logits of an ordinal regression stay in order.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        texts: The texts to learn from, such as the training texts of the model. They need no labels.
        held_out: Other rows, for comparing both forms of the model.

    Raises:
        ValueError: If there are too few texts.
    """
    texts = list(dict.fromkeys(texts))
    if len(texts) < FEWEST_TEXTS:
        raise ValueError(f"linear heads need at least {FEWEST_TEXTS} different texts to learn from; {len(texts)} given")
    texts = texts[:: -(-len(texts) // MOST_TEXTS)]
    encoder = TextEncoder(model, tokenizer, dtype=torch.float32)
    embeddings = encoder.encode(texts, show_progress=True)[0]
    logits, deep = encoder.logits(embeddings), deep_tasks(model.config)
    heads = _ridge(embeddings, {name: logits[name] for name in deep})
    return Distilled(heads, {"tasks": deep, "texts": len(texts), **_compare(heads, encoder, held_out)})


def _ridge(embeddings: np.ndarray, logits: Mapping[str, np.ndarray]) -> dict[str, Affine]:
    """Return the linear layer of each task. All are fitted at once, because they share the decomposition."""
    targets = np.concatenate(list(logits.values()), axis=1).astype(np.float64)
    fitted = RidgeCV(alphas=_PENALTIES, alpha_per_target=True).fit(embeddings.astype(np.float64), targets)
    weight, bias = fitted.coef_.reshape(targets.shape[1], -1), np.atleast_1d(fitted.intercept_)
    ends = np.cumsum([each.shape[1] for each in logits.values()])[:-1]
    return {
        name: Affine(*each) for name, *each in zip(logits, np.split(weight, ends), np.split(bias, ends), strict=True)
    }


def _compare(heads: Mapping[str, Affine], encoder: TextEncoder, held_out: HeldOut) -> dict[str, Any]:
    """Return the metrics of the answers of both forms, and their agreement."""
    judged = judge(encoder.model, held_out.rows, encoder.tokenizer, show_progress=True)
    embeddings = encoder.encode(judged.texts, show_progress=True)[0]
    logits = judged.logits | {name: head.logits(embeddings) for name, head in heads.items()}
    return compare_forms({LINEAR: decide_arrays(logits, judged.tasks)}, judged, held_out.name)
