"""Lists that are written as text in a cell: read as they are, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets_builder.cell_lists import MOST_CHARACTERS, numbers_in, parse_list


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", []),
        (' ["a", "b"] ', ["a", "b"]),
        ("['a', \"it's\",]", ["a", "it's"]),
        ("[u'a']", ["a"]),
        ("[1, 2.0, 007, 1e3, 1.50]", ["1", "2.0", "007", "1e3", "1.50"]),
        ("[1, 2.0, 1.50]", ["1", "2.0", "1.50"]),
        ("[true, null]", ["true", None]),
        ("[True, None, nan]", ["true", None, None]),
        ("['a, b', '[c]']", ["a, b", "[c]"]),
        (r"['a\'b', '\d', '\xe9']", ["a'b", r"\d", "é"]),
        ("['a',\n 'b']", ["a", "b"]),
    ],
)
def test_a_list_of_json_or_python_is_its_words(text: str, words: list[str | None]) -> None:
    assert parse_list(text) == words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a, b]", "a is not in quotes"),
        ("['a', 'b'", "neither a JSON list nor a Python list"),
        ("['a' 'b']", "neither a JSON list nor a Python list"),  # as numpy prints an array: Python reads 'ab'
        ("['a'] and ['b']", "neither a JSON list nor a Python list"),
        ("[['a']]", "neither a JSON list nor a Python list"),
        ('[["a"]]', "it holds lists or tables"),
        ("[__import__('os')]", "neither a JSON list nor a Python list"),
        ("[" * 50_000, "neither a JSON list nor a Python list"),
        ("[" + "1," * MOST_CHARACTERS + "1]", "at most 100,000 characters"),
    ],
)
def test_what_is_no_list_is_refused(text: str, reason: str) -> None:
    # P137
    with pytest.raises(ValueError, match=reason):
        parse_list(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_lists_of_any_texts_are_read_as_python_and_json_write_them(words: list[str]) -> None:
    assert parse_list(json.dumps(words)) == parse_list(json.dumps(words, ensure_ascii=False)) == words
    assert parse_list(str(words)) == words


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[]", []),
        (" [1, 0, 1] ", [1, 0, 1]),
        ("[1.0,-1, 2e1,]", [1.0, -1, 20.0]),
        ("[true, False, null, nan]", [True, False, None, None]),
        ("['1', 0]", None),
        ('["a"]', None),
        ("[1 0]", None),
        ("[[1]]", None),
        ("1; 0", None),
        ("[" + "1," * MOST_CHARACTERS + "]", None),
    ],
)
def test_a_list_of_numbers_has_no_quotes(text: str, numbers: list[float | bool | None] | None) -> None:
    found = numbers_in(text)

    assert found == numbers
    assert [*map(type, found or [])] == [*map(type, numbers or [])]
