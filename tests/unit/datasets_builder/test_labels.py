"""Cells: how they are converted to labels, and which are refused."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datasets_builder import DataError, LabelColumn
from datasets_builder.findings import Findings
from datasets_builder.labels import occurring_words, read_labels
from datasets_builder.places import Place
from modeling_multitask import TaskConfig

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food", "phone"])
SENTIMENT = TaskConfig("sentiment", "binary_classification", labels=["negative", "positive"])
DIGITS = TaskConfig("digit", "binary_classification", labels=["0", "1"])
TRUTH = TaskConfig("truth", "binary_classification", labels=["false", "true"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
GRADE = TaskConfig("grade", "ordinal_regression", labels=["poor", "fair", "fine"])
BOTH, LONG, LOUD, NEITHER = ({"long": i, "loud": j} for i, j in ((1, 1), (1, 0), (0, 1), (0, 0)))


def labels(cells: Any, task: TaskConfig, column: LabelColumn | None = None, numbers: Any = None) -> list[Any]:
    """The labels of a column of cells, or of a table of several."""
    chunk = cells if isinstance(cells, pa.Table) else pa.table({task.name: cells})
    findings = Findings()
    read = read_labels(chunk, column or LabelColumn(task.name), task, Place("t.csv", findings, numbers))
    findings.check()
    return read.to_pylist()


def words(cells: Any, problem_type: str = "single_label_classification", **settings: Any) -> list[str]:
    findings = Findings()
    found = occurring_words(
        pa.table({"x": cells}), LabelColumn("x", **settings), problem_type, Place("t.csv", findings)
    )
    findings.check()
    return found


def one_hot(**columns: Any) -> list[Any]:
    return labels(pa.table(columns), TAGS, LabelColumn(list(columns)))


def test_a_label_becomes_its_place_among_the_labels() -> None:
    assert labels(["phone", "film"], TOPIC) == [2, 0]


def test_the_first_label_of_a_binary_task_is_0() -> None:
    assert labels(["positive", "negative"], SENTIMENT) == [1, 0]


def test_a_rank_becomes_its_place_in_the_order_given() -> None:
    assert labels(["fine", "", "poor"], GRADE) == [2, None, 0]


def test_null_and_an_empty_cell_are_missing_labels() -> None:
    # P65: ids stay whole numbers where some are missing.
    assert labels(["", "food", None], TOPIC) == [None, 1, None]


def test_words_for_nothing_are_ordinary_labels() -> None:
    task = TaskConfig("topic", "single_label_classification", labels=["NA", "null", "None", "nan"])

    assert labels(["nan", "None", "null", "NA"], task) == [3, 2, 1, 0]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string()])
def test_a_number_is_the_same_label_in_every_type(kind: pa.DataType) -> None:
    assert labels(pa.array([1, None, 0]).cast(kind), DIGITS) == [1, None, 0]


def test_nan_is_a_missing_label() -> None:
    assert labels([1.0, float("nan")], DIGITS) == [1, None]


@pytest.mark.parametrize("kind", [pa.bool_(), pa.string()])
def test_truth_values_are_the_words_for_them(kind: pa.DataType) -> None:
    assert labels(pa.array([True, None, False]).cast(kind), TRUTH) == [1, None, 0]


def test_a_category_is_read_by_its_names_and_not_by_their_order() -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["food", "film"]))

    assert labels(cells, TOPIC) == [1, 0, None]


def test_a_number_of_labels_names_them_by_number_too() -> None:
    task = TaskConfig("topic", "single_label_classification", num_labels=3)

    assert labels(["LABEL_2", "1", ""], task) == [2, 1, None]


def test_what_stands_for_nothing_is_a_missing_label() -> None:
    assert labels([-1, 0, 1], DIGITS, LabelColumn("digit", missing=[-1])) == [None, 0, 1]


def test_an_alias_is_the_label_it_stands_for() -> None:
    column = LabelColumn("topic", aliases={"movie": "film", 7: "food"})

    assert labels(["movie", "7", "film"], TOPIC, column) == [0, 1, 0]


def test_what_stands_for_nothing_is_seen_before_aliases() -> None:
    assert labels(["?"], TOPIC, LabelColumn("topic", aliases={"?": "film"}, missing=["?"])) == [None]


def test_a_label_that_is_none_of_the_labels_is_an_error_with_its_row() -> None:
    # P67
    message = "\n  row 2, column 'topic': 'flim' is not one of 'film', 'food', 'phone'"

    with pytest.raises(DataError, match=re.escape(message)):
        labels(["film", "flim"], TOPIC)


def test_rows_are_numbered_over_chunks() -> None:
    with pytest.raises(DataError, match="row 10002, column 'topic': 'flim'"):
        labels(["film", "flim"], TOPIC, numbers=np.array([10_001, 10_002]))


def test_the_message_of_a_wrong_label_names_the_file_and_how_rows_count() -> None:
    with pytest.raises(DataError, match=r"t\.csv has labels that cannot be used \(row 1 is the first below"):
        labels(["flim"], TOPIC)


def test_surrounding_spaces_make_another_label() -> None:
    with pytest.raises(DataError, match="row 1, column 'topic': ' film' is not one of"):
        labels([" film"], TOPIC)


def test_a_rank_that_is_none_of_the_ranks_is_an_error_with_its_row() -> None:
    # P67
    with pytest.raises(DataError, match="row 2, column 'grade': 'finer' is not one of 'poor', 'fair', 'fine'"):
        labels(["fine", "finer"], GRADE)


def test_at_most_10_different_wrong_labels_are_listed_and_the_others_counted() -> None:
    with pytest.raises(DataError, match=r"row 10, [^\n]*\n  and 3 more$") as caught:
        labels([f"wrong {i}" for i in range(13)], TOPIC)

    assert str(caught.value).count("'wrong") == 10


def test_equal_wrong_labels_are_one_line_with_their_number() -> None:
    with pytest.raises(DataError, match=r"row 2, [^\n]*'wrong' is not one of [^\n]* \(and in 11 more rows\)$"):
        labels(["film", *["wrong"] * 12], TOPIC)


def test_wrong_labels_of_several_tasks_are_reported_together() -> None:
    chunk, findings = pa.table({"topic": ["flim", ""], "rating": ["1", "good"]}), Findings()
    for task in (TOPIC, RATING):
        read_labels(chunk, LabelColumn(task.name), task, Place("t.csv", findings))

    with pytest.raises(DataError, match=r"(?s)row 1, column 'topic': 'flim'.*row 2, column 'rating': 'good'"):
        findings.check()


@pytest.mark.parametrize(
    ("cell", "number"),
    [("-3", -3.0), ("+5", 5.0), ("5.", 5.0), (".5", 0.5), ("1e3", 1000.0), (" 2 ", 2.0), ("", None), (" ", None)],
)
def test_a_regression_reads_numbers(cell: str, number: float | None) -> None:
    assert labels([cell], RATING) == [number]


@pytest.mark.parametrize("cell", ["good", "nan", "inf", "1 2", "0x1", "1_000", "--1"])
def test_what_is_no_number_is_an_error_for_a_regression(cell: str) -> None:
    with pytest.raises(DataError, match=rf"row 2, column 'rating': {cell!r} is not a number"):
        labels(["1", cell], RATING)


def test_a_decimal_comma_names_the_word_to_add() -> None:
    with pytest.raises(
        DataError, match=r"row 2, column 'rating': '1,5' is not a number\n  .*add `decimal: \",\"` to its"
    ):
        labels(["1", "1,5"], RATING)


def test_a_number_too_large_for_a_float_is_an_error_for_a_regression() -> None:
    with pytest.raises(DataError, match="row 1, column 'rating': '1e999' is not a finite number in float32"):
        labels(["1e999"], RATING)


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([2, None, 4]),
        pa.array([2.0, float("nan"), 4.0]),
        pa.array([2, None, 4], pa.float16()),
        pa.array([2, None, 4], pa.decimal128(3, 1)),
        pa.array(["2", None, "4"]).dictionary_encode(),
    ],
    ids=["whole", "nan", "16 bits", "decimal", "category"],
)
def test_numbers_of_every_type_are_read(cells: pa.Array) -> None:
    assert labels(cells, RATING) == [2.0, None, 4.0]


@pytest.mark.parametrize("cells", [["-1", "2"], [-1, 2], [-1.0, 2.0], ["-1.0", "2"]])
def test_a_number_that_stands_for_nothing_is_missing_however_it_is_written(cells: list[Any]) -> None:
    assert labels(cells, RATING, LabelColumn("rating", missing=[-1])) == [None, 2.0]


def test_a_word_that_stands_for_nothing_is_no_wrong_number() -> None:
    assert labels(["n/a", "2"], RATING, LabelColumn("rating", missing=["n/a"])) == [None, 2.0]


@pytest.mark.parametrize("cells", [["5", "2"], [5, 2], [5.0, 2.0]])
def test_an_alias_of_a_number_holds_in_every_type(cells: list[Any]) -> None:
    assert labels(cells, RATING, LabelColumn("rating", aliases={5: "1"})) == [1.0, 2.0]


def test_multi_label_columns_become_one_0_or_1_for_each_label() -> None:
    assert one_hot(long=["1", "0"], loud=["0", "1"]) == [LONG, LOUD]


@pytest.mark.parametrize("cells", [[1, 0], [1.0, 0.0], [True, False], ["1", "0"], ["True", "FALSE"]])
def test_a_position_may_be_written_as_a_number_or_a_truth_value(cells: list[Any]) -> None:
    assert one_hot(long=cells, loud=["0", "0"]) == [LONG, NEITHER]


def test_a_single_position_of_a_multi_label_row_may_be_missing() -> None:
    assert one_hot(long=["1"], loud=[""]) == [{"long": 1, "loud": None}]  # P3: not counted as negative


def test_a_multi_label_row_without_any_position_is_a_missing_label() -> None:
    assert one_hot(long=["", None], loud=["", None]) == [None, None]


def test_multi_label_columns_are_matched_by_name_in_any_order() -> None:
    assert one_hot(loud=["0"], long=["1"]) == [LONG]


def test_a_source_may_have_columns_for_some_of_the_labels_only() -> None:
    assert one_hot(loud=["1"]) == [{"long": None, "loud": 1}]


@pytest.mark.parametrize("cell", ["2", "-1", "yes", "1.5"])
def test_a_multi_label_cell_is_0_or_1_or_nothing(cell: str) -> None:
    # P4: -1 is refused, not taken for a label.
    with pytest.raises(DataError, match=rf"row 1, column 'long': '{cell}' is neither '0' nor '1'"):
        one_hot(long=[cell], loud=["0"])


def test_a_position_may_have_an_alias() -> None:
    column = LabelColumn(["long", "loud"], aliases={"yes": "1", "no": "0"}, missing=["?"])

    assert labels(pa.table({"long": ["yes", "?"], "loud": ["no", "yes"]}), TAGS, column) == [
        LONG,
        {"long": None, "loud": 1},
    ]


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string(), 2)])
def test_a_list_says_which_labels_hold_and_the_others_do_not(kind: pa.DataType) -> None:
    cells = pa.array([["long", "loud"], None, ["loud", "loud"]], kind)

    assert labels(cells, TAGS) == [BOTH, None, LOUD]


def test_an_empty_list_says_that_no_label_holds() -> None:
    assert labels([[], None], TAGS) == [NEITHER, None]


def test_the_lists_of_a_slice_are_its_own() -> None:
    assert labels(pa.array([["long"], ["loud"], None, ["long", "loud"]])[1:], TAGS) == [LOUD, None, BOTH]


def test_aliases_hold_inside_lists() -> None:
    assert labels([["lg", "loud"]], TAGS, LabelColumn("tags", aliases={"lg": "long"})) == [BOTH]


def test_the_row_of_an_unknown_label_in_a_list_is_named() -> None:
    with pytest.raises(DataError, match=r"row 3, column 'tags': 'lod' is not one of .*; did you mean 'loud'"):
        labels([["long"], [], ["long", "lod"]], TAGS)


def test_a_separator_stands_between_labels() -> None:
    column = LabelColumn("tags", separator=";", aliases={"lg": "long"}, missing=["?"])

    assert labels(["lg; loud", "", "?", "loud", None], TAGS, column) == [BOTH, None, None, LOUD, None]


def test_a_separator_is_no_pattern() -> None:
    assert labels(["long|loud"], TAGS, LabelColumn("tags", separator="|")) == [BOTH]


def test_a_struct_has_a_position_for_each_label() -> None:
    cells = pa.array([{"loud": 0, "long": 1}, None, {"loud": None, "long": 0}, {"loud": None, "long": None}])

    assert labels(cells, TAGS) == [LONG, None, {"long": 0, "loud": None}, None]


def test_a_struct_may_have_some_of_the_labels_only() -> None:
    assert labels([{"loud": True}], TAGS) == [{"long": None, "loud": 1}]


@pytest.mark.parametrize("task", [TOPIC, TAGS, RATING])
def test_a_column_of_nothing_has_no_labels(task: TaskConfig) -> None:
    assert labels(pa.nulls(2), task) == [None, None]


def test_the_words_that_occur_are_labels() -> None:
    assert words(["food", "", None, "film", "food"]) == ["food", "film"]


def test_what_stands_for_nothing_is_no_label_and_an_alias_neither() -> None:
    assert words(["food", "?", "f"], aliases={"f": "food"}, missing=["?"]) == ["food"]


@pytest.mark.parametrize(
    ("cells", "settings"),
    [
        ([["loud"], None, ["long", "loud"]], {}),
        (["loud", None, "long;loud;"], {"separator": ";"}),
        ([["loud"], ["long", "?", None]], {"missing": ["?"]}),
        ([{"loud": 1, "long": 0}], {}),
    ],
    ids=["lists", "separator", "missing", "structs"],
)
def test_the_words_of_a_multi_label_column_are_those_inside_its_cells(
    cells: list[Any], settings: dict[str, Any]
) -> None:
    assert sorted(words(cells, "multi_label_classification", **settings)) == ["long", "loud"]


def test_the_words_of_several_columns_are_their_names_in_that_order() -> None:
    column = LabelColumn(["loud", "aloud", "long"])

    place = Place("t.csv", Findings())

    assert occurring_words(pa.table({}), column, "multi_label_classification", place) == ["loud", "aloud", "long"]
