"""Soft labels: their cells, their column next to the most probable label, and what merging and hiding do to them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datasets_builder import DataError, LabelColumn, MultiTaskBuilder, Source

TONE = {"name": "tone", "problem_type": "single_label_classification"}
TAGS = {"name": "tags", "problem_type": "multi_label_classification"}
SOFT = {"low": "a", "high": "b"}


def source(a: list[Any], b: list[Any], **words: Any) -> Source:
    texts = words.pop("text", [f"text {i}" for i in range(len(a))])
    labels = {words.pop("task", "tone"): LabelColumn(soft=SOFT, **words)}
    return Source(data={"text": texts, "a": a, "b": b}, labels=labels)


def build(*sources: Source, task: dict[str, Any] = TONE, **words: Any) -> MultiTaskBuilder:
    builder = MultiTaskBuilder(tasks=[task], train=list(sources), **words)
    builder.download_and_prepare()
    return builder


def rows(*sources: Source, **words: Any) -> list[tuple[int | None, list[float] | None]]:
    """The most probable label and the numbers of each row."""
    name = words.get("task", TONE)["name"]
    built = build(*sources, **words).as_dataset()["train"]
    numbers = [list((row[f"{name}_distribution"] or {None: None}).values()) for row in built]
    known = [None if set(each) == {None} else each for each in numbers]  # `datasets` may give a struct of nulls
    return [(row[name], each) for row, each in zip(built, known, strict=True)]


def test_counts_are_divided_by_their_sum_and_a_tie_has_no_most_probable_label() -> None:
    assert rows(source(["1", "2", "", "0"], ["3", "2.0", "", "5"])) == [
        (1, [0.25, 0.75]),
        (None, [0.5, 0.5]),
        (None, None),
        (1, [0, 1]),
    ]


def test_the_labels_are_those_of_soft_in_their_order() -> None:
    builder = build(source([1], [0]))

    assert builder.tasks[0].labels == ["low", "high"]
    assert builder.as_dataset()["train"].column_names == ["text", "tone", "tone_distribution"]


def test_the_probabilities_of_several_labels_are_not_divided() -> None:
    given = source([0.9, 0.5, 0, None], [0.8, 0.5, 0, None], task="tags")

    assert rows(given, task=TAGS) == [
        ({"low": 1, "high": 1}, [0.9, 0.8]),
        (None, [0.5, 0.5]),
        ({"low": 0, "high": 0}, [0, 0]),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("a", "b", "problem"),
    [
        (1, "", r"row 2, column 'b': '' is no number, but the row has others of this task"),
        (0, 0, r"row 2, column 'a': 0 is 0, as all numbers of the row; if its label is missing, leave all cells empty"),
        (-1, 2, r"row 2, column 'a': '-1' is not a number from 0"),
        ("many", 2, r"row 2, column 'a': 'many' is not a number from 0"),
        ("1e300", 2, r"row 2, column 'a': '1e300' is not a number from 0 to 1e\+15"),
    ],
)
def test_wrong_numbers_are_errors_with_their_row(a: Any, b: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        build(source(["1", str(a)], ["1", str(b)]))


def test_a_probability_of_several_labels_is_at_most_1() -> None:
    with pytest.raises(DataError, match=r"column 'a': '1.5' is not a number from 0 to 1"):
        build(source(["1.5"], ["0"], task="tags"), task=TAGS)


def test_words_of_a_missing_label_are_empty_cells() -> None:
    assert rows(source([-1, 1], [-1, 0], missing=[-1])) == [(None, None), (0, [1, 0])]


def test_a_decimal_comma_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text;a;b\none;0,25;0,75\n", encoding="utf-8")
    labels = {"tone": LabelColumn(soft=SOFT)}

    assert rows(Source(tmp_path / "a.csv", labels=labels, delimiter=";", decimal=",")) == [(1, [0.25, 0.75])]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["low", "high", "none"], "soft lacks the label 'none' of 'tone'; it must name the column of every label"),
        (["low", "hihg"], "soft names 'high', which is not a label of 'tone'; did you mean 'hihg'?"),
    ],
)
def test_soft_names_exactly_the_labels_of_the_task(labels: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        build(source([1], [0]), task={**TONE, "labels": labels})


def test_soft_labels_of_a_regression_are_refused() -> None:
    with pytest.raises(DataError, match="soft labels are for tasks with labels"):
        build(source([1], [0]), task={"name": "tone", "problem_type": "regression"})


def test_no_task_may_have_the_name_of_the_distributions() -> None:
    other = {**TONE, "name": "tone_distribution", "labels": ["x", "y"]}
    with pytest.raises(
        DataError, match="a task is called 'tone_distribution', the column of the soft labels of 'tone'"
    ):
        MultiTaskBuilder(tasks=[TONE, other], train=[source([1], [0])])


def test_another_source_with_one_label_for_each_row_has_distributions_of_1_and_0() -> None:
    hard = Source(data={"text": ["x", "y"], "tone": ["high", None]})

    assert rows(source([1], [1]), hard) == [(None, [0.5, 0.5]), (1, [0, 1]), (None, None)]


def test_a_text_with_another_most_probable_label_in_another_source_is_an_error() -> None:
    with pytest.raises(DataError, match=r"tone: 'low' .*, 'high' "):
        build(source([2], [1], text=["t"]), source([1], [2], text=["t"]))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("first", [(0, [0.75, 0.25])]), ("majority", [(1, [0.375, 0.625])]), ("drop", [])],
)
def test_the_rules_for_contradictions_hold_for_distributions(rule: str, expected: list[Any]) -> None:
    both = source([3, 0], [1, 1], text=["t", "t"])

    assert rows(both, source([1], [0], text=["u"]), contradictions=rule) == [*expected, (0, [1, 0])]


def test_different_distributions_with_one_most_probable_label_are_no_contradiction() -> None:
    assert rows(source([3], [1], text=["t"]), source([1], [0], text=["t"])) == [(0, [0.75, 0.25])]


def test_hidden_labels_are_hidden_in_both_columns() -> None:
    built = build(source([1, 1, 1, 0], [1, 0, 0, 1]), hide_labels={"fraction": 0.5, "seed": 0}).as_dataset()["train"]

    assert sum(each is None for each in built["tone_distribution"]) == 2
    assert all(row["tone"] is None for row in built if row["tone_distribution"] is None)


SHARES = [(0.9, 0.1), (0.2, 0.8), (0.6, 0.4), (0.5, 0.5)]  # low, high, low, a tie
SPLIT = {"test": 0.25, "seed": 0}


def test_a_split_is_stratified_by_the_most_probable_label_and_ties_are_missing_labels() -> None:
    a, b = zip(*SHARES * 20, strict=True)

    test = build(source(list(a), list(b)), split=SPLIT).as_dataset()["test"]

    assert Counter(test["tone"][:]) == {0: 10, 1: 5, None: 5}
    assert set(map(tuple, ((row["low"], row["high"]) for row in test["tone_distribution"]))) == set(SHARES)


def test_soft_labels_are_split_as_their_most_probable_labels_are() -> None:
    a, b = zip(*SHARES * 20, strict=True)
    texts, words = [f"text {i}" for i in range(80)], ["low", "high", "low", ""] * 20
    plain = MultiTaskBuilder(
        tasks=[{**TONE, "labels": ["low", "high"]}], train=[{"text": texts, "tone": words}], split=SPLIT
    )
    plain.download_and_prepare()

    soft = build(source(list(a), list(b)), split=SPLIT).as_dataset()

    assert soft["test"]["text"][:] == plain.as_dataset()["test"]["text"][:]


def test_a_tie_is_not_a_row_without_a_label() -> None:
    assert build(source([1, None], [1, None])).notes == ["train: 1 rows without any label are skipped in training"]


def test_streamed_rows_have_both_columns() -> None:
    stream = MultiTaskBuilder(tasks=[TONE], train=[source([1], [3])], streaming=True).as_streaming_dataset()

    assert list(stream) == [{"text": "text 0", "tone": 1, "tone_distribution": {"low": 0.25, "high": 0.75}}]


def test_votes_are_counted_as_words_and_aliases_before_their_shares() -> None:
    votes = LabelColumn(votes=["r1", "r2", "r3"], as_="distribution", aliases={"y": "1"}, missing=["?"])
    data = {"text": ["a", "b"], "r1": ["1.0", "?"], "r2": ["y", ""], "r3": ["0", ""]}

    assert rows(Source(data=data, labels={"tone": votes})) == [(1, [1 / 3, 2 / 3]), (None, None)]


def test_a_vote_that_is_no_label_is_an_error_with_its_row() -> None:
    votes = LabelColumn(votes=["r1", "r2"], as_="distribution")
    given = Source(data={"text": ["a", "b"], "r1": ["x", "x"], "r2": ["y", "z"]}, labels={"tone": votes})
    with pytest.raises(DataError, match="row 2, column 'r1, r2': 'z' is not one of 'x', 'y'"):
        build(given, task={**TONE, "labels": ["x", "y"]})
