"""The card of a code-free twin: its code runs unchanged, and gives the answers of the original model."""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from modeling_multitask.export.decoder import decode
from modeling_multitask.export.linear import linear_heads
from modeling_multitask.export.sentence_transformers import twin_settings, write_twin
from modeling_multitask.export.twin_card import twin_card
from modeling_multitask.inference import predict
from modeling_multitask.inference.answering import answers_of
from modeling_multitask.inference.text_encoder import Outputs
from tests.conftest import WORDS, tasks_of_each_type, tiny_bert_config
from tests.contracts.test_hub_bundle import DEPENDENT

ROWS = 400
VIEWS = {"name": "views", "problem_type": "regression", "transform": "log1p", "targets": {"mean": 3.0, "std": 2.0}}
# All settings of the tasks of each type that change answers.
CHANGED: dict[str, dict[str, Any]] = {
    "topic": {"temperature": 1.5, "abstain_below": 0.5},
    "sentiment": {"thresholds": [0.3], "temperature": 0.7, "abstain_below": 0.6},
    "tags": {"thresholds": [0.2, 0.6], "temperature": 2.0},
    "rating": {"temperature": 3.0},
    "grade": {"abstain_below": 0.4},
}
# A tree of three levels, whose second level and leaf are asked after several labels.
DEEP = [
    {"name": "place", "problem_type": "binary_classification", "labels": ["home", "away"]},
    {
        "name": "room",
        "problem_type": "ordinal_regression",
        "labels": ["small", "fair", "large"],
        "given": {"task": "place", "labels": ["home"]},
        "abstain_below": 0.5,
    },
    {
        "name": "chair",
        "problem_type": "single_label_classification",
        "labels": ["wood", "steel", "silk"],
        "given": {"task": "room", "parents": {"wood": "small", "steel": "large", "silk": "large"}},
    },
    {
        "name": "flags",
        "problem_type": "multi_label_classification",
        "labels": ["worn", "new"],
        "given": {"task": "room", "labels": ["fair", "large"]},
    },
]


def model_of(tasks: list[dict[str, Any]], **settings: Any) -> MultiTaskModel:
    """Return a random model with linear heads whose answers vary."""
    config = MultiTaskConfig(
        backbone_config=tiny_bert_config(), tasks=tasks, head={"hidden_sizes": []}, max_length=16, **settings
    )
    model = MultiTaskModel(config).eval()
    for each in model.heads.parameters():
        each.data = torch.randn_like(each) * (4 if each.ndim > 1 else 1)
    return model


def changed_tasks() -> list[dict[str, Any]]:
    return [*({**task, **CHANGED[task["name"]]} for task in tasks_of_each_type()), VIEWS]


def energy_tasks() -> list[dict[str, Any]]:
    return [{**tasks_of_each_type()[0], "abstain_by": "energy", "abstain_below": 6.0}]


def dependent_tasks() -> list[dict[str, Any]]:
    return [*tasks_of_each_type(), *DEPENDENT]


def deep_tasks() -> list[dict[str, Any]]:
    return DEEP


