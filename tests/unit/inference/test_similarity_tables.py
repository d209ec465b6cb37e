"""Tables of text similarities, to write and to print."""

import math

import numpy as np
import pyarrow as pa
import pytest

from datasets_builder import DataError
from modeling_multitask.inference.similarity_tables import (
    add_cosines,
    as_lines,
    check_pair_columns,
    matrix_table,
    nearest_table,
    statistics_table,
)

EAST, NORTH, WEST = [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]
HALF = math.sqrt(0.5)


def test_pairs_keep_their_columns_and_get_cosine_and_similarity() -> None:
    pairs = pa.table({"id": [7, 8], "text": ["east", "east"], "text_pair": ["west", "north"]})

    table = add_cosines(pairs, np.array([EAST, WEST, EAST, NORTH]))

    assert table.to_pylist() == [
        {"id": 7, "text": "east", "text_pair": "west", "cosine": -1.0, "similarity": 0.0},
        {"id": 8, "text": "east", "text_pair": "north", "cosine": 0.0, "similarity": 0.5},
    ]


@pytest.mark.parametrize("name", ["cosine", "similarity"])
def test_a_column_that_would_be_doubled_is_an_error(name: str) -> None:
    message = f"the input already has a column '{name}', which the output adds; rename it"

    with pytest.raises(DataError, match=message):
        check_pair_columns(pa.table({"text": ["a"], name: ["b"]}))


def test_a_table_of_pairs_alone_may_be_added_to() -> None:
    check_pair_columns(pa.table({"text": ["a"], "text_pair": ["b"]}))


def test_a_matrix_numbers_its_texts_so_that_one_may_come_twice() -> None:
    table = matrix_table(["east", "west", "east"], np.array([EAST, WEST, EAST]))

    assert table.to_pylist() == [
        {"number": 1, "text": "east", "1": 1.0, "2": -1.0, "3": 1.0},
        {"number": 2, "text": "west", "1": -1.0, "2": 1.0, "3": -1.0},
        {"number": 3, "text": "east", "1": 1.0, "2": -1.0, "3": 1.0},
    ]


def test_statistics_stand_beside_their_texts() -> None:
    table = statistics_table(["a", "b"], np.array([[3.0, 1.0], [0.0, 0.0]]))

    assert table.to_pylist() == [
        {"text": "a", "min": 1.0, "max": 3.0, "mean": 2.0, "median": 1.0, "std": math.sqrt(2)},
        {"text": "b", "min": 0.0, "max": 0.0, "mean": 0.0, "median": 0.0, "std": 0.0},
    ]


def test_each_query_has_its_nearest_in_the_order_they_were_asked() -> None:
    table = nearest_table(
        ["left", "up"],
        np.array([WEST, NORTH]),
        ["east", "north", "west"],
        np.array([EAST, NORTH, WEST]),
        top_k=1,
    )

    assert table.to_pylist() == [
        {"query": "left", "number": 3, "cosine": 1.0, "text": "west"},
        {"query": "up", "number": 2, "cosine": 1.0, "text": "north"},
    ]


def test_numbers_stand_before_texts_and_all_in_columns() -> None:
    table = pa.table({"text": ["a", "soup"], "cosine": [-HALF, 1.0], "number": [9, 10], "note": ["b", ""]})

    assert as_lines(table) == [
        " cosine  number  text  note",
        "-0.7071       9  a     b",
        " 1.0000      10  soup",
    ]


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    assert as_lines(pa.table({"x": [-0.00001]})) == ["     x", "0.0000"]


def test_a_long_text_is_cut_to_one_line() -> None:
    lines = as_lines(pa.table({"text": ["a\nb " * 50]}))

    assert lines[1] == "a b " * 17 + "a…"


def test_no_text_commands_the_terminal() -> None:
    assert (
        as_lines(pa.table({"text": ["\x1b[2Jred\x07"]}))[1]
        == "\N{REPLACEMENT CHARACTER}[2Jred\N{REPLACEMENT CHARACTER}"
    )


def test_a_cell_that_is_missing_is_empty() -> None:
    assert as_lines(pa.table({"text": [None, "b"], "text_pair": ["a", None]})) == ["text  text_pair", "      a", "b"]
