"""The word of a cell: one word for a whole number in every spelling, and the spelling of everything else."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_builder.cell_words import cell_word, has_edges
from datasets_builder.word_arrays import as_words, places_of


@pytest.mark.parametrize("value", ["1", "1.0", "1.00", 1, 1.0])
def test_a_whole_number_is_one_word_in_every_spelling(value: Any) -> None:
    # P136
    assert cell_word(value) == "1"


@pytest.mark.parametrize("value", ["0", "-0", "-0.0", -0.0, 0])
def test_zero_has_no_sign(value: Any) -> None:
    assert cell_word(value) == "0"


@pytest.mark.parametrize(
    "word", ["007", "00", "1e3", "+1", "1.", ".0", "1.5", "1.50", "1_000", " 1", "1.0.0", "v1.0", "1\n"]
)
def test_what_is_not_a_plain_whole_number_keeps_its_spelling(word: str) -> None:
    # P136
    assert cell_word(word) == word


@pytest.mark.parametrize("word", ["1234567890123456", "1234567890123456.0", "9007199254740993"])
def test_a_number_with_more_digits_than_a_float_keeps_its_spelling(word: str) -> None:
    assert cell_word(word) == word


@pytest.mark.parametrize(
    "cells",
    [["1", None, "0.00", "", "-0", "007"], pa.array([1.0, None, 0.0, float("nan"), -0.0, 7.5])],
    ids=["text", "numbers"],
)
def test_a_column_has_the_words_of_its_cells(cells: Any) -> None:
    given = pa.array(cells)

    expected = [
        None if cell is None or cell in ("",) or cell != cell else cell_word(cell) for cell in given.to_pylist()
    ]
    assert as_words(given, "t.csv", []).to_pylist() == expected


def test_labels_that_differ_only_in_their_spelling_as_numbers_are_told_apart_if_both_are_listed() -> None:
    versions = ["1", "1.0"]

    words = as_words(pa.array(["1.0", "1", "1.00"]), "t.csv", versions)

    assert places_of(words, versions).to_pylist() == [1, 0, 0]


def test_a_listed_label_is_found_in_every_spelling() -> None:
    stars = ["1.0", "2.00"]

    assert places_of(as_words(pa.array(["1", "2", "2.0", "1.00"]), "t.csv", stars), stars).to_pylist() == [0, 1, 1, 0]


@pytest.mark.parametrize("word", ["[a", "a]", "'a'", '"a', "{a", "('a', 'b')"])
def test_a_part_of_a_list_has_edges(word: str) -> None:
    assert has_edges(word)


@pytest.mark.parametrize("word", ["a (b)", "(a)", "it's", "a[1] b", ":("])
def test_a_bracket_or_quote_within_a_label_is_no_edge(word: str) -> None:
    assert not has_edges(word)


@given(st.lists(st.text("01234567890.-+e \n", min_size=1)))
def test_a_column_of_texts_has_the_words_of_its_cells(texts: list[str]) -> None:
    words = as_words(pa.array(texts, pa.string()), "t.csv", []).to_pylist()

    assert words == [cell_word(text) if text.strip() else None for text in texts]
    assert [word and cell_word(word) for word in words] == words
