"""Aliases of which none occurs are an error, which shows the words of the column."""

from typing import Any

import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
RATING = {"name": "rating", "problem_type": "regression"}
ALIASES = {"f": "film", "g": "food"}


def build(task: dict[str, Any], *cells: list[Any], **settings: Any) -> None:
    tables = [{"text": [f"t{i}" for i in range(len(each))], task["name"]: each} for each in cells]
    MultiTaskBuilder(tasks=[task], train=[Source(data=table, **settings) for table in tables])


def test_aliases_that_never_occur_are_an_error_with_the_words_of_each_column() -> None:
    with pytest.raises(DataError) as caught:
        build({**TOPIC, "aliases": ALIASES}, ["film", "food", "film"], ["food", None])

    assert str(caught.value) == (
        "task 'topic': none of its aliases ('f', 'g') is a cell of any table: "
        "the given dict (train[0]), column 'topic' holds 'film', 'food'; the given dict (train[1]), column 'topic' "
        "holds 'food'; write aliases as {spelling in the table: label}, or remove them"
    )


def test_at_most_ten_words_of_a_column_are_shown() -> None:
    with pytest.raises(DataError, match=r"'w9', \.\.\.; write aliases"):
        build({**TOPIC, "aliases": ALIASES}, [f"w{i}" for i in range(12)])


def test_a_single_alias_that_occurs_in_one_table_is_enough() -> None:
    build({**TOPIC, "aliases": ALIASES}, ["film", "food"], ["g", "film"])


@pytest.mark.parametrize(
    ("task", "cells"),
    [
        ({**TAGS, "aliases": {"lg": "long"}}, [["lg", "loud"]]),
        ({**TAGS, "aliases": {"lg": "long"}}, ["['lg']"]),
        ({**TAGS, "aliases": {"yes": "1"}}, [{"long": "yes", "loud": "0"}]),
        ({**RATING, "aliases": {5: "1"}}, [5.0, 2.0]),
        ({**TOPIC, "aliases": {1: "film"}}, ["['1.0']", "food"]),
    ],
    ids=["lists", "lists in text", "structs", "numbers", "list of one"],
)
def test_aliases_are_found_in_cells_of_every_form(task: dict[str, Any], cells: list[Any]) -> None:
    build(task, cells)


def test_aliases_are_found_in_columns_for_labels() -> None:
    column = LabelColumn(["long", "loud"], aliases={"yes": "1"})
    table = {"text": ["a"], "long": ["yes"], "loud": ["0"]}

    MultiTaskBuilder(tasks=[TAGS], train=[Source(data=table, labels={"tags": column})])


def test_two_labels_of_one_alias_are_an_error() -> None:
    with pytest.raises(DataError, match="column 'topic': '1' is an alias of both 'film' and 'food'"):
        LabelColumn("topic", aliases={"1": "film", "1.0": "food"})


def test_an_alias_of_no_label_is_reported_before_one_that_does_not_occur() -> None:
    with pytest.raises(DataError, match="'f' is an alias of 'movie', not of a label"):
        build({**TOPIC, "aliases": {"f": "movie"}}, ["film", "food"])


def test_aliases_of_a_task_with_an_unknown_problem_type_are_not_looked_for() -> None:
    with pytest.raises(ValueError, match="problem_type is 'sorting'"):
        build({"name": "topic", "problem_type": "sorting", "aliases": ALIASES}, ["film", "food"])


def test_a_truth_value_of_yaml_for_a_word_of_the_table_is_told_to_be_quoted() -> None:
    task = {"name": "team", "problem_type": "binary_classification", "aliases": {True: "here", False: "away"}}
    source = Source(data={"text": ["a", "b"], "team": ["True", "False"]})

    with pytest.raises(
        DataError, match=r"holds 'True', 'False'; .* or remove them; write 'True' in quotes, because YAML"
    ):
        MultiTaskBuilder(tasks=[task], train=[source])
