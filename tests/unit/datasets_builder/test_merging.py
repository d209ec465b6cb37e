"""Rows of the same text in several sources are merged, and rows repeated within one source are kept."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

from datasets_builder import DataError, MultiTaskBuilder, Source
from datasets_builder.merging import text_digests, text_keys

TOPIC = {"name": "topic", "problem_type": "single_label_classification", "labels": ["film", "food"]}
TAGS = {"name": "tags", "problem_type": "multi_label_classification", "labels": ["long", "loud"]}
RATING = {"name": "rating", "problem_type": "regression"}


def merged(*tables: dict[str, list[Any]], tasks: list[dict[str, Any]], **settings: Any) -> tuple[Dataset, list[str]]:
    builder = MultiTaskBuilder(tasks=tasks, train=list(tables), **settings)
    builder.download_and_prepare()
    return builder.as_dataset()["train"], builder.notes


def topics(*labels: str | None, text: str = "a", **settings: Any) -> list[int | None]:
    """Return the merged topics of a text with these labels, one in each source."""
    tables = [{"text": [text], "topic": [label]} for label in labels]
    return merged(*tables, tasks=[TOPIC], **settings)[0]["topic"][:]


def test_a_text_of_two_sources_has_the_labels_of_both() -> None:
    rows, notes = merged({"text": ["a"], "topic": ["food"]}, {"text": ["a"], "rating": [2]}, tasks=[TOPIC, RATING])

    assert rows.to_list() == [{"text": "a", "topic": 1, "rating": 2.0}]
    assert notes == ["train: 1 rows are merged with other rows of the same text"]


def test_rows_stay_where_their_first_source_has_them() -> None:
    rows, _ = merged(
        {"text": ["b", "a"], "topic": ["film", "food"]},
        {"text": ["a", "c", "b"], "rating": [1, 2, 3]},
        tasks=[TOPIC, RATING],
    )

    assert rows.to_dict() == {"text": ["b", "a", "c"], "topic": [0, 1, None], "rating": [3.0, 1.0, 2.0]}


def test_a_row_lacks_nothing_that_one_of_three_sources_has() -> None:
    rows, notes = merged(
        {"text": ["a"], "topic": [None]},
        {"text": ["a"], "rating": [1]},
        {"text": ["a"], "topic": ["food"], "rating": [1]},
        tasks=[TOPIC, RATING],
    )

    assert (rows.to_list(), notes[0].split()[1]) == ([{"text": "a", "topic": 1, "rating": 1.0}], "2")


def test_each_of_the_repeated_rows_of_the_first_source_is_completed() -> None:
    rows, notes = merged(
        {"text": ["a", "b", "a"], "topic": ["film", "food", "film"]},
        {"text": ["a"], "rating": [1]},
        tasks=[TOPIC, RATING],
    )

    assert rows.to_dict() == {"text": ["a", "b", "a"], "topic": [0, 1, 0], "rating": [1.0, None, 1.0]}
    assert notes[1] == "train: 1 rows repeat a text of their own source and are kept"


def test_repeated_rows_of_a_later_source_become_one() -> None:
    rows, notes = merged(
        {"text": ["a"], "topic": ["film"]}, {"text": ["a", "a"], "rating": [1, 1]}, tasks=[TOPIC, RATING]
    )

    assert (len(rows), notes) == (1, ["train: 2 rows are merged with other rows of the same text"])


def test_a_text_is_the_same_in_every_letter_only() -> None:
    rows, notes = merged(
        {"text": ["a", "A", "a "], "topic": ["film"] * 3}, {"text": ["b"], "topic": ["film"]}, tasks=[TOPIC]
    )

    assert (len(rows), notes) == (4, [])


def test_tables_of_one_folder_are_one_source(tmp_path: Any) -> None:
    for name in "xy":
        (tmp_path / f"{name}.csv").write_text("text,topic\na,film\n")

    assert merged(str(tmp_path), tasks=[TOPIC])[0].to_dict() == {"text": ["a", "a"], "topic": [0, 0]}


def test_pairs_are_the_same_if_both_texts_are() -> None:
    def pairs(one: list[str], other: list[str], **labels: list[Any]) -> Source:
        return Source(data={"one": one, "other": other, **labels}, text=["one", "other"])

    rows, _ = merged(
        pairs(["a", "ab"], ["bc", "c"], topic=["film", "food"]), pairs(["ab"], ["c"], rating=[1]), tasks=[TOPIC, RATING]
    )

    assert rows.to_dict() == {"text": ["a", "ab"], "text_pair": ["bc", "c"], "topic": [0, 1], "rating": [None, 1.0]}


def test_positions_of_a_multi_label_task_are_merged_one_by_one() -> None:
    one = Source(data={"text": ["a"], "long": [1]}, labels={"tags": ["long"]})
    two = Source(data={"text": ["a"], "loud": [0]}, labels={"tags": ["loud"]})

    assert merged(one, two, tasks=[TAGS])[0]["tags"][:] == [{"long": 1, "loud": 0}]


def test_a_position_that_no_source_has_stays_missing() -> None:
    one = Source(data={"text": ["a"], "long": [1]}, labels={"tags": ["long"]})

    assert merged(one, one, tasks=[TAGS])[0]["tags"][:] == [{"long": 1, "loud": None}]


def test_labels_that_contradict_each_other_are_an_error_with_text_tables_rows_and_labels() -> None:
    with pytest.raises(DataError) as caught:
        topics("film", "food", None, "film", text="a b")

    assert str(caught.value).endswith(
        "(first, majority, drop):\n  topic: 'film' (the given dict (train[0]), row 1: 'a b'), "
        "'food' (the given dict (train[1]), row 1: 'a b'), 'film' (the given dict (train[3]), row 1: 'a b')"
    )


def test_a_position_that_contradicts_is_named() -> None:
    with pytest.raises(DataError, match=r"\n  tags \(loud\): '0' \(.*\), '1' \("):
        merged({"text": ["a"], "tags": [["long"]]}, {"text": ["a"], "tags": [["long", "loud"]]}, tasks=[TAGS])


def test_different_numbers_are_no_contradiction() -> None:
    one, two = {"text": ["a", "a"], "rating": [1, 4]}, {"text": ["a", "b"], "rating": [2.5, None]}

    rows, notes = merged(one, two, tasks=[RATING])

    assert (rows["rating"][:], [note for note in notes if "different" in note]) == ([1.0, 4.0, None], [])


def test_ten_contradictions_are_listed_and_the_others_counted() -> None:
    texts = [f"t{i}" for i in range(13)]

    with pytest.raises(DataError, match=r"'t9'\)\n  and 3 more$"):
        merged({"text": texts, "topic": ["film"] * 13}, {"text": texts, "topic": ["food"] * 13}, tasks=[TOPIC])


@pytest.mark.parametrize(
    ("rule", "labels", "expected"),
    [
        ("first", ["food", "film", "film"], [1]),
        ("first", [None, "film", "food"], [0]),
        ("majority", ["food", "film", "film"], [0]),
        ("majority", ["food", "film", None], [1]),
        ("majority", ["film", "food", "food", "film"], [0]),
        ("drop", ["food", "film", "film"], []),
        ("drop", ["food", None, "food"], [1]),
    ],
)
def test_contradictions_are_resolved_as_the_user_says(rule: str, labels: list[str | None], expected: list[int]) -> None:
    # The other text is there so that something is left to train on.
    settings = {"tasks": [TOPIC], "contradictions": rule}
    tables = [{"text": ["a", f"other {i}"], "topic": [label, "film"]} for i, label in enumerate(labels)]

    rows, _ = merged(*tables, **settings)

    assert [row["topic"] for row in rows if row["text"] == "a"] == expected


def test_a_label_that_is_dropped_takes_no_other_label_with_it() -> None:
    rows, notes = merged(
        {"text": ["a", "b"], "topic": ["film", "film"], "rating": [3, 4]},
        {"text": ["a"], "topic": ["food"]},
        tasks=[TOPIC, RATING],
        contradictions="drop",
    )

    assert rows.to_dict() == {"text": ["a", "b"], "topic": [None, 0], "rating": [3.0, 4.0]}
    assert notes[1] == "train: 1 contradictions are resolved"


def test_a_position_is_resolved_by_itself() -> None:
    tables = [{"text": ["a"], "tags": [tags]} for tags in (["long"], ["long", "loud"], ["loud"])]

    rows, _ = merged(*tables, tasks=[TAGS], contradictions="majority")

    assert rows["tags"][:] == [{"long": 1, "loud": 1}]


@pytest.mark.parametrize(("rule", "number"), [("majority", 2.0), ("first", 1.0), ("drop", 1.0)])
def test_the_majority_of_numbers_is_their_mean(rule: str, number: float) -> None:
    tables = [{"text": ["a"], "rating": [number]} for number in (1, 2, 3)]

    assert merged(*tables, tasks=[RATING], contradictions=rule)[0]["rating"][:] == [number]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("first", [("a", 0), ("b", 1)]), ("majority", [("a", 1), ("b", 1)]), ("drop", [("b", 1)])],
)
def test_a_rule_makes_one_row_of_the_rows_of_a_text_in_one_source(rule: str, expected: list[Any]) -> None:
    table = {"text": ["a", "b", "a", "a", "b"], "topic": ["film", "food", "food", "food", None]}

    rows, _ = merged(table, tasks=[TOPIC], contradictions=rule)

    assert list(zip(rows["text"], rows["topic"], strict=True)) == expected


def test_a_row_that_never_had_a_label_is_not_dropped_with_contradictions() -> None:
    rows, notes = merged(
        {"text": ["a", "a", "b", "b", "c"], "topic": ["film", "food", None, None, "film"]},
        tasks=[TOPIC],
        contradictions="drop",
    )

    assert rows["text"][:] == ["b", "c"]
    assert "train: 1 rows are left out, because contradictions are dropped and they have no other label" in notes


def test_nothing_that_is_left_is_an_error() -> None:
    with pytest.raises(DataError, match="task 'topic': no training row has a label"):
        topics("film", "food", contradictions="drop")


def test_the_source_of_a_merged_row_is_its_first() -> None:
    rows, _ = merged(
        {"text": ["a"], "topic": ["film"]},
        {"text": ["b", "a"], "rating": [1, 2]},
        tasks=[TOPIC, RATING],
        with_source=True,
    )

    assert rows["source"][:] == [0, 1]


def test_rows_of_different_splits_are_not_merged() -> None:
    rows, _ = merged({"text": ["a"], "topic": ["film"]}, tasks=[TOPIC], test={"text": ["a"], "topic": ["food"]})

    assert rows["topic"][:] == [0]


def test_contradictions_beyond_the_first_10000_rows_are_found() -> None:
    texts = [f"t{i}" for i in range(10_010)]
    one = {"text": texts, "topic": ["film"] * 10_010}
    two = {"text": texts[::-1], "topic": ["film"] * 9 + ["food"] + ["film"] * 10_000}

    with pytest.raises(
        DataError, match=r"train\[0\]\), row 10001: 't10000'\), 'food' \(.*train\[1\]\), row 10: 't10000'"
    ):
        merged(one, two, tasks=[TOPIC])


def test_texts_that_share_one_of_two_hashes_have_different_numbers() -> None:
    train, test = np.array([[1, 2], [1, 3], [1, 2]], np.uint64), np.array([[4, 2], [1, 3]], np.uint64)

    keys = text_keys([train, test])

    assert [each.tolist() for each in keys] == [[0, 1, 0], [2, 1]]


def test_pairs_are_equal_only_if_both_texts_are() -> None:
    pairs = pa.table({"text": ["ab", "a", "ab", "2 a"], "text_pair": ["c", "bc", "c", "bc"]})

    (keys,) = text_keys([text_digests(pairs)])

    assert keys.tolist() == [0, 1, 0, 2]
