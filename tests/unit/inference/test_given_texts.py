"""The texts of predict and encode: one text or several, in any form, and the arguments of sentence-transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskModel
from modeling_multitask.export.folder import write_export
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.saving import save_folder

TEXTS = ["the film was good", "bad soup", "the film was good"]
PAIR = ("good", "bad")


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
            ValueError, match=r"^the text is .*; it must be a string, a tuple of two strings for a pair"
        ):
            run(given)


@pytest.mark.parametrize("wrong", [None, 3, float("nan"), ("a", None), ["a", "b"]])
def test_what_is_not_a_text_is_refused_with_its_place(answer: Callable, embed: Callable, wrong: Any) -> None:
    for run in (answer, embed):
        with pytest.raises(ValueError, match=r"^texts\[1\] is .*; it must be a string"):
            run(["good", wrong])


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
    texts = ["good", PAIR, {"text": "bad soup"}]

    given = encode(str(tmp_path), texts, backend=backend, batch_size=2, normalize_embeddings=True)

    assert given == pytest.approx(encode(str(tmp_path), texts, normalize_embeddings=True), abs=1e-4)
    assert encode(str(tmp_path), "good", backend=backend, convert_to_tensor=True).shape == (32,)
    assert list(predict(str(tmp_path), PAIR, backend=backend, tasks=["topic"])) == ["topic"]
    assert list(predict(str(tmp_path), texts, backend=backend, as_frame=True, tasks=["rating"])) == ["rating"]
    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        encode(str(tmp_path), texts, backend=backend, batch_size=0)
