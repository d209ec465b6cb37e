"""The collator: every label where it was, every gap a gap."""

import math

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskCollator, MultiTaskConfig

NAN = float("nan")


@pytest.fixture
def collate(tokenizer: PreTrainedTokenizerBase, config: MultiTaskConfig) -> MultiTaskCollator:
    return MultiTaskCollator(tokenizer, config)


def test_texts_are_tokenised_padded_and_cut(collate: MultiTaskCollator) -> None:
    batch = collate([{"text": "good"}, {"text": "good " * 300}])

    assert batch["input_ids"].shape == (2, 16)
    assert batch["attention_mask"].sum(dim=1).tolist() == [3, 16]


def test_tokenised_rows_are_padded_to_the_longest(collate: MultiTaskCollator) -> None:
    batch = collate([{"input_ids": [2, 7, 3]}, {"input_ids": [2, 7, 8, 9, 3]}])

    assert batch["input_ids"].tolist() == [[2, 7, 3, 0, 0], [2, 7, 8, 9, 3]]


def test_pairs_of_texts_are_tokenised_as_pairs(collate: MultiTaskCollator, tokenizer: PreTrainedTokenizerBase) -> None:
    batch = collate([{"text": "good film", "text_pair": "bad"}, {"text": "a", "text_pair": "the soup was tasty"}])

    expected = tokenizer(["good film", "a"], ["bad", "the soup was tasty"], padding=True)
    assert batch["input_ids"].tolist() == expected["input_ids"]
    assert batch["token_type_ids"].tolist() == expected["token_type_ids"]
    assert batch["token_type_ids"].sum(dim=1).tolist() == [2, 5]  # the second text and its [SEP]


def test_a_pair_is_cut_to_the_length_of_the_model(collate: MultiTaskCollator) -> None:
    batch = collate([{"text": "good " * 300, "text_pair": "bad " * 300}])

    assert batch["input_ids"].shape == (1, 16)
    assert 0 < batch["token_type_ids"].sum() < 16  # neither text is lost


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("topic", 2, 2),
        ("topic", "food", 1),
        ("topic", 1.0, 1),  # P65: pandas makes a column of ids with gaps one of floats
        ("topic", None, -100),  # P64: DataCollatorWithPadding cannot make a tensor of it
        ("topic", NAN, -100),
        ("topic", -1, -100),  # P4
        ("topic", -100, -100),
        ("sentiment", "positive", 1),
        ("tags", [1, 0], [1, 0]),
        ("tags", [1, None], [1, -100]),
        ("tags", {"loud": 1, "long": 0}, [0, 1]),
        ("tags", {"loud": 1, "long": None}, [-100, 1]),
        ("tags", None, [-100, -100]),
        ("tags", NAN, [-100, -100]),
        ("grade", "fine", 2),
        ("grade", 0, 0),
        ("grade", None, -100),
        ("grade", -1, -100),  # P4
        ("rating", -1, -1.0),
        ("rating", 2.5, 2.5),
    ],
)
def test_each_way_to_write_a_label_is_read(
    collate: MultiTaskCollator, name: str, given: object, expected: object
) -> None:
    assert collate([{"text": "good", name: given}])["labels"][name].tolist() == [expected]


@pytest.mark.parametrize("row", [{}, {"rating": None}, {"rating": NAN}])
def test_a_missing_number_is_nan(collate: MultiTaskCollator, row: dict) -> None:
    assert math.isnan(collate([{"text": "good", **row}])["labels"]["rating"].item())


def test_a_column_that_is_not_there_is_missing_throughout(collate: MultiTaskCollator) -> None:
    labels = collate([{"text": "good"}, {"text": "bad"}])["labels"]

    assert list(labels) == ["topic", "sentiment", "tags", "rating", "grade"]
    assert labels["topic"].tolist() == [-100, -100]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "topic",
            3,
            r"task 'topic': 3 is not one of its class ids 0 to 2, nor -1 or -100 for missing \(text: 'a film'\)",
        ),
        ("topic", -2, "-2 is not one of its class ids"),
        ("topic", 0.5, "0.5 is not one of its class ids"),
        ("topic", "filn", r"'filn' is not one of its labels \['film', 'food', 'phone'\]; did you mean 'film'"),  # P67
        ("grade", 3, "task 'grade': 3 is not one of its class ids 0 to 2"),
        ("grade", "find", r"'find' is not one of its labels \['poor', 'fair', 'fine'\]; did you mean 'fine'"),  # P67
        ("tags", [1], "task 'tags': 1 positions are given, but it has 2 labels"),
        ("tags", {"lonng": 1}, r"'lonng' is not one of its labels \['long', 'loud'\]; did you mean 'long'"),
        ("tags", [1, 2], "2 is not one of its class ids 0 to 1"),
    ],
)
def test_a_label_that_cannot_be_is_refused_by_name(
    collate: MultiTaskCollator, name: str, given: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        collate([{"text": "a film", name: given}])


def test_class_ids_and_ranks_are_whole_numbers_and_ratings_are_not(collate: MultiTaskCollator) -> None:
    labels = collate([{"text": "good", "topic": 1, "grade": 1, "rating": 1}])["labels"]

    assert {name: labels[name].dtype for name in ("topic", "grade", "rating")} == {
        "topic": torch.long,
        "grade": torch.long,
        "rating": torch.float32,
    }
