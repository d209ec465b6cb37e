"""Linear heads that learn the logits of heads with hidden layers."""

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.export.folder import HeldOut
from modeling_multitask.export.linear import distil, linear_heads
from modeling_multitask.inference.text_encoder import TextEncoder
from tests.conftest import WORDS, rows_of_each_type, tasks_of_each_type, tiny_bert_config

TEXTS = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 3 + i % 5)) for i in range(120)]


def deep_model(*, activation: str = "relu", **head: Any) -> MultiTaskModel:
    """Return a model with hidden layers in all heads but that of the sentiment."""
    tasks = [
        task if task["name"] != "sentiment" else {**task, "head": {"hidden_sizes": []}} for task in tasks_of_each_type()
    ]
    config = MultiTaskConfig(
        backbone_config=tiny_bert_config(vocab_size=23),
        tasks=tasks,
        head={"hidden_sizes": [16], "normalization": "none", "activation": activation, **head},
        max_length=16,
    )
    return MultiTaskModel(config).eval()


def held_out() -> HeldOut:
    rows = rows_of_each_type()
    grades = [None if i % 2 else i % 3 for i in range(len(rows))]
    return HeldOut(Dataset.from_dict({**rows.to_dict(), "grade": grades}), "test")


def test_a_head_that_is_linear_on_these_texts_is_learned_exactly(tokenizer: PreTrainedTokenizerBase) -> None:
    model = deep_model()
    with torch.no_grad():
        for name in ("topic", "tags", "rating", "grade"):
            model.heads.get_submodule(name)[0].bias += 100  # far from the kink of the activation

    found = distil(model, tokenizer, TEXTS, held_out())

    encoder = TextEncoder(model, tokenizer, dtype=torch.float32)
    outputs = encoder.run(TEXTS[:20])
    assert sorted(found.heads) == ["grade", "rating", "tags", "topic"]
    for name, head in found.heads.items():
        assert head.logits(outputs.embeddings) == pytest.approx(outputs.logits[name], abs=0.05), name
    assert found.facts["agreement"]["linear heads"]["topic"]["same_answer"] == 1.0


def test_the_logits_of_an_ordinal_regression_stay_in_order(tokenizer: PreTrainedTokenizerBase) -> None:
    model = deep_model(activation="tanh")

    grade = distil(model, tokenizer, TEXTS, held_out()).heads["grade"]

    assert grade.weight[0] == pytest.approx(grade.weight[1], abs=1e-6)
    assert grade.bias[0] > grade.bias[1]


def test_agreement_and_macro_f1_are_those_of_both_forms_on_the_held_out_rows(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    model, rows = deep_model(activation="tanh"), held_out()

    facts = distil(model, tokenizer, TEXTS, rows).facts

    assert (facts["texts"], facts["tasks"]) == (len(set(TEXTS)), ["topic", "tags", "rating", "grade"])
    assert facts["rows"] == {"name": "test", "count": 24}
    assert list(facts["figures"]) == ["PyTorch", "linear heads"]
    assert {"rows", "macro_f1"} <= set(facts["figures"]["linear heads"]["topic"])
    # The head of the sentiment is linear, so nothing changes.
    assert facts["agreement"]["linear heads"]["sentiment"] == {"score_difference": 0.0, "same_answer": 1.0}


def test_heads_without_hidden_layers_are_not_learned() -> None:
    assert list(linear_heads(deep_model())) == ["sentiment"]


def test_too_few_texts_are_an_error(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(ValueError, match="at least 10 different texts to learn from; 2 given"):
        distil(deep_model(), tokenizer, ["good", "bad", "good"], held_out())


def test_no_more_than_a_limit_of_texts_is_encoded(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_multitask.export.linear.MOST_TEXTS", 30)

    facts = distil(deep_model(), tokenizer, TEXTS, held_out()).facts

    assert 15 <= facts["texts"] <= 30


def test_a_single_logit_has_a_weight_for_each_number_of_the_embedding(tokenizer: PreTrainedTokenizerBase) -> None:
    tasks = [{"name": "price", "problem_type": "regression"}]
    model = MultiTaskModel(MultiTaskConfig(backbone_config=tiny_bert_config(vocab_size=23), tasks=tasks, max_length=16))
    rows = Dataset.from_dict({"text": TEXTS[:4], "price": [1.0, None, 2.0, 3.0]})

    price = distil(model.eval(), tokenizer, TEXTS, HeldOut(rows, "test")).heads["price"]

    assert (price.weight.shape, price.bias.shape) == ((1, 32), (1,))
    assert np.isfinite(price.weight).all()
