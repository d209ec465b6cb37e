"""encode and predict return the model's own values, in the order of the texts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase, pipeline

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.inference import encode, predict
from modeling_multitask.inference.saving import save_folder

TEXTS = ["the film was good", "bad", "", "the phone was not very great and the screen broken", "good " * 300]


def test_embeddings_are_those_of_each_text_alone(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    together = encode(model, TEXTS, tokenizer=tokenizer, tokens_per_batch=12)

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
    together = encode(model, PAIRS, tokenizer=tokenizer, tokens_per_batch=12)

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


def test_a_text_that_occurs_twice_is_computed_once(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    embed = MultiTaskModel.embed
    monkeypatch.setattr(
        MultiTaskModel, "embed", lambda self, **batch: computed.extend(batch["input_ids"]) or embed(self, **batch)
    )

    given = encode(model, ["bad", "soup", "bad", "bad"], tokenizer=tokenizer)

    assert len(computed) == 2
    assert (given[0] == given[2]).all()
    assert (given[0] == given[3]).all()
    assert given == pytest.approx(encode(model, ["bad", "soup", "bad", "bad"], tokenizer=tokenizer))


def test_texts_of_many_blocks_keep_their_order(
    model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode(model, TEXTS, tokenizer=tokenizer)
    monkeypatch.setattr("modeling_multitask.inference.batches.BLOCK", 2)
    monkeypatch.setattr("modeling_multitask.inference.text_encoder.ROWS_AT_ONCE", 2)

    assert encode(model, TEXTS, tokenizer=tokenizer) == pytest.approx(whole, abs=1e-6)
    assert len(predict(model, TEXTS, tokenizer=tokenizer)) == len(TEXTS)


def test_padding_on_the_left_changes_no_embedding(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    texts = ["the film was good", "bad soup is tasty"]  # as long as each other: BERT numbers positions from the left
    right = encode(model, texts, tokenizer=tokenizer)
    tokenizer.padding_side = "left"

    assert encode(model, texts, tokenizer=tokenizer) == pytest.approx(right, abs=1e-6)


LONG = "the film was not very good and the plot was boring"


@pytest.mark.parametrize("normalize", [False, True])
def test_a_long_text_in_windows_has_the_mean_of_all_its_tokens(
    config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase, normalize: bool
) -> None:
    config.long_texts, config.max_length, config.normalize = "windows", 6, normalize
    model = MultiTaskModel(config).eval()
    pieces = ["the film was not", "very good and the", "plot was boring"]  # what is between the first and last tokens

    given = encode(model, ["bad", LONG], tokenizer=tokenizer)

    parts, tokens = encode(model, pieces, tokenizer=tokenizer), np.array([6, 6, 5])
    expected = (parts * tokens[:, None]).sum(axis=0) / tokens.sum()
    expected /= np.linalg.norm(expected) if normalize else 1
    assert given[1] == pytest.approx(expected, abs=1e-6)
    assert given[0] == pytest.approx(encode(model, ["bad"], tokenizer=tokenizer)[0], abs=1e-6)


def test_the_pipeline_and_the_model_itself_read_windows_as_predict_does(
    config: MultiTaskConfig, tokenizer: PreTrainedTokenizerBase
) -> None:
    config.long_texts, config.max_length = "windows", 6
    model = MultiTaskModel(config).eval()
    texts = ["bad", LONG, "soup"]
    given = predict(model, texts, tokenizer=tokenizer)

    classify = pipeline("multitask-classification", model=model, tokenizer=tokenizer)
    batch = tokenizer(
        texts, truncation=True, max_length=6, return_overflowing_tokens=True, padding=True, return_tensors="pt"
    )
    logits = model(**batch).logits["rating"].flatten().tolist()

    ratings = [answers["rating"]["score"] for answers in given]
    assert [answers["rating"]["score"] for answers in classify(texts)] == pytest.approx(ratings, abs=1e-6)
    assert classify(LONG)["rating"]["score"] == pytest.approx(ratings[1], abs=1e-6)
    assert logits == pytest.approx(ratings, abs=1e-6)


def test_half_precision_is_only_the_encoders(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    exact = encode(model, TEXTS, tokenizer=tokenizer)

    half = encode(model, TEXTS, tokenizer=tokenizer, dtype=torch.bfloat16)

    assert half.dtype == np.float32
    assert 0 < np.abs(half - exact).max() < 0.05  # three digits of values of about 1
    assert model.dtype == torch.float32


def test_a_dtype_may_be_a_name_as_in_transformers(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    by_name = encode(model, TEXTS, tokenizer=tokenizer, dtype="bfloat16")

    assert (by_name == encode(model, TEXTS, tokenizer=tokenizer, dtype=torch.bfloat16)).all()


@pytest.mark.parametrize("dtype", ["float23", "nn", torch.int64, "int8"])
def test_an_unknown_dtype_is_refused(
    dtype: torch.dtype | str, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(ValueError, match=r"dtype is .*; it must be auto, float32, bfloat16 or float16"):
        encode(model, TEXTS, tokenizer=tokenizer, dtype=dtype)


def test_a_batch_of_no_tokens_is_refused(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ValueError, match="tokens_per_batch is 0; it must be at least 1"):
        encode(model, TEXTS, tokenizer=tokenizer, tokens_per_batch=0)


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
