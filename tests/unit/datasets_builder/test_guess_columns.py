"""The meaning of the columns of a table is found: texts, labels with their problem types, and splits."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from datasets_builder.guess_cells import Cells, are_few
from datasets_builder.guess_columns import ColumnsGuess, guess_columns
from datasets_builder.guess_labels import LabelGuess, guess_label, guess_numbered, guess_positions, labels_in_cells
from datasets_builder.guess_sample import Sample

TEXTS = [f"a text number {'x' * i} of some length" for i in range(12)]


def label(cells: list[Any], name: str = "team") -> tuple[str, Any, dict[str, Any]] | str:
    """The problem type of a column, how a source names it, and more words of the task; or why it holds no labels."""
    guess = guess_label(Cells(name, cells, decimal_commas=True))
    return guess if isinstance(guess, str) else (guess.problem_type, guess.given, guess.words)


def columns(**cells: list[Any]) -> ColumnsGuess:
    return guess_columns(Sample(dict(cells), [], len(next(iter(cells.values()))), is_whole=True))


@pytest.mark.parametrize(
    ("cells", "problem_type"),
    [
        (["a", "b"] * 6, "binary_classification"),
        (["a", "b", "c"] * 4, "single_label_classification"),
        (["a", "b", "", None, float("nan"), "a"] * 2, "binary_classification"),
        ([True, False] * 6, "binary_classification"),
        ([0, 1] * 6, "binary_classification"),
        (["1", "1.0", "0.00", "0"] * 3, "binary_classification"),
        ([1, 2, 3] * 4, "single_label_classification"),
        ([0.5, 1.25, 3] * 4, "regression"),
        ([Decimal("0.5"), Decimal("1.5"), Decimal(2)] * 4, "regression"),
        ([17 * i % 101 for i in range(60)], "regression"),
        (["4,5", "3", "-0,25"] * 4, "regression"),
        ([["a"], ["b"], []] * 4, "binary_classification"),
        (["['a']", '["b"]', "['c']"] * 4, "single_label_classification"),
        ([["a", "b"], ["b"], []] * 4, "multi_label_classification"),
        (["['a', 'b']", "[]", "['b']"] * 4, "multi_label_classification"),
        ([{"late": 1, "broken": 0}, {"late": 0, "broken": 1}] * 6, "multi_label_classification"),
    ],
)
def test_the_problem_type_is_that_of_the_cells(cells: list[Any], problem_type: str) -> None:
    found = label(cells)

    assert found[0] == problem_type
    assert found[1:] == ("team", {})


@pytest.mark.parametrize(("separator", "other"), [(";", "a,b"), ("|", "c"), (",", "c")])
def test_separated_labels_are_a_multi_label_task(separator: str, other: str) -> None:
    cells = [f"a{separator} b", "a", f"b{separator}{other}", ""] * 4

    assert label(cells) == ("multi_label_classification", {"column": "team", "separator": separator}, {})


@pytest.mark.parametrize("cells", [["Yes, sure", "No, never"] * 6, ["York, UK", "Bath, UK", "Nice, FR"] * 4])
def test_a_comma_within_labels_separates_none(cells: list[str]) -> None:
    kind = "binary_classification" if len(set(cells)) == 2 else "single_label_classification"

    assert label(cells) == (kind, "team", {})


def test_words_for_the_empty_set_are_no_labels() -> None:
    given = {"column": "team", "separator": ";"}

    assert label(["a;b", "none", "b", "n/a", "a"] * 3) == (
        "multi_label_classification", given, {"none": ["n/a", "none"]},
    )  # fmt: skip


def test_words_for_a_missing_label_are_no_labels() -> None:
    assert label(["a", "b", "N/A", "nan"] * 4) == ("binary_classification", "team", {"missing": ["N/A", "nan"]})


def test_minus_one_next_to_ids_is_a_missing_label() -> None:
    assert label([0, 1, 2, -1] * 4) == ("single_label_classification", "team", {"missing": ["-1"]})
    assert label([0, 1, -1] * 4) == ("single_label_classification", "team", {})


def test_spellings_of_one_label_are_aliases_of_the_most_frequent_one() -> None:
    assert label(["good", "Good", "good", "bad"] * 4) == (
        "binary_classification",
        "team",
        {"aliases": {"Good": "good"}},
    )
    assert label([["a", "B"], ["A"], ["B", "a"]] * 4)[2] == {"aliases": {"A": "a"}}


@pytest.mark.parametrize(
    ("name", "cells", "why"),
    [
        ("x", ["", None, float("nan")], "empty"),
        ("x", ["a"] * 12, "the same value in all rows"),
        ("x", [["a", "b", "c"]] * 12, "the same value in all rows"),
        ("x", ["a", "n/a"] * 6, "the same value in all rows"),
        ("id", list(range(3)) * 4, "ids, by its name"),
        ("user", ["u1", "u2", "u3"] * 4, "ids, by its name"),
        ("x", list(range(100, 112)), "ids"),
        ("x", [f"C-{i}" for i in range(12)], "a different value in each row"),
        ("x", TEXTS, "texts"),
        ("x", ["a " * 40, "b " * 40] * 6, "texts, some of which occur several times"),
        ("x", [f"2026-03-{i + 10}" for i in range(4)] * 3, "dates"),
        ("x", [datetime.date(2026, 3, 1), datetime.date(2026, 3, 2)] * 6, "dates"),
        ("x", ["https://a.b/c", "www.d.e", "f@g.com"] * 4, "links"),
        ("x", [{"a": "b"}, {"a": "c"}] * 6, "objects"),
        ("x", [[{"a": 1}], []] * 6, "objects"),
        ("x", ["a", 1] * 6, "several types"),
        ("x", [[0.25, 0.5], [0.5, 1.5]] * 6, "lists of numbers"),
        ("x", [[0, 1], [1, 1]] * 6, "lists of numbers"),
        ("x", [[], [None]] * 6, "empty lists"),
        ("x", [["a"], []] * 6, "the same value in all lists"),
        ("x", [[f"w{i}", f"v{i}"] for i in range(12)], "lists of 24 different words"),
        ("x", ['"a', "b"] * 6, "words that begin or end with a bracket or quote"),
        ("x", ["[a", "b"] * 6, "words that begin or end with a bracket or quote"),
    ],
)
def test_a_column_without_labels_is_left_out_with_the_reason(name: str, cells: list[Any], why: str) -> None:
    assert label(cells, name) == why


@pytest.mark.parametrize(
    ("distinct", "cells", "expected"),
    [(1, 10, False), (2, 2, False), (2, 3, True), (3, 4, True), (4, 5, False), (10, 20, True), (11, 50, False),
     (20, 100, True), (150, 1000, True), (201, 1000, False)],
)  # fmt: skip
def test_words_are_few_if_they_occur_several_times(distinct: int, cells: int, expected: bool) -> None:
    assert are_few(distinct, cells) is expected


def test_in_few_rows_the_name_of_a_column_makes_labels() -> None:
    assert label(["a", "b"], "topic") == ("binary_classification", "topic", {})
    assert label(["a", "b"], "thing") == "a different value in each row"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", "ids, by its name"),
        ("annotator_id", "ids, by its name"),
        ("topic_id", ("binary_classification", "topic_id", {})),
    ],
)
def test_few_ids_of_a_thing_are_labels(name: str, expected: Any) -> None:
    assert label([1, 2] * 6, name) == expected
    assert label(list(range(12)) * 2, name) == "ids, by its name"


def test_many_numbers_are_classes_only_by_name() -> None:
    cells = [7 * i % 40 for i in range(400)]

    assert label(cells, "label")[0] == "single_label_classification"
    assert label(cells, "price")[0] == "regression"


def test_columns_of_zeros_and_ones_are_one_task() -> None:
    (guess,) = guess_positions([Cells("late", [0, 1, None]), Cells("id", [0, 1, 0]), Cells("broken", ["1", "-1", "0"])])

    assert (guess.problem_type, guess.given) == ("multi_label_classification", ["late", "broken"])
    assert guess.words == {"missing": ["-1"]}


def test_the_common_beginning_of_such_columns_is_not_part_of_the_labels() -> None:
    (guess,) = guess_positions([Cells("label_late", [0, 1]), Cells("label_late_2", [1, 0])])

    assert guess.given == {"columns": {"late": "label_late", "late_2": "label_late_2"}}


def test_an_empty_cell_is_a_zero_if_no_cell_is() -> None:
    (guess,) = guess_positions([Cells("late", [1, None, 1]), Cells("broken", [None, 1, 1])])

    assert guess.words == {"blank": "none"}


def test_one_column_of_zeros_and_ones_is_a_binary_task() -> None:
    assert guess_positions([Cells("late", [0, 1]), Cells("x", ["a", "b"]), Cells("empty", [None, None])]) == []


def test_numbered_columns_are_labels_or_votes_by_name() -> None:
    words = {"1": ["a", "b", "a", "a"], "2": ["a", "b", None, "b"]}
    group = [Cells(f"{stem}_{i}", cells) for stem in ("tag", "rater", "note") for i, cells in words.items()]

    tags, votes = guess_numbered(group)

    assert (tags.problem_type, tags.given) == ("multi_label_classification", {"columns": ["tag_1", "tag_2"]})
    assert (votes.problem_type, votes.given) == ("binary_classification", {"votes": ["rater_1", "rater_2"]})


def test_spellings_in_numbered_columns_are_aliases() -> None:
    (guess,) = guess_numbered([Cells("tag_1", ["a", "b", "A"]), Cells("tag_2", ["b", "a", None])])

    assert guess.words == {"aliases": {"A": "a"}}


def test_votes_that_agree_on_one_label_are_no_task() -> None:
    assert guess_numbered([Cells("rater_1", ["a", "a", "b"]), Cells("rater_2", ["a", "b", "a"])]) == []


def test_the_labels_of_cells_are_those_of_the_recipe() -> None:
    cells = Cells("tags", ["a; B", "none", "b"])
    guess = LabelGuess(
        ["tags"], "multi_label_classification", "", {"column": "tags", "separator": ";"},
        {"none": ["none"], "aliases": {"B": "b"}},
    )  # fmt: skip

    assert labels_in_cells(guess, cells) == {"a", "b"}


def test_the_text_is_the_column_of_that_name_or_the_longest_one() -> None:
    short = ["well", "bad", "so so", "fine"] * 3

    assert columns(title=TEXTS, text=short).texts == ["text"]
    assert columns(short=short, other=TEXTS).texts == ["other"]
    assert columns(text=[None] * 11 + ["a"], other=TEXTS).texts == ["other"]  # hardly ever filled
    assert columns(n=list(range(12))).texts == []


def test_a_text_may_be_at_a_path_or_a_list_of_tokens() -> None:
    cells: dict[str, list[Any]] = {"data.text": TEXTS, "data.kind": ["post", "note"] * 6}
    tokens = [text.split() for text in TEXTS]

    assert columns(**cells).texts == ["data.text"]
    guess = columns(tokens=tokens, tags=[["a", "b"] * 3 for _ in tokens], topic=["x", "y"] * 6)
    assert (guess.texts, guess.left_out) == (["tokens"], {"tags": "the same value in all rows"})
    tags = [["O"] * (len(each) - 1) + ["B"] for each in tokens]
    tags[0], tokens[0] = tags[0][:-1], tokens[0][:-1]
    assert columns(tokens=tokens, tags=tags).left_out == {"tags": "a label for each token"}


@pytest.mark.parametrize(
    ("first", "second", "pair"),
    [
        ("sentence1", "sentence2", True),
        ("text_a", "text_b", True),
        ("questionA", "questionB", True),
        ("premise", "hypothesis", True),
        ("text", "text_pair", True),
        ("note_1", "note_2", False),
        ("title", "body", False),
        ("column_1", "column_2", False),
    ],
)
def test_two_columns_are_a_pair_only_by_their_names(first: str, second: str, pair: bool) -> None:
    texts = columns(**{first: TEXTS, second: TEXTS[::-1], "label": ["a", "b"] * 6}).texts

    assert (texts == [first, second]) is pair
    assert len(texts) == 1 + pair


def test_a_column_of_names_of_splits_is_the_split() -> None:
    guess = columns(text=TEXTS, part=["train", "Train", "dev", "test"] * 3, label=["a", "b"] * 6)

    assert (guess.split, guess.splits) == (
        "part", {"train": ["train", "Train"], "validation": ["dev"], "test": ["test"]},
    )  # fmt: skip
    assert [each.columns for each in guess.labels] == [["label"]]


@pytest.mark.parametrize("words", [["dev", "test"], ["train", "other"], ["train", "training"]])
def test_a_column_of_other_words_is_no_split(words: list[str]) -> None:
    guess = columns(text=TEXTS, part=words * 6)

    assert guess.split is None
    assert [each.columns for each in guess.labels] == [["part"]]
