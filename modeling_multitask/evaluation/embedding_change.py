"""The effect of training on the embedding: whether the same texts are similar before and after.

Shapes: N texts, P pairs of texts, D width of the encoder.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..inference.similarity import cosine_matrix, cosines
from ..training.metrics import spearman

# A lower rank correlation is pointed out. In the quickstart, a text keeps 68 % of its ten nearest neighbours at 0.84,
# and 35 % to 49 % of them at 0.46 to 0.52.
LOW = 0.7
MOST_LOST = 0.02  # a larger fall of the rank correlation with given scores is pointed out
FEWEST = 3  # texts, or pairs: fewer have no order to compare


@dataclass(frozen=True)
class ScoredPairs:
    """The rank correlation of the cosines of pairs with their given scores, before and after training."""

    before: float
    after: float


@dataclass(frozen=True)
class EmbeddingChange:
    """The effect of training on the embedding.

    Args:
        similarity_rank_correlation: Spearman's correlation of the cosines before and after training.
        texts: The number of training texts whose pairs were compared; `None` with a similarity set.
        pairs: The number of pairs of a similarity set.
        scores: The correlation with the scores of a similarity set, if it has any.
        unchanged: Whether nothing was computed, because the encoder was not trained.
    """

    similarity_rank_correlation: float
    texts: int | None = None
    pairs: int | None = None
    scores: ScoredPairs | None = None
    unchanged: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are set, for `training.json`."""
        return {name: value for name, value in asdict(self).items() if value is not None and value is not False}


UNCHANGED = EmbeddingChange(1.0, unchanged=True)


def change_of_texts(before: np.ndarray, after: np.ndarray) -> EmbeddingChange | None:
    """Return the effect on the similarities of every two texts; `None` for fewer than three texts.

    Args:
        before: The embeddings before training, (N, D).
        after: The embeddings of the same texts after training, (N, D).

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    if len(before) < FEWEST:
        return None
    pairs = np.triu_indices(len(before), k=1)
    return EmbeddingChange(spearman(cosine_matrix(before)[pairs], cosine_matrix(after)[pairs]), texts=len(before))


def change_of_pairs(before: np.ndarray, after: np.ndarray, scores: np.ndarray | None) -> EmbeddingChange:
    """Return the effect on the similarities of given pairs.

    Args:
        before: The embeddings before training, (2 P, D), alternately of the first and the second text of each pair.
        after: The embeddings after training, (2 P, D).
        scores: The given similarity of each pair, (P,), if there is one.

    Raises:
        ValueError: If the length of an embedding is 0 or not finite.
    """
    one, other = (cosines(each[::2], each[1::2]) for each in (before, after))  # (P,)
    scored = None if scores is None else ScoredPairs(spearman(one, scores), spearman(other, scores))
    return EmbeddingChange(spearman(one, other), pairs=len(one), scores=scored)


def describe_change(change: dict[str, Any], *, advice: bool = False) -> str:
    """Return sentences about the effect on the embedding, without the last full stop.

    Args:
        change: The `embedding` of `training.json`.
        advice: Whether to name the word of a recipe that keeps an embedding.
    """
    if change.get("unchanged"):
        return "Embedding: unchanged, because the encoder was not trained"
    found, scores = change["similarity_rank_correlation"], change.get("scores")
    of_set = "pairs" in change
    pairs = f"{change['pairs']:,} given pairs" if of_set else f"all pairs of {change['texts']:,} training texts"
    said = [f"Embedding: the similarities of {pairs} before and after training have the rank correlation {found:.2f}"]
    if scores is not None:
        said.append(
            f"Their rank correlation with the given scores was {scores['before']:.2f} before training and is "
            f"{scores['after']:.2f} after it"
        )
    if is_low(change):
        word = "; set `keep_embedding` or raise its weight to keep the embedding" if advice else ""
        said.append(f"For search and similarity, the encoder before training may be better{word}")
    return ". ".join(said)


def is_low(change: dict[str, Any]) -> bool:
    """Return whether training has changed the embedding so much that a report points it out.

    With given scores, only the correlation with them counts: an embedding may also become better.

    Args:
        change: The `embedding` of `training.json`.
    """
    scores = change.get("scores")
    if scores is not None:
        return scores["before"] - scores["after"] > MOST_LOST
    return change["similarity_rank_correlation"] < LOW
