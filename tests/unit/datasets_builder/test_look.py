"""The overview of a data set: its counts and its text."""

import json
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from datasets_builder.features import table_features
from datasets_builder.look import Look, describe, in_percent, look_as_json, look_at
from modeling_multitask import TaskConfig
from modeling_multitask.wording import on_one_line

TOPIC = TaskConfig("topic", "single_label_classification", labels=["film", "food"])
TAGS = TaskConfig("tags", "multi_label_classification", labels=["long", "loud"])
RATING = TaskConfig("rating", "regression")
ROWS = [
    {"topic": "film", "tags": {"long": 1, "loud": 0}, "rating": 4.0},
    {"topic": "film", "tags": {"long": 1, "loud": None}, "rating": None},
    {"topic": "food", "tags": None, "rating": 1.5},
    {"topic": None, "tags": None, "rating": None},
]


def table(rows: list[dict[str, Any]], tasks: list[TaskConfig]) -> Dataset:
    texts = [{"text": f"t{i}", **row} for i, row in enumerate(rows)]
    return Dataset.from_list(texts, features=table_features(tasks))


@pytest.fixture
def look() -> Look:
    """Three tasks in two splits; the test rows are the first of train."""
    tasks = [TOPIC, TAGS, RATING]
    dataset = {"train": table(ROWS, tasks), "test": table(ROWS[:1], tasks)}
    return look_at(dataset, tasks, notes=["train: 1 rows are merged"])


def measured(*lengths: int, max_length: int | None = None) -> Look:
    dataset = {"train": table([{"topic": "film"}] * len(lengths), [TOPIC])}
    return look_at(dataset, [TOPIC], lengths={"train": np.array(lengths)}, max_length=max_length)


def test_rows_are_counted_by_split(look: Look) -> None:
    assert look.rows == {"train": 4, "test": 1}


def test_labelled_rows_are_counted_by_task_and_split(look: Look) -> None:
    assert [each.labelled for each in look.tasks] == [
        {"train": 3, "test": 1},
        {"train": 2, "test": 1},
        {"train": 2, "test": 1},
    ]


def test_soft_labels_without_a_most_probable_one_count_as_labelled_and_are_named() -> None:
    soft = [{"film": 0.5, "food": 0.5}, {"film": 0.75, "food": 0.25}, None]
    rows = Dataset.from_dict({"text": ["a", "b", "c"], "topic": [None, 0, None], "topic_distribution": soft})

    look = look_at({"train": rows}, [TOPIC])

    assert look.tasks[0].labelled == {"train": 2}
    assert look.tasks[0].ties == {"train": 1}
    assert look.patterns == {("topic",): 2, (): 1}
    assert look.together.tolist() == [[2]]
    assert look.tasks[0].counts == {"train": {"film": 1, "food": 0}}
    assert look_as_json(look)["tasks"]["topic"]["ties"] == {"train": 1}
    assert "labelled in train 2 (67%)" in describe(look)
    assert "soft labels without a most probable one (trained, but not evaluated): train 1" in describe(look)


def test_without_soft_labels_nothing_is_said_of_them(look: Look) -> None:
    assert "soft labels" not in describe(look)


def test_rows_are_counted_by_label(look: Look) -> None:
    assert look.tasks[0].counts == {"train": {"film": 2, "food": 1}, "test": {"film": 1, "food": 0}}


def test_labels_of_a_multi_label_task_are_counted_where_they_are_set(look: Look) -> None:
    assert look.tasks[1].counts == {"train": {"long": 2, "loud": 0}, "test": {"long": 1, "loud": 0}}


def test_numbers_are_described_by_their_range_and_median(look: Look) -> None:
    assert look.tasks[2].numbers == {"train": (1.5, 2.75, 4.0), "test": (4.0, 4.0, 4.0)}


def test_a_split_without_a_number_has_no_range() -> None:
    assert look_at({"train": table([{"rating": None}], [RATING])}, [RATING]).tasks[0].numbers == {}


def test_combinations_of_labelled_tasks_are_counted_the_most_frequent_first(look: Look) -> None:
    assert list(look.patterns.items()) == [
        (("topic", "tags", "rating"), 2),
        (("topic", "tags"), 1),
        (("topic", "rating"), 1),
        ((), 1),
    ]


def test_pairs_of_tasks_are_counted_over_all_splits(look: Look) -> None:
    assert look.together.tolist() == [[4, 3, 3], [3, 3, 2], [3, 2, 3]]


def test_texts_longer_than_the_model_reads_are_counted() -> None:
    look = measured(4, 10, 16, max_length=10)

    assert (look.cut_rows, look.cut_tokens) == (1, 6 / 30)


