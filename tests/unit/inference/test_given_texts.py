"""The texts of predict and encode: one text or several, in any form, and the arguments of sentence-transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.export.folder import write_export
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.saving import save_folder
from modeling_multitask.texts_multitask import plain_rows

TEXTS = ["the film was good", "bad soup", "the film was good"]
PAIR = ("good", "bad")
FORMATS = ["torch", "numpy", "pandas", "polars", "arrow"]


@pytest.fixture
def answer(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Callable:
    return lambda texts, **settings: predict(model, texts, tokenizer=tokenizer, **settings)


@pytest.fixture
def embed(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> Callable:
    return lambda texts, **settings: encode(model, texts, tokenizer=tokenizer, **settings)


@pytest.mark.parametrize("text", [TEXTS[0], PAIR, {"text": "good"}, {"text": "good", "text_pair": "bad"}])
def test_one_text_has_one_answer(answer: Callable, text: Any) -> None:
    assert answer(text) == answer([text])[0]


@pytest.mark.parametrize("text", [TEXTS[0], PAIR, {"text": "good"}, {"text": "good", "text_pair": "bad"}])
def test_one_text_has_one_embedding(embed: Callable, text: Any) -> None:
    assert embed(text).shape == (32,)
    assert (embed(text) == embed([text])[0]).all()


def test_a_pair_as_a_dict_is_the_pair_as_a_tuple(answer: Callable) -> None:
    assert answer({"text": "good", "text_pair": "bad"}) == answer(PAIR) != answer("good")


def test_texts_and_pairs_in_one_list_keep_their_order(embed: Callable) -> None:
    texts = [PAIR, "good", ("bad", "good"), "hi", "good", PAIR]

    assert embed(texts) == pytest.approx(np.stack([embed(text) for text in texts]), abs=1e-6)


def test_texts_and_pairs_of_many_blocks_keep_their_order(embed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [PAIR, "good", ("bad", "good"), "hi", "good soup", ("film", "soup"), "bad"]
    whole = embed(texts)
    monkeypatch.setattr("modeling_multitask.inference.batches.BLOCK", 2)

    assert embed(texts) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize(
    "texts",
    [
        iter,
        np.array,
        lambda texts: Dataset.from_dict({"text": texts, "stars": [1, 2, 3]}),
        lambda texts: Dataset.from_dict({"text": texts})["text"],
    ],
    ids=["iterator", "array", "Dataset", "Column"],
)
def test_several_texts_may_be_any_iterable(answer: Callable, texts: Callable) -> None:
    assert answer(texts(TEXTS)) == answer(TEXTS)


@pytest.mark.parametrize("given", [None, 3, ("a", "b", "c"), {"text": ["a"]}])
def test_what_is_not_a_text_is_refused(answer: Callable, embed: Callable, given: Any) -> None:
    for run in (answer, embed):
        with pytest.raises(
            ValueError, match=r"^the text is .*; it must be a string, two strings for a pair, or a dict"
        ):
            run(given)


@pytest.mark.parametrize("wrong", [None, 3, float("nan"), ("a", None), ["a"], ["a", "b", "c"]])
def test_what_is_not_a_text_is_refused_with_its_place(answer: Callable, embed: Callable, wrong: Any) -> None:
    for run in (answer, embed):
        with pytest.raises(ValueError, match=r"^texts\[1\] is .*; it must be a string"):
            run(["good", wrong])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, ("a", None), {"text": "a", "text_pair": None}])
def test_a_missing_text_is_refused_with_what_to_do(answer: Callable, embed: Callable, missing: Any) -> None:
    message = r"^texts\[1\] is .*; it must be .*; remove the rows without a text, or give an empty text, ''$"
    for run in (answer, embed):
        with pytest.raises(ValueError, match=message):
            run(["good", missing])


def test_a_pair_in_a_list_may_be_a_list(answer: Callable, embed: Callable) -> None:
    assert answer([["good", "bad"], "good"]) == answer([PAIR, "good"])
    assert (embed([["good", "bad"]]) == embed([PAIR])).all()


def test_a_list_of_two_strings_is_two_texts(answer: Callable, embed: Callable) -> None:
    assert len(answer(["good", "bad"])) == 2
    assert answer(["good", "bad"]) != answer([["good", "bad"]])
    assert embed(["good", "bad"]).shape == (2, 32)


def test_the_rows_of_an_array_of_two_columns_are_pairs(answer: Callable) -> None:
    assert answer(np.array([["good", "bad"], ["bad", "good"]])) == answer([PAIR, ("bad", "good")])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_data_set_of_any_format_is_answered_as_the_plain_one(answer: Callable, embed: Callable, kind: str) -> None:
    plain = Dataset.from_dict({"text": TEXTS, "stars": [1, 2, 3]})

    for rows in (
        plain.with_format(kind),
        plain.with_format(kind)["text"],
        plain.to_iterable_dataset().with_format(kind),
    ):
        assert answer(rows) == answer(TEXTS)
        assert (embed(rows) == embed(TEXTS)).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_pairs_of_any_format_are_pairs(answer: Callable, kind: str) -> None:
    rows = Dataset.from_dict({"text": ["good", "bad"], "text_pair": ["bad", "good"]}).with_format(kind)

    assert answer(rows) == answer([PAIR, ("bad", "good")])


def test_a_column_of_arrow_is_a_list_of_texts(answer: Callable) -> None:
    assert answer(pa.chunked_array([TEXTS])) == answer(pa.array(TEXTS)) == answer(TEXTS)


def test_hidden_columns_stay_hidden() -> None:
    rows = Dataset.from_dict({"text": TEXTS, "stars": [1, 2, 3]}).with_format("torch", columns=["stars"])

    assert plain_rows(rows)[0] == {"stars": 1}
    assert plain_rows(rows.with_format("numpy", columns=["stars"], output_all_columns=True))[0].keys() == {
        "text",
        "stars",
    }


def test_a_transform_stays(answer: Callable) -> None:
    rows = Dataset.from_dict({"words": [text.split() for text in TEXTS]})
    rows.set_transform(lambda batch: {"text": [" ".join(words) for words in batch["words"]]})

    assert answer(rows) == answer(TEXTS)


def test_no_texts_have_no_answers(answer: Callable, embed: Callable) -> None:
    assert answer([]) == []
    assert (embed([]).shape, embed([]).dtype) == ((0, 32), np.float32)
    assert embed([], convert_to_tensor=True).shape == (0, 32)
    assert embed([], convert_to_numpy=False) == []
    assert embed([], normalize_embeddings=True).shape == (0, 32)


def test_only_the_tasks_asked_for_are_answered(answer: Callable) -> None:
    every = answer(TEXTS)

    assert answer(TEXTS, tasks=["tags", "topic"]) == [
        {name: each[name] for name in ("topic", "tags")} for each in every
    ]


def test_an_unknown_task_is_refused_with_those_there_are(answer: Callable) -> None:
    with pytest.raises(ValueError, match="'mood', which is not a task of this model; its tasks are 'topic', "):
        answer(TEXTS, tasks=["mood"])


def test_a_pass_has_at_most_the_batch_size(embed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    pass_of = MultiTaskModel.embed
    monkeypatch.setattr(
        MultiTaskModel, "embed", lambda self, **batch: rows.append(len(batch["input_ids"])) or pass_of(self, **batch)
    )
    texts = ["a", "the", "good", "bad", "film"]

    small = embed(texts, batch_size=2)

    assert rows == [2, 2, 1]
    assert small == pytest.approx(embed(texts), abs=1e-6)


def test_a_batch_of_no_texts_is_refused(embed: Callable) -> None:
    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        embed(TEXTS, batch_size=0)


def test_a_normalized_embedding_has_the_length_1(embed: Callable) -> None:
    plain = embed(TEXTS)

    given = embed(TEXTS, normalize_embeddings=True)

    assert given == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-6)
    assert given.dtype == np.float32
    assert np.linalg.norm(embed(TEXTS[0], normalize_embeddings=True)) == pytest.approx(1, abs=1e-6)


def test_embeddings_may_be_one_tensor(embed: Callable) -> None:
    given = embed(TEXTS, convert_to_tensor=True)

    assert isinstance(given, torch.Tensor)
    assert (given.numpy() == embed(TEXTS)).all()
    assert embed(TEXTS[0], convert_to_tensor=True).shape == (32,)


def test_embeddings_may_be_a_list_of_tensors(embed: Callable) -> None:
    given = embed(TEXTS, convert_to_numpy=False)

    assert [type(each) for each in given] == [torch.Tensor] * 3
    assert (torch.stack(given).numpy() == embed(TEXTS)).all()


@pytest.mark.parametrize("name", ["show_progress", "show_progress_bar"])
def test_the_bar_has_both_names(embed: Callable, capsys: pytest.CaptureFixture, name: str) -> None:
    embed(TEXTS, **{name: True})

    assert "3/3" in capsys.readouterr().err


@pytest.mark.slow  # an export takes many seconds
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_graph_takes_the_same_texts(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, backend: str
) -> None:
    save_folder(model, tokenizer, tmp_path)
    write_export(model, tokenizer, tmp_path / backend, backend)
    texts = ["good", PAIR, {"text": "bad soup"}, ["bad", "good"]]

    assert predict(str(tmp_path), [], backend=backend) == []
    assert encode(str(tmp_path), [], backend=backend).shape == (0, 32)
    given = encode(str(tmp_path), texts, backend=backend, batch_size=2, normalize_embeddings=True)

    assert given == pytest.approx(encode(str(tmp_path), texts, normalize_embeddings=True), abs=1e-4)
    assert encode(str(tmp_path), "good", backend=backend, convert_to_tensor=True).shape == (32,)
    assert list(predict(str(tmp_path), PAIR, backend=backend, tasks=["topic"])) == ["topic"]
    assert list(predict(str(tmp_path), texts, backend=backend, as_frame=True, tasks=["rating"])) == ["rating"]
    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        encode(str(tmp_path), texts, backend=backend, batch_size=0)
