"""Find words among many others, chunk by chunk.

`index_in` of pyarrow builds a hash table of all words at every call, and an index of pandas keeps each word as a Python
string: 120 MB for a million ids. Sorted hashes need 16 MB.

Shapes: R words to find, K words to find them among.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

HASHED_AT_ONCE = 10_000  # words that are Python strings at the same time


class KeyIndex:
    """The places of different words.

    Args:
        words: (K,) the words, each once and none of them null.
    """

    def __init__(self, words: pa.Array) -> None:
        self.words = words.cast(pa.large_string())
        hashes = hashes_of(self.words)
        self._order = np.argsort(hashes)
        self._hashes = hashes[self._order]
        self._most_alike = int(np.unique(hashes, return_counts=True)[1].max(initial=0))  # 1, unless hashes collide

    def places(self, words: pa.Array) -> np.ndarray:
        """Return (R,) the place of each word, -1 for null and for a word that is not there.

        Args:
            words: (R,) words.
        """
        words = words.cast(pa.large_string())
        firsts = np.searchsorted(self._hashes, hashes_of(words))
        found = np.full(len(words), -1, dtype=np.int64)
        for each in range(self._most_alike):
            places = self._order[np.minimum(firsts + each, len(self._order) - 1)]
            same = pc.fill_null(pc.equal(self.words.take(pa.array(places)), words), False)
            found = np.where(same.to_numpy(zero_copy_only=False), places, found)
        return found


def hashes_of(words: pa.Array) -> np.ndarray:
    """Return (R,) the hash of each word, uint64."""
    words = pc.fill_null(words, "")
    parts = [words.slice(start, HASHED_AT_ONCE) for start in range(0, len(words), HASHED_AT_ONCE)]
    each = [pd.util.hash_array(part.to_numpy(zero_copy_only=False), categorize=False) for part in parts]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *each])
