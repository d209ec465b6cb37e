"""Text similarity: cosines of embeddings, nearest neighbours, and statistics of an embedding's values.

Shapes: N embeddings, M others, D width of the encoder.
"""

from typing import NamedTuple

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..configuration_multitask import MultiTaskConfig
from ..hub_access import hub_access
from ..modeling_multitask import MultiTaskModel
from ..paths_multitask import resolve_model_path
from ..sentence_transformers_multitask import read_embedding_settings
from .loading import load, to_device

# A model needs a task, but only the embeddings of a plain encoder are used.
_NO_TASK = {"name": "none", "problem_type": "regression", "head": {"hidden_sizes": []}}


class Neighbour(NamedTuple):
    """An embedding near a query: its row and its cosine."""

    row: int
    cosine: float


class Statistics(NamedTuple):
    """Statistics of each embedding's D values. Every field is (N,)."""

    min: np.ndarray
    max: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    std: np.ndarray


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cosine between each row and the same row of the other array.

    Args:
        one: (N, D).
        other: (N, D).

    Returns:
        (N,), from -1 to 1.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    return np.clip((_directions(one) * _directions(other)).sum(axis=1), -1, 1)


def cosine_matrix(embeddings: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Return the cosine between each row and each row of the others.

    Args:
        embeddings: (N, D).
        others: (M, D). By default the same embeddings.

    Returns:
        (N, M), from -1 to 1.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    rows = _directions(embeddings)
    columns = rows if others is None else _directions(others)
    return np.clip(rows @ columns.T, -1, 1)


def scaled(cosine: np.ndarray) -> np.ndarray:
    """Scale cosines to the range from 0 (opposite) to 1 (same direction): (1 + cosine) / 2."""
    return (1 + cosine) / 2


def nearest(query: np.ndarray, embeddings: np.ndarray, *, top_k: int = 5) -> list[Neighbour]:
    """Return the rows with the highest cosine to a query, the highest first. Ties are in row order.

    Args:
        query: (D,).
        embeddings: (N, D).
        top_k: The most rows to return.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    found = cosine_matrix(query[None], embeddings)[0]  # (N,)
    order = np.argsort(-found, kind="stable")[:top_k]
    return [Neighbour(int(row), float(found[row])) for row in order]


def statistics(embeddings: np.ndarray) -> Statistics:
    """Return the minimum, maximum, mean, median and standard deviation of each embedding's values.

    As in torch, the median of an even number of values is the lower of the two middle values. The standard deviation
    is that of a sample, which divides by D - 1.

    Args:
        embeddings: (N, D).
    """
    values = np.sort(embeddings.astype(np.float64), axis=1)
    middle = (values.shape[1] - 1) // 2
    return Statistics(values[:, 0], values[:, -1], values.mean(axis=1), values[:, middle], values.std(axis=1, ddof=1))


def load_encoder(model: str) -> tuple[MultiTaskModel, PreTrainedTokenizerBase]:
    """Return a trained model or a plain encoder as a model for `encode`, and its tokenizer.

    A plain encoder uses the pooling and the maximum length of its own sentence-transformers files. Its embeddings are
    not normalised. Cosines do not depend on this, and `statistics` describe the pooled values.

    Args:
        model: A Hub id, a folder, or `package:NAME/FOLDER`.

    Raises:
        OSError: If the model is not found, or its weights are not safetensors.
        ValueError: If it is not an encoder, or needs remote code.
    """
    path = resolve_model_path(model)
    with hub_access(path):
        subfolder = _subfolder_of_plain(path)
        if subfolder is None:
            return load(model)
        # As in `load`, a model from an unknown author must not run code.
        encoder = MultiTaskModel.from_backbone(path, [_NO_TASK], normalize=False, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(path, subfolder=subfolder, trust_remote_code=False)
    return to_device(encoder), tokenizer


def _directions(embeddings: np.ndarray) -> np.ndarray:
    """Return the embeddings with length 1 in float64, (N, D)."""
    values = embeddings.astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)  # (N, 1)
    usable = (lengths > 0) & np.isfinite(lengths)
    if not usable.all():
        row = int(usable[:, 0].argmin())
        raise ValueError(
            f"embedding {row + 1} of {len(values)} has length {lengths[row, 0]:g} and therefore no cosine; "
            "remove its text, or check the model if all embeddings are like this"
        )
    return values / lengths


def _subfolder_of_plain(path: str) -> str | None:
    """Return the subfolder of a plain encoder. `None` for a trained model, or if `load` must report an error."""
    try:
        subfolder = read_embedding_settings(path).subfolder
        kind = MultiTaskConfig.get_config_dict(path, subfolder=subfolder)[0].get("model_type")
    except (OSError, ValueError):
        return None
    return None if kind in (None, MultiTaskConfig.model_type) else subfolder
