"""How alike texts are: cosines of their embeddings, the nearest among many, and what an embedding's values are like.

Shapes: N embeddings, M others, D width of the encoder.
"""

from typing import NamedTuple

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..modeling_multitask import MultiTaskModel, resolve_model_path
from ..sentence_transformers_multitask import read_embedding_settings
from .loading import load, to_accelerator

# A model needs a task; of an encoder only the embeddings are looked at.
_NO_TASK = {"name": "none", "problem_type": "regression", "head": {"hidden_sizes": []}}


class Neighbour(NamedTuple):
    """One of the embeddings nearest to a query."""

    row: int
    cosine: float


class Statistics(NamedTuple):
    """Figures of each embedding's D values; every field is (N,)."""

    min: np.ndarray
    max: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    std: np.ndarray


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The cosine between each row and the same row of the other.

    Args:
        one: (N, D).
        other: (N, D).

    Returns:
        (N,), from -1 to 1.

    Raises:
        ValueError: If an embedding has no direction.
    """
    return np.clip((_directions(one) * _directions(other)).sum(axis=1), -1, 1)


def cosine_matrix(embeddings: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """The cosine between each row and each row of the others.

    Args:
        embeddings: (N, D).
        others: (M, D); the same embeddings if left out.

    Returns:
        (N, M), from -1 to 1.

    Raises:
        ValueError: If an embedding has no direction.
    """
    rows = _directions(embeddings)
    columns = rows if others is None else _directions(others)
    return np.clip(rows @ columns.T, -1, 1)


def scaled(cosine: np.ndarray) -> np.ndarray:
    """Cosines from 0 (opposite) to 1 (the same direction): (1 + cosine) / 2."""
    return (1 + cosine) / 2


def nearest(query: np.ndarray, embeddings: np.ndarray, *, top_k: int = 5) -> list[Neighbour]:
    """The rows with the highest cosine to a query, the highest first; of equal ones the earlier row.

    Args:
        query: (D,).
        embeddings: (N, D).
        top_k: How many at most.

    Raises:
        ValueError: If an embedding has no direction.
    """
    found = cosine_matrix(query[None], embeddings)[0]  # (N,)
    order = np.argsort(-found, kind="stable")[:top_k]
    return [Neighbour(int(row), float(found[row])) for row in order]


def statistics(embeddings: np.ndarray) -> Statistics:
    """Minimum, maximum, mean, median and deviation of each embedding's values.

    The median is torch's: of an even number of values the lower of the two in the middle. The deviation is that of a
    sample, divided by D - 1.

    Args:
        embeddings: (N, D).
    """
    values = np.sort(embeddings.astype(np.float64), axis=1)
    middle = (values.shape[1] - 1) // 2
    return Statistics(values[:, 0], values[:, -1], values.mean(axis=1), values[:, middle], values.std(axis=1, ddof=1))


def load_encoder(model: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """What gives `encode` its embeddings, and its tokenizer: a trained model, or a plain encoder.

    A plain encoder pools, and cuts texts, as its own sentence-transformers files say, but does not normalise: no cosine
    depends on it, and `statistics` are those of the pooled values.

    Args:
        model: Hub id, folder, or `package:NAME/FOLDER`.

    Raises:
        OSError: If there is no such model, or its weights are not safetensors.
        ValueError: If it is no encoder, or needs remote code.
    """
    path = resolve_model_path(model)
    subfolder = _subfolder_of_plain(path)
    if subfolder is None:
        return load(model)
    # As `load`: a stranger's folder runs no code, so no pickle is read, and no tokenizer of its own.
    encoder = MultiTaskModel.from_backbone(path, [_NO_TASK], normalize=False, use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(path, subfolder=subfolder, trust_remote_code=False)
    return to_accelerator(encoder), tokenizer


def _directions(embeddings: np.ndarray) -> np.ndarray:
    """The embeddings with length 1, in float64; (N, D)."""
    values = embeddings.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)  # (N, 1)
    usable = (lengths > 0) & np.isfinite(lengths)
    if not usable.all():
        row = int(usable[:, 0].argmin())
        raise ValueError(
            f"embedding {row + 1} of {len(values)} has length {lengths[row, 0]:g}, so that it points nowhere and has "
            "no cosine; leave its text out, or look at the model if all are so"
        )
    return values / lengths


def _subfolder_of_plain(path: str) -> str | None:
    """Where a plain encoder lies; `None` for a model of ours, and for what cannot be read: `load` says why."""
    try:
        subfolder = read_embedding_settings(path).subfolder
        kind = MultiTaskConfig.get_config_dict(path, subfolder=subfolder)[0].get("model_type")
    except (OSError, ValueError):
        return None
    return None if kind in (None, MultiTaskConfig.model_type) else subfolder
