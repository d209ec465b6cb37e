"""Cells of a task with one label for each row: lists of one, brackets, ids of labels, and Unicode forms."""

import unicodedata
from typing import Any

import pytest
from ruamel.yaml import YAML

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TOPIC = {"name": "topic", "problem_type": "single_label_classification"}
MOOD = {"name": "mood", "problem_type": "binary_classification", "labels": ["negative", "positive"]}
COMPOSED, SPLIT = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def build(task: dict[str, Any], *cells: Any, **settings: Any) -> MultiTaskBuilder:
    data = {"text": [f"t{i}" for i in range(len(cells))], task["name"]: list(cells)}
    labels = {task["name"]: LabelColumn(task["name"], **settings)}
    builder = MultiTaskBuilder(tasks=[task], train=[Source(data=data, labels=labels)])
    builder.download_and_prepare()
    return builder


def topics(*cells: Any, **settings: Any) -> list[str | None]:
    """The label of each cell by name."""
    builder = build(TOPIC, *cells, **settings)
    names = builder.tasks[0].labels or []
    return [None if place is None else names[place] for place in builder.as_dataset()["train"]["topic"]]


@pytest.mark.parametrize(
    "cells",
    [
        [["film"], ["food"], [], None, [None]],
        ["['film']", '["food"]', "[]", "", "[null]"],
        [["film"], ["food"], ["?"], ["?"], []],
    ],
    ids=["lists", "text", "missing"],
)
def test_a_list_of_one_is_its_element_and_an_empty_one_is_missing(cells: list[Any]) -> None:
    assert topics(*cells, missing=["?"]) == ["film", "food", None, None, None]


@pytest.mark.parametrize("cell", [["film", "food"], "['film', 'food']"])
def test_a_list_of_several_labels_is_an_error_with_its_row(cell: Any) -> None:
    other = ["film"] if isinstance(cell, list) else "film"

    with pytest.raises(
        DataError, match=r"row 2, column 'topic': .* is a list of several labels, but this task has one"
    ):
        topics(other, cell)


def test_a_list_that_cannot_be_read_is_an_error_with_its_row() -> None:
    # P137
    with pytest.raises(DataError, match=r"row 2, column 'topic': '\[film' is not a list \(it is neither a JSON list"):
        topics("film", "[film", "food")


@pytest.mark.parametrize("cell", ["film]", "'film'", '"film', "('film',)"])
def test_a_label_with_a_bracket_or_quote_at_an_end_is_an_error_unless_it_is_listed(cell: str) -> None:
    # P137
    with pytest.raises(DataError, match=r"row 1, column 'topic': .* is not a label: it begins or ends with a bracket"):
        topics(cell, "food")

    build({**TOPIC, "labels": [cell, "food"]}, cell, "food")


def test_ids_where_labels_have_names_suggest_aliases() -> None:
    with pytest.raises(DataError) as caught:
        build(MOOD, "1", "0", "1")

    assert str(caught.value).splitlines()[1:] == [
        "  row 1, column 'mood': '1' is not one of 'negative', 'positive' (and in 1 more rows)",
        "  row 2, column 'mood': '0' is not one of 'negative', 'positive'",
        "  if the numbers in column 'mood' are ids of the labels, add to the task: aliases: {0: negative, 1: positive}",
    ]


@pytest.mark.parametrize(
    ("cells", "aliases"),
    [
        ([True, False, None], "{false: negative, true: positive}"),
        (["True", "False"], '{"False": negative, "True": positive}'),
        (["TRUE"], '{"FALSE": negative, "TRUE": positive}'),
        ([1.0, None], "{0: negative, 1: positive}"),
    ],
)
def test_truth_values_and_floats_suggest_aliases_that_are_the_cells(cells: list[Any], aliases: str) -> None:
    with pytest.raises(DataError) as caught:
        build(MOOD, *cells)

    assert str(caught.value).endswith(f"are ids of the labels, add to the task: aliases: {aliases}")
    build({**MOOD, "aliases": YAML(typ="safe").load(aliases)}, *cells)


def test_truth_values_of_more_than_two_labels_suggest_no_aliases() -> None:
    with pytest.raises(DataError) as caught:
        build({**TOPIC, "labels": ["x", "y", "z"]}, "true", "false")

    assert "aliases" not in str(caught.value)


def test_separated_ids_suggest_aliases() -> None:
    task = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["x", "y", "z"]}

    with pytest.raises(DataError, match=r"numbers in column 'tags' are ids .*: aliases: \{0: x, 1: y, 2: z\}"):
        build(task, "0;2", "1", separator=";")


