"""The collator keeps every label and every missing label in its place."""

import math

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskCollator, MultiTaskConfig, MultiTaskModel
from tests.conftest import tiny_bert_config

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
        ("tags", [1.0, 0.0], [1, 0]),
        ("tags", [True, False], [1, 0]),
        ("tags", [1, 1], [1, 1]),
        ("tags", [0, 0], [0, 0]),
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
        ("tags", [1.0], "task 'tags': 1 zeros and ones are given, but it has 2 labels"),
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


SENTIMENT = {"name": "sentiment", "problem_type": "binary_classification", "labels": ["negative", "positive"]}
AFTER_NEGATIVE = {"task": "sentiment", "labels": ["negative"]}
DEPENDENT = {
    "reason": {"problem_type": "single_label_classification", "labels": ["broken", "dear"]},
    "how": {"problem_type": "ordinal_regression", "labels": ["low", "mid", "high"]},
    "tools": {"problem_type": "multi_label_classification", "labels": ["app", "card"]},
    "damage": {"problem_type": "regression"},
}


def collate_of(tokenizer: PreTrainedTokenizerBase, *tasks: dict) -> MultiTaskCollator:
    return MultiTaskCollator(tokenizer, MultiTaskConfig(backbone_config=tiny_bert_config(), tasks=list(tasks)))


@pytest.mark.parametrize(
    ("name", "given", "unasked"),
    [("reason", 1, -100), ("how", "high", -100), ("tools", [1, None], [-100, -100]), ("damage", 2.5, NAN)],
)
def test_a_label_that_answers_a_question_which_is_not_asked_is_missing(
    tokenizer: PreTrainedTokenizerBase, name: str, given: object, unasked: object
) -> None:
    collate = collate_of(tokenizer, SENTIMENT, {"name": name, "given": AFTER_NEGATIVE, **DEPENDENT[name]})

    labels = collate([{"text": "good", "sentiment": "positive", name: given}])["labels"]

    assert labels["sentiment"].tolist() == [1]
    assert str(labels[name].tolist()) == str([unasked])  # NaN is equal to nothing


@pytest.mark.parametrize("sentiment", ["negative", None])
@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [("reason", 1, 1), ("how", "high", 2), ("tools", [1.0, 0.0], [1, 0]), ("damage", 2, 2.0)],
)
def test_a_label_counts_where_the_question_is_asked_or_may_be(
    tokenizer: PreTrainedTokenizerBase, sentiment: str | None, name: str, given: object, expected: object
) -> None:
    collate = collate_of(tokenizer, SENTIMENT, {"name": name, "given": AFTER_NEGATIVE, **DEPENDENT[name]})

    labels = collate([{"text": "good", "sentiment": sentiment, name: given}])["labels"]

    assert labels[name].tolist() == [expected]


@pytest.mark.parametrize(
    ("sentiment", "reason", "kept"),
    [
        (0, 0, True),
        (0, 1, False),  # not broken
        (1, 0, False),  # positive: neither a reason nor what comes after it is asked for
        (1, None, False),
        (None, 0, True),
        (None, None, True),
    ],
)
def test_what_is_not_asked_has_no_question_after_it(
    tokenizer: PreTrainedTokenizerBase, sentiment: int | None, reason: int | None, kept: bool
) -> None:
    collate = collate_of(
        tokenizer,
        SENTIMENT,
        {"name": "reason", "given": AFTER_NEGATIVE, **DEPENDENT["reason"]},
        {"name": "tools", "given": {"task": "reason", "labels": ["broken"]}, **DEPENDENT["tools"]},
    )

    labels = collate([{"text": "bad", "sentiment": sentiment, "reason": reason, "tools": [1.0, 0.0]}])["labels"]

    assert labels["tools"].tolist() == [[1, 0] if kept else [-100, -100]]


def test_with_parents_no_label_is_taken_away(tokenizer: PreTrainedTokenizerBase) -> None:
    parents = {"broken": "negative", "dear": "positive"}
    given = {"task": "sentiment", "parents": parents}
    collate = collate_of(tokenizer, SENTIMENT, {"name": "reason", "given": given, **DEPENDENT["reason"]})

    labels = collate([{"text": "bad", "sentiment": 1, "reason": 0}])["labels"]

    assert (labels["sentiment"].tolist(), labels["reason"].tolist()) == ([1], [0])


def test_a_label_that_is_left_out_has_no_loss(tokenizer: PreTrainedTokenizerBase) -> None:
    collate = collate_of(tokenizer, SENTIMENT, {"name": "reason", "given": AFTER_NEGATIVE, **DEPENDENT["reason"]})
    model = MultiTaskModel(collate.config).eval()

    output = model(**collate([{"text": "good", "sentiment": "positive", "reason": "dear"}]))

    assert output.task_losses["reason"] == 0
    assert output.task_losses["sentiment"] > 0