def test_nothing_is_cut_where_no_length_is_known() -> None:
    look = measured(4, 10_000)

    assert (look.cut_rows, look.cut_tokens) == (0, 0.0)


def test_the_text_says_coverage_balance_and_what_was_found(look: Look) -> None:
    assert (
        describe(look)
        == """\
rows: train 4, test 1
note: train: 1 rows are merged

which labels occur together (rows in all splits)
          2   40.0%  topic, tags, rating
          1   20.0%  topic, tags
          1   20.0%  topic, rating
          1   20.0%  no label at all

topic, single_label_classification: labelled in train 3 (75%), test 1 (100%)
             train        test
  film           2           1
  food           1           0

tags, multi_label_classification: labelled in train 2 (50%), test 1 (100%)
                                     train                                test
               yes          no     nothing         yes          no     nothing
  long           2           0           2           1           0           0
  loud           0           1           3           0           1           0

rating, regression: labelled in train 2 (50%), test 1 (100%)
  train: from 1.5 to 4, median 2.75
  test: from 4 to 4, median 4"""
    )


def test_the_text_says_how_much_is_cut() -> None:
    assert describe(measured(4, 10, 16, max_length=10)).splitlines()[-2:] == [
        "tokens of a text: median 10, 95 % have at most 15, longest 16",
        "max_length is 10: 1 texts (33.3%) lose 20.0% of all tokens",
    ]


def test_the_text_says_that_nothing_is_cut() -> None:
    assert describe(measured(4, 10, max_length=10)).endswith("\nmax_length is 10: nothing is cut")


def test_of_many_labels_the_most_and_the_least_frequent_are_said() -> None:
    task = TaskConfig("intent", "single_label_classification", labels=[f"i{i}" for i in range(20)])
    rows = [{"intent": i} for i in range(20) for _ in range(i + 1)]

    lines = describe(look_at({"train": table(rows, [task])}, [task])).splitlines()[-13:]

    assert [line.split()[0] for line in lines] == [f"i{i}" for i in range(19, 13, -1)] + ["..."] + [
        f"i{i}" for i in range(5, -1, -1)
    ]
    assert lines[6] == "  ... 8 labels in between ..."


def test_rare_combinations_are_counted_and_not_listed() -> None:
    tasks = [TaskConfig(f"task{i}", "regression") for i in range(4)]
    rows = [{task.name: 1.0 if number >> i & 1 else None for i, task in enumerate(tasks)} for number in range(16)]

    assert "  and 4 rarer combinations" in describe(look_at({"train": table(rows, tasks)}, tasks))


def test_a_label_of_several_lines_stands_on_one() -> None:
    task = TaskConfig("topic", "single_label_classification", labels=["two\nlines", "x" * 100])

    lines = describe(look_at({"train": table([{"topic": 0}], [task])}, [task])).splitlines()

    assert [line.split("  ")[1] for line in lines[-2:]] == ["two lines", "x" * 59 + "…"]


@pytest.mark.parametrize(("share", "words"), [(0, "0.0%"), (0.0001, "under 0.1%"), (0.0012, "0.1%"), (1, "100.0%")])
def test_a_small_share_is_not_called_none(share: float, words: str) -> None:
    assert in_percent(share) == words


def test_a_short_text_is_not_cut() -> None:
    assert on_one_line("12345", 5) == "12345"


def test_the_json_holds_what_was_counted(look: Look) -> None:
    content = json.loads(json.dumps(look_as_json(look)))

    assert content["patterns"][0] == {"tasks": ["topic", "tags", "rating"], "rows": 2}
    assert content["together"] == [[4, 3, 3], [3, 3, 2], [3, 2, 3]]
    assert content["tasks"]["rating"] == {
        "labelled": {"train": 2, "test": 1},
        "counts": {},
        "answers": {},
        "numbers": {"train": [1.5, 2.75, 4.0], "test": [4.0, 4.0, 4.0]},
        "ties": {},
    }
    assert content["tasks"]["tags"]["counts"]["train"] == {"long": 2, "loud": 0}
    assert content["tasks"]["tags"]["answers"]["train"] == {
        "long": {"yes": 2, "no": 0, "nothing": 2},
        "loud": {"yes": 0, "no": 1, "nothing": 3},
    }
    assert content["tasks"]["topic"]["answers"] == {}
    assert content["lengths"] is None


def test_the_json_says_how_much_is_cut() -> None:
    assert json.loads(json.dumps(look_as_json(measured(4, 10, 16, max_length=10))))["lengths"] == {
        "splits": {"train": {"median": 10.0, "longest": 16.0}},
        "max_length": 10,
        "cut_rows": 1,
        "cut_tokens": 0.2,
    }