def test_a_suggested_alias_is_yaml() -> None:
    with pytest.raises(DataError, match=r'aliases: \{0: "no: never", 1: très bien\}'):
        build({**MOOD, "labels": ["no: never", "très bien"]}, "1")


def test_numbers_that_are_no_ids_suggest_no_aliases() -> None:
    with pytest.raises(DataError) as caught:
        build(MOOD, "1", "2")

    assert "aliases" not in str(caught.value)


def test_two_unicode_forms_of_a_label_are_named() -> None:
    with pytest.raises(DataError) as caught:
        topics(COMPOSED, SPLIT, "food")

    assert "(Unicode NFC, the given dict)" in str(caught.value)
    assert "(Unicode NFD, the given dict)" in str(caught.value)


def test_a_label_in_another_unicode_form_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match=r"\(it looks like a label, but has another Unicode form: NFD\)"):
        build({**TOPIC, "labels": [COMPOSED, "food"]}, SPLIT)


@pytest.mark.parametrize(("settings", "word"), [({"blank": "none"}, "blank"), ({"none": ["-"]}, "none")])
def test_words_for_the_empty_set_are_for_multi_label_tasks(settings: dict[str, Any], word: str) -> None:
    message = rf"task 'mood' is binary_classification; {word} is for the empty set of multi-label tasks; remove it"
    with pytest.raises(DataError, match=message):
        build(MOOD, "positive", "negative", **settings)


def test_the_words_of_a_task_and_of_a_source_hold_together() -> None:
    source = Source("a.csv", labels={"topic": LabelColumn("topic", missing=["?"], none=["-"])})

    settings = {**TOPIC, "missing": ["n/a"], "none": [0.0], "blank": "none"}
    column = source.with_labels_of([settings], ["topic"]).label_columns["topic"]

    assert (column.missing, column.none, column.blank) == (["n/a", "?"], ["0", "-"], "none")


def test_a_source_decides_for_itself_about_blank_cells() -> None:
    source = Source("a.csv", labels={"topic": LabelColumn("topic", blank="missing")})

    assert source.with_labels_of([{**TOPIC, "blank": "none"}], []).label_columns["topic"].blank == "missing"


@pytest.mark.parametrize("name", ["missing", "none"])
def test_words_of_a_column_that_are_no_list_are_an_error(name: str) -> None:
    with pytest.raises(DataError, match=rf"column 'topic': {name} is 'n/a'; it must be a list, such as \['n/a'\]"):
        LabelColumn("topic", **{name: "n/a"})


@pytest.mark.parametrize("blank", ["empty", True])
def test_an_unknown_meaning_of_blank_cells_is_an_error(blank: Any) -> None:
    with pytest.raises(DataError, match=rf"column 'topic': blank is {blank!r}; it must be missing or none"):
        build({**TOPIC, "blank": blank}, "film", "food")


@pytest.mark.parametrize(
    "cells",
    [[[3.5], [2], [], None, [None]], ["[3.5]", "2", "[]", "", "[null]"], [["3.5"], ["2"], ["?"], [], None]],
    ids=["lists", "text", "lists of texts"],
)
@pytest.mark.parametrize("aliases", [{}, {"2": "2.0"}])
def test_a_list_of_one_number_is_the_number(cells: list[Any], aliases: dict[str, str]) -> None:
    task = {"name": "stars", "problem_type": "regression"}

    built = build(task, *cells, missing=["?"], aliases=aliases)

    assert built.as_dataset()["train"]["stars"][:] == [3.5, 2.0, None, None, None]


def test_a_cell_of_white_space_is_missing() -> None:
    assert topics(" ", "film", "\t", "\u00a0", "food") == [None, "film", None, None, "food"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"missing": ["n/a"]}, "the label 'N/A' .* looks like 'n/a' in `missing`; add this spelling"),
        ({"aliases": {"n/a": "none"}}, "the label 'N/A' .* looks like the alias 'n/a'"),
    ],
)
def test_a_label_that_looks_like_a_declared_word_is_an_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        topics("film", "N/A", "n/a", "food", **settings)


def test_a_label_that_looks_like_its_own_alias_or_is_listed_is_none() -> None:
    listed = {**TOPIC, "labels": ["film", "N/A"]}

    assert topics("film", "Film", "food", aliases={"film": "Film"}) == ["Film", "Film", "food"]
    assert build(listed, "film", "N/A", "n/a", missing=["n/a"]).as_dataset()["train"]["topic"][:] == [0, 1, None]
