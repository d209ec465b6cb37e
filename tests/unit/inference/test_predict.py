"""encode and predict: the model's own figures, in the order the texts were given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase, pipeline

from modeling_multitask import MultiTaskModel
from modeling_multitask.inference import encode, predict
from modeling_multitask.publishing import save_folder

TEXTS = ["the film was good", "bad", "", "the phone was not very great and the screen broken", "good " * 300]


def test_embeddings_are_those_of_each_text_alone(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    together = encode(model, TEXTS, tokenizer=tokenizer, batch_size=2)

    apart = [encode(model, [text], tokenizer=tokenizer)[0] for text in TEXTS]
    assert together.dtype == np.float32
    assert together == pytest.approx(np.stack(apart), abs=1e-5)


def test_answers_are_those_of_the_pipeline(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    expected = pipeline("multitask-classification", model=model, tokenizer=tokenizer, batch_size=1)(TEXTS, top_k=None)

    given = predict(model, TEXTS, tokenizer=tokenizer, top_k=None)

    assert [list(answers) for answers in given] == [list(answers) for answers in expected]
    assert [answers["topic"][0]["label"] for answers in given] == [answers["topic"][0]["label"] for answers in expected]
    assert [answers["rating"]["score"] for answers in given] == pytest.approx(
        [answers["rating"]["score"] for answers in expected], abs=1e-5
    )


PAIRS = [("the film was good", "bad"), ("bad", "the film was good"), ("", "soup"), ("good " * 300, "bad")]


def test_embeddings_of_pairs_are_those_of_each_pair_alone(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    together = encode(model, PAIRS, tokenizer=tokenizer, batch_size=2)

    apart = [encode(model, [pair], tokenizer=tokenizer)[0] for pair in PAIRS]
    assert together == pytest.approx(np.stack(apart), abs=1e-5)


def test_the_order_of_a_pair_counts(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    answers = predict(model, PAIRS[:2], tokenizer=tokenizer)

    assert answers[0]["rating"]["score"] != pytest.approx(answers[1]["rating"]["score"], abs=1e-4)


def test_the_second_text_is_told_from_the_first(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    batch = tokenizer([PAIRS[0][0]], [PAIRS[0][1]], return_tensors="pt")
    with torch.no_grad():
        expected = model(**batch).embeddings.numpy()

    assert batch["token_type_ids"].sum() == 2
    assert encode(model, PAIRS[:1], tokenizer=tokenizer) == pytest.approx(expected, abs=1e-6)


def test_no_texts_give_no_rows(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    assert encode(model, [], tokenizer=tokenizer).shape == (0, 32)
    assert predict(model, [], tokenizer=tokenizer) == []


def test_a_model_may_be_named_by_its_folder(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path)

    assert encode(str(tmp_path), TEXTS) == pytest.approx(encode(model, TEXTS, tokenizer=tokenizer), abs=1e-6)


def test_a_loaded_model_knows_its_tokenizer(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    save_folder(model, tokenizer, tmp_path)

    loaded = MultiTaskModel.from_pretrained(tmp_path)

    assert predict(loaded, TEXTS) == predict(loaded, TEXTS, tokenizer=tokenizer)


def test_a_model_in_training_is_in_training_afterwards(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    model.train()

    encode(model, TEXTS, tokenizer=tokenizer)

    assert model.training
