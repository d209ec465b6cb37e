"""The effect of training on the embedding, in numbers and in words."""

import numpy as np
import pytest

from modeling_multitask.evaluation.embedding_change import (
    UNCHANGED,
    change_of_pairs,
    change_of_texts,
    describe_change,
)

# The angles of four texts; those of any two have different distances.
ANGLES = np.radians([0, 10, 30, 80])


def at(angles: np.ndarray) -> np.ndarray:
    """Embeddings of width 2 and different lengths at these angles."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.arange(1, len(angles) + 1)[:, None]


def test_a_turn_of_all_embeddings_changes_no_similarity() -> None:
    change = change_of_texts(at(ANGLES), at(ANGLES + 1))

    assert change is not None
    assert change.as_json() == {"similarity_rank_correlation": pytest.approx(1.0), "texts": 4}


def test_the_correlation_is_that_of_the_cosines_of_every_two_texts() -> None:
    # The distances of the pairs are 10, 30, 80, 20, 70, 50 before, and 10, 30, 25, 20, 15, 5 after.
    change = change_of_texts(at(ANGLES), at(np.radians([0, 10, 30, 25])))

    # Ranks before 1 3 6 2 5 4, after 2 6 5 4 3 1: the squares of the differences sum to 28, and 1 - 6 * 28 / 210 = 0.2.
    assert change is not None
    assert change.similarity_rank_correlation == pytest.approx(0.2)


def test_two_texts_have_no_order() -> None:
    assert change_of_texts(at(ANGLES[:2]), at(ANGLES[:2])) is None


def test_pairs_are_compared_with_their_scores_before_and_after() -> None:
    pairs = [at(np.radians([0, angle])) for angle in (10, 30, 80)]
    before, after = np.concatenate(pairs), np.concatenate(pairs[::-1])

    change = change_of_pairs(before, after, np.array([5.0, 3.0, 1.0]))

    assert change.as_json() == {
        "similarity_rank_correlation": pytest.approx(-1.0),
        "pairs": 3,
        "scores": {"before": pytest.approx(1.0), "after": pytest.approx(-1.0)},
    }


def test_pairs_without_scores_have_no_correlation_with_them() -> None:
    pairs = np.concatenate([at(np.radians([0, angle])) for angle in (10, 30, 80)])

    assert change_of_pairs(pairs, pairs, None).as_json() == {"similarity_rank_correlation": 1.0, "pairs": 3}


def test_an_encoder_that_was_not_trained_is_called_unchanged() -> None:
    assert describe_change(UNCHANGED.as_json()) == "Embedding: unchanged, because the encoder was not trained"


def test_a_high_correlation_is_stated_without_advice() -> None:
    said = describe_change({"similarity_rank_correlation": 0.934, "texts": 1000}, advice=True)

    assert said == (
        "Embedding: the similarities of all pairs of 1,000 training texts before and after training have the rank "
        "correlation 0.93"
    )


def test_a_low_correlation_names_the_word_that_keeps_the_embedding() -> None:
    said = describe_change({"similarity_rank_correlation": 0.3, "texts": 1000}, advice=True)

    assert said.endswith(
        "0.30. For search and similarity, the encoder before training may be better; set `keep_embedding` or raise its "
        "weight to keep the embedding"
    )


def test_a_reader_of_the_card_gets_no_advice_about_recipes() -> None:
    said = describe_change({"similarity_rank_correlation": 0.3, "texts": 1000})

    assert said.endswith("For search and similarity, the encoder before training may be better")


@pytest.mark.parametrize(("after", "pointed_out"), [(0.85, False), (0.79, False), (0.7, True)])
def test_with_scores_only_the_correlation_with_them_counts(after: float, pointed_out: bool) -> None:
    change = {"similarity_rank_correlation": 0.3, "pairs": 50, "scores": {"before": 0.8, "after": after}}

    said = describe_change(change)

    assert f"was 0.80 before training and is {after:.2f} after it" in said
    assert ("may be better" in said) == pointed_out
