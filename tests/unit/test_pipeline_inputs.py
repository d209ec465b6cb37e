"""The inputs of the pipeline: those of transformers' own text-classification pipeline."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, pipeline
from transformers.pipelines.pt_utils import KeyDataset, KeyPairDataset

from modeling_multitask import MultiTaskModel, MultiTaskPipeline

pytestmark = pytest.mark.compat

TEXTS = ["the film was good", "bad soup"]
PAIR = {"text": "good", "text_pair": "bad"}


@pytest.fixture
def classify(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> MultiTaskPipeline:
    return pipeline("multitask-classification", model=model, tokenizer=tokenizer)


def ratings(answers: Any) -> list[float]:
    return [answer["rating"]["score"] for answer in answers]


def test_a_dict_with_a_text_is_one_text(classify: MultiTaskPipeline) -> None:
    assert classify({"text": TEXTS[0]}) == classify(TEXTS[0])


def test_a_tuple_of_two_strings_is_one_pair(classify: MultiTaskPipeline) -> None:
    assert classify(("good", "bad")) == classify(PAIR)


def test_a_list_may_have_texts_dicts_and_pairs(classify: MultiTaskPipeline) -> None:
    given = classify([TEXTS[0], {"text": TEXTS[1]}, ("good", "bad"), PAIR, ["good", "bad"]])

    expected = [classify(TEXTS[0]), classify(TEXTS[1]), classify(PAIR), classify(PAIR), classify(PAIR)]
    assert ratings(given) == pytest.approx(ratings(expected), abs=1e-5)


@pytest.mark.parametrize(
    "texts",
    [
        Dataset.from_dict({"text": TEXTS, "stars": [1, 2]}),
        Dataset.from_dict({"text": TEXTS}).to_iterable_dataset(),
        KeyDataset(Dataset.from_dict({"body": TEXTS}), "body"),
        Dataset.from_dict({"body": TEXTS})["body"],
        Dataset.from_dict({"text": TEXTS}).with_format("pandas"),
        pd.Series(TEXTS),
    ],
    ids=["Dataset", "IterableDataset", "KeyDataset", "Column", "Dataset of pandas", "Series"],
)
def test_the_texts_of_a_data_set_are_answered_in_order(classify: MultiTaskPipeline, texts: Any) -> None:
    assert ratings(classify(texts)) == pytest.approx(ratings(classify(TEXTS)), abs=1e-5)


def test_a_list_of_two_strings_is_two_texts(classify: MultiTaskPipeline) -> None:
    assert len(classify(["good", "bad"])) == 2
    assert len(classify([["good", "bad"]])) == 1


@pytest.mark.parametrize("kind", ["torch", "numpy", "pandas", "arrow"])
@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: KeyDataset(rows, "text")], ids=["Dataset", "Key"])
def test_a_data_set_of_any_format_is_answered_as_the_plain_one(
    classify: MultiTaskPipeline, wrap: Callable, kind: str
) -> None:
    plain = Dataset.from_dict({"text": TEXTS, "stars": [1, 2]})

    assert list(classify(wrap(plain.with_format(kind)))) == list(classify(wrap(plain)))


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_text_is_refused_with_what_to_do(classify: MultiTaskPipeline, missing: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^texts\[1\] is .*; remove the rows without a text, or give an empty text, ''$"
    ):
        classify(["good", missing])


@pytest.mark.parametrize(
    "wrap",
    [lambda rows: rows, lambda rows: KeyPairDataset(rows, "text", "text_pair")],
    ids=["Dataset", "KeyPairDataset"],
)
def test_the_pairs_of_a_data_set_are_answered(classify: MultiTaskPipeline, wrap: Callable) -> None:
    rows = Dataset.from_dict({"text": ["good", "bad"], "text_pair": ["bad", "good"]})

    expected = classify([PAIR, ("bad", "good")])
    assert ratings(classify(wrap(rows))) == pytest.approx(ratings(expected), abs=1e-5)


def test_a_generator_is_read_while_it_is_answered(classify: MultiTaskPipeline) -> None:
    read = []

    answers = classify(read.append(text) or text for text in TEXTS * 3)

    assert read == []
    assert ratings(answers) == pytest.approx(ratings(classify(TEXTS * 3)), abs=1e-5)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_the_batch_size_changes_no_answer(classify: MultiTaskPipeline, size: int) -> None:
    texts = [*TEXTS, "", *TEXTS]

    assert ratings(classify(texts, batch_size=size)) == pytest.approx(ratings(classify(texts)), abs=1e-5)


@pytest.mark.parametrize("texts", [[], pd.Series([], dtype=object)])
def test_no_texts_give_no_answers(classify: MultiTaskPipeline, texts: Any) -> None:
    assert classify(texts) == []


def test_only_the_tasks_asked_for_are_answered_in_the_order_of_the_model(classify: MultiTaskPipeline) -> None:
    given = classify(TEXTS[0], tasks=["grade", "topic"])

    every = classify(TEXTS[0])
    assert given == {name: every[name] for name in ("topic", "grade")}
    assert list(given) == ["topic", "grade"]


def test_the_tasks_may_be_chosen_once(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    classify = pipeline("multitask-classification", model=model, tokenizer=tokenizer, tasks=["topic"])

    assert list(classify(TEXTS[0], return_embedding=True)) == ["topic", "embedding"]


def test_an_unknown_task_is_refused_with_those_there_are(classify: MultiTaskPipeline) -> None:
    with pytest.raises(
        ValueError,
        match="'topik', which is not a task of this model; its tasks are 'topic', 'sentiment', 'tags', 'rating', "
        "'grade'; did you mean 'topic'",
    ):
        classify(TEXTS[0], tasks=["topik"])


class EndlessRows(torch.utils.data.Dataset):
    """Two texts that repeat if they are read beyond their number."""

    def __len__(self) -> int:
        return len(TEXTS)

    def __getitem__(self, place: int) -> str:
        return TEXTS[place % len(TEXTS)]


def test_a_data_set_ends_at_its_length(classify: MultiTaskPipeline) -> None:
    assert list(classify(EndlessRows())) == classify(TEXTS)


@pytest.mark.parametrize("most", ["x", 1.5, 0, True])
def test_the_number_of_labels_is_a_whole_number(classify: MultiTaskPipeline, most: Any) -> None:
    with pytest.raises(ValueError, match=r"top_k is .*; it must be a whole number of at least 1, or None"):
        classify(TEXTS, top_k=most)


@pytest.mark.parametrize("names", [5, (name for name in ["topic"])])
def test_the_tasks_are_no_number_and_no_generator(classify: MultiTaskPipeline, names: Any) -> None:
    with pytest.raises(ValueError, match=r"tasks is .*; it must be a list of names, such as \['topic'\]"):
        classify(TEXTS, tasks=names)


def test_the_tasks_are_a_list(classify: MultiTaskPipeline) -> None:
    with pytest.raises(ValueError, match=r"tasks is 'topic'; it must be a list of names, such as \['topic'\]"):
        classify(TEXTS[0], tasks="topic")


@pytest.mark.parametrize("given", [None, 3, 0.5, ("a", "b", "c"), {"text": None}, {"txt": "a"}, {"text": "a", "b": 1}])
def test_what_is_not_a_text_is_refused(classify: MultiTaskPipeline, given: Any) -> None:
    with pytest.raises(ValueError, match=r"^the text is .*; it must be a string, two strings for a pair, or a dict"):
        classify(given)


@pytest.mark.parametrize("wrong", [None, 3, float("nan"), ["a", "b", "c"], ("a", None), {"text": "a", "text_pair": 1}])
def test_what_is_not_a_text_is_refused_with_its_place_in_the_list(classify: MultiTaskPipeline, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^texts\[2\] is .*; it must be a string"):
        classify([*TEXTS, wrong])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda texts: (text for text in texts),
        lambda texts: Dataset.from_dict({"text": texts}),
        lambda texts: KeyDataset(Dataset.from_dict({"a": texts}), "a"),
    ],
    ids=["generator", "Dataset", "KeyDataset"],
)
def test_what_is_not_a_text_is_refused_with_its_place_in_a_data_set(
    classify: MultiTaskPipeline, wrap: Callable
) -> None:
    with pytest.raises(ValueError, match=r"texts\[2\] is .*None.*; it must be a string"):
        list(classify(wrap([*TEXTS, None])))


def test_a_data_set_without_a_text_is_refused_with_its_columns(classify: MultiTaskPipeline) -> None:
    with pytest.raises(
        ValueError, match=r"the texts are a table without the column 'text'; its columns are \['body', 'stars'\]"
    ):
        list(classify(Dataset.from_dict({"body": TEXTS, "stars": [1, 2]})))


@pytest.mark.parametrize("wrap", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_a_table_has_its_texts_in_the_column_of_that_name(classify: MultiTaskPipeline, wrap: Callable) -> None:
    # Its elements are the names of its columns.
    assert classify(wrap({"stars": [1] * len(TEXTS), "text": TEXTS})) == classify(TEXTS)


def test_a_table_without_texts_is_refused_with_its_columns(classify: MultiTaskPipeline) -> None:
    with pytest.raises(ValueError, match="a table without the column 'text'"):
        classify(pd.DataFrame({"body": TEXTS}))


@pytest.mark.parametrize("wrap", [np.array, pa.scalar], ids=["numpy", "pyarrow"])
def test_a_text_without_a_dimension_is_one_text(classify: MultiTaskPipeline, wrap: Callable) -> None:
    assert classify(wrap(TEXTS[0])) == classify(TEXTS[0])
