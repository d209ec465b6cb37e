"""Words are found among many others."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets_builder import key_index
from datasets_builder.key_index import KeyIndex, hashes_of

HASHES: dict[str, Callable[[pa.Array], np.ndarray]] = {
    "different": hashes_of,
    "alike": lambda words: np.array([len(word or "") for word in words.to_pylist()], dtype=np.uint64),
    "equal": lambda words: np.zeros(len(words), dtype=np.uint64),
}
texts = st.text(alphabet="ab\0é", max_size=3)


@pytest.mark.parametrize("hashes", HASHES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(texts, unique=True), asked=st.lists(texts | st.none()))
def test_words_have_their_places_even_if_hashes_are_alike(
    hashes: str, words: list[str], asked: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_index, "hashes_of", HASHES[hashes])

    places = KeyIndex(pa.array(words, pa.string())).places(pa.array(asked, pa.string()))

    assert places.tolist() == [words.index(word) if word in words else -1 for word in asked]


def test_more_words_than_are_hashed_at_once_have_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_index, "HASHED_AT_ONCE", 3)
    words = [f"word {number}" for number in range(10)]

    assert KeyIndex(pa.array(words)).places(pa.array([*reversed(words), "no word"])).tolist() == [*range(9, -1, -1), -1]
