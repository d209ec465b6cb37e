"""S1: BERT, three poolings, normalisation, similarity, staged heads."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from datasets_builder import MultiTaskBuilder
from modeling_multitask.inference import predict
from modeling_multitask.inference.similarity import cosines, scaled
from modeling_multitask.recipes.recipe import Recipe
from modeling_multitask.runs.run import run_recipe
from modeling_multitask.training.freezing import trained_parameters
from tests.systems.conftest import Build, said


def test_s1_the_recipe_names_bert_and_its_one_line_may_name_another(build: Build) -> None:
    assert said("s1").backbone == "bert-base-uncased"
    assert build("s1").trainer.model.config.backbone_config.model_type == "bert"


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_s1_pooling_is_of_the_first_token_the_mean_or_the_maximum_without_padding(build: Build, pooling: str) -> None:
    prepared = build("s1", f"pooling={pooling}", "normalize=false")
    model = prepared.trainer.model.eval()
    batch = prepared.tokenizer(["the film was good", "bad"], padding=True, return_tensors="pt")

    output = model(**batch)

    states, real = output.last_hidden_state, [6, 3]  # tokens of each; the second row is padded
    expected = {
        "cls": [states[i, 0] for i in range(2)],
        "mean": [states[i, : real[i]].mean(dim=0) for i in range(2)],
        "max": [states[i, : real[i]].amax(dim=0) for i in range(2)],
    }[pooling]
    assert torch.allclose(output.embeddings, torch.stack(expected), atol=1e-6)


def test_s1_embeddings_may_be_normalised_and_similarity_is_scaled_to_0_and_1(build: Build) -> None:
    prepared = build("s1")
    model = prepared.trainer.model.eval()

    given = model(**prepared.tokenizer(["the film was good"], return_tensors="pt")).embeddings

    assert given.norm().item() == pytest.approx(1)
    up, down = np.array([[1.0, 0.0]] * 3), np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert scaled(cosines(up, down)).tolist() == [1.0, 0.5, 0.0]


def test_s1_heads_are_linear_activation_dropout_without_normalisation(build: Build) -> None:
    layers = list(build("s1", "head.hidden_sizes=[128,64]").trainer.model.heads.topic)

    assert [type(each).__name__ for each in layers if not isinstance(each, nn.ReLU)] == [
        *("Linear", "Dropout", "Linear", "Linear")
    ]
    assert not any(isinstance(each, nn.LayerNorm) for each in layers)


def test_s1_outputs_are_logits_and_softmax_gives_each_tasks_probabilities(build: Build) -> None:
    prepared = build("s1")
    model = prepared.trainer.model.eval()

    (answers,) = predict(model, ["the film"], tokenizer=prepared.tokenizer, top_k=None)
    logits = model(**prepared.tokenizer(["the film"], return_tensors="pt")).logits

    for task in ("topic", "sentiment"):
        scores = [each["score"] for each in answers[task]]
        assert sum(scores) == pytest.approx(1)
        assert scores == pytest.approx(logits[task].softmax(dim=-1)[0].sort(descending=True).values.tolist(), abs=1e-5)


def test_s1_a_switch_freezes_the_backbone(build: Build) -> None:
    trainer = build("s1", "phases=null", "freeze=backbone").trainer
    (phase,) = trainer.args.schedule

    names = trained_parameters(trainer.model, phase.train, phase.freeze)

    assert names
    assert all(name.startswith("heads.") for name in names)


def test_s1_one_head_rests_while_the_other_converges_then_they_swap(build: Build) -> None:
    first, second, *_ = build("s1").trainer.args.schedule

    assert (first.train, first.weights, first.until) == (
        ("heads.topic",),
        {"sentiment": 0.0},
        "no improvement of topic_macro_f1 for 3 evaluations",
    )
    assert (second.train, second.weights, second.until) == (
        ("heads.sentiment",),
        {"topic": 0.0},
        "no improvement of sentiment_macro_f1 for 3 evaluations",
    )


def test_s1_the_encoder_is_opened_from_the_top_down_with_smaller_rates(build: Build) -> None:
    trainer = build("s1").trainer
    rates = {group["name"]: group["rates"] for group in trainer.create_optimizer().param_groups}

    *_, third, fourth = trainer.args.schedule
    assert (third.train, fourth.train) == (("heads", "last_layers.2"), ("everything",))
    for phase in (2, 3):
        assert rates["heads"][phase] > rates["layers.11"][phase] > rates["layers.10"][phase]
    assert rates["heads"][0] > rates["heads"][2] > rates["heads"][3]


def test_s1_loss_weights_are_each_tasks_own_and_equal_by_default(build: Build) -> None:
    assert [task.weight for task in build("s1").tasks] == [1.0, 1.0]
    assert [task.weight for task in build("s1", "tasks.0.weight=0.5").tasks] == [0.5, 1.0]


def test_s1_tasks_may_be_lists_of_sentences_aligned_with_lists_of_labels() -> None:
    sentences, topics, sentiments = ["a", "b", "c"], ["art", "sport", "art"], ["bad", None, "good"]
    builder = MultiTaskBuilder(
        tasks=[{"name": name, "problem_type": "single_label_classification"} for name in ("topic", "sentiment")],
        train={"text": sentences, "topic": topics, "sentiment": sentiments},
    )
    builder.download_and_prepare()

    rows = builder.as_dataset()["train"]

    assert (rows["text"][:], rows["topic"][:], rows["sentiment"][:]) == (sentences, [0, 1, 0], [0, None, 1])


def test_s1_answers_are_the_same_one_by_one_and_in_batches(build: Build) -> None:
    prepared = build("s1")
    model, texts = prepared.trainer.model.train(), ["the film was good", "bad", "a boring plot"]

    together = predict(model, texts, tokenizer=prepared.tokenizer)
    apart = [predict(model, [text], tokenizer=prepared.tokenizer)[0] for text in texts]

    assert [each["topic"]["label"] for each in together] == [each["topic"]["label"] for each in apart]
    assert [each["topic"]["score"] for each in together] == pytest.approx(
        [each["topic"]["score"] for each in apart], abs=1e-5
    )


def test_s1_a_report_has_precision_recall_f1_and_support_of_each_class_and_zero_where_undefined(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    run = run_recipe(recipe("s1", "training.max_steps=1", "training.disable_tqdm=true"))

    page = (run.folder.parent / "report" / "report.md").read_text()

    for word in ("precision", "recall", "F1", "support", "politics", "neutral", "0.000"):
        assert word in page, word