def assert_same_answers(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Assert that labels are equal, and that scores are equal to 1e-4, relative for numbers above 1."""
    assert found.keys() == expected.keys()
    for name, answer in expected.items():
        one, other = (each if isinstance(each, list) else [each] for each in (found[name], answer))
        assert [each.get("label") for each in one] == [each.get("label") for each in other], name
        scores = [[each["score"] for each in given] for given in (one, other)]
        assert [score is None for score in scores[0]] == [score is None for score in scores[1]]
        numbers = [[score for score in given if score is not None] for given in scores]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-4, rel=1e-4), name


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("tasks", [changed_tasks, energy_tasks, dependent_tasks, deep_tasks])
def test_the_decoder_gives_the_answers_of_the_model(tasks: Callable[[], list[dict[str, Any]]], normalize: bool) -> None:
    model = model_of(tasks(), normalize=normalize)
    embeddings = torch.randn(ROWS, 32)
    embeddings = torch.nn.functional.normalize(embeddings, dim=-1) if normalize else embeddings / 4
    with torch.no_grad():
        logits = {name: each.numpy() for name, each in model.heads(embeddings).items()}
    expected = answers_of(Outputs(embeddings.numpy(), logits), model.config.tasks)
    settings = twin_settings(model.config, linear_heads(model))

    found = [decode(row, settings) for row in np.concatenate([embeddings.numpy(), *logits.values()], axis=1)]

    for name, task in ((each.name, each) for each in model.config.tasks):
        if task.kind.one_label:
            assert len({answer[name]["label"] for answer in expected}) > 1, "the answers do not vary"
    for one, other in zip(found, expected, strict=True):
        assert_same_answers(one, other)


def test_an_embedding_that_an_engine_has_not_normalised_is_decoded_as_if_it_had() -> None:
    model = model_of(changed_tasks(), normalize=True)
    heads = linear_heads(model)
    settings = twin_settings(model.config, heads)
    pooled = np.random.default_rng(0).normal(size=32) * 3

    def vector(embedding: np.ndarray) -> np.ndarray:
        return np.concatenate([embedding, *(head.logits(embedding[None])[0] for head in heads.values())])

    assert_same_answers(decode(vector(pooled), settings), decode(vector(pooled / np.linalg.norm(pooled)), settings))


def test_the_code_of_the_card_runs_unchanged_and_gives_the_answers_of_predict(
    tmp_path: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of([*changed_tasks(), *DEEP], normalize=True)
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    write_twin(model, tokenizer, tmp_path / "twin")
    text = (tmp_path / "twin" / "README.md").read_text()
    monkeypatch.chdir(tmp_path / "twin")
    scope: dict[str, Any] = {}

    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(block, scope)

    texts = [" ".join(WORDS[(i * k) % len(WORDS)] for k in (1, 3, 5)) for i in range(20)]
    assert "(1, 32)\n" in printed.getvalue()
    expected = predict(model, ["The battery died within a day.", *texts], tokenizer=tokenizer, dtype=torch.float32)
    assert_same_answers(scope["answers"][0], expected[0])
    for vector, answer in zip(scope["model"].encode(texts), expected[1:], strict=True):
        assert_same_answers(scope["decode"](vector, scope["settings"]), answer)


def settings_of(**settings: Any) -> dict[str, Any]:
    model = model_of([{"name": "topic", "problem_type": "single_label_classification", "labels": ["*a*", "b|c"]}])
    return twin_settings(model.config, linear_heads(model)) | settings


def test_the_card_says_what_the_vector_is_not_for_and_how_to_ask_servers() -> None:
    card = twin_card(settings_of())

    assert "**The vector is not for cosine similarity**" in card
    assert 'send `"normalize": false, "truncate": true` to `/embed`' in card
    assert "`/v1/embeddings` always\n  normalises the vector and gives no logits" in card
    assert "always normalises the vector and gives no logits." in card
    assert "| topic | single label classification | 32 to 33 | \\*a\\*, b\\|c |" in card


def test_the_card_of_a_normalised_model_says_how_to_undo_what_infinity_does() -> None:
    card = twin_card(settings_of(normalize=True))

    assert "infinity](https://github.com/michaelfeil/infinity) always normalises the vector. Divide it by" in card


def test_the_card_names_a_pooling_and_a_prompt_that_servers_do_not_have() -> None:
    card = twin_card(settings_of(pooling="max", prompt="query: "))

    assert "do not have the pooling `max`" in card
    assert "Do it yourself: 'query: '." in card


def test_the_card_says_which_heads_were_distilled_and_how_well() -> None:
    agreement = {"linear heads": {"topic": {"score_difference": 0.1, "same_answer": 0.975}}}
    facts = {"tasks": ["topic"], "texts": 1234, "rows": {"name": "test", "count": 200}, "agreement": agreement}

    card = twin_card(settings_of(distilled=facts))

    assert "have learned the logits of the original ones on 1,234 texts." in card
    assert "equal answers on 200 other rows is: topic 97.5%." in card


def test_a_long_list_of_labels_is_cut() -> None:
    task = {"name": "word", "problem_type": "single_label_classification", "labels": [f"l{i}" for i in range(25)]}
    model = model_of([task])

    assert "l19, and 5 more |" in twin_card(twin_settings(model.config, linear_heads(model)))
